package member

import (
	"reflect"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

func TestLocks(t *testing.T) {
	clock := newTicker()
	l := NewLocks(clock.read)
	q := func(id int32) remoting.MessageQueue {
		return remoting.MessageQueue{BrokerName: "b", Topic: "T", QueueID: id}
	}
	all := []remoting.MessageQueue{q(0), q(1), q(2)}
	if got := l.Lock("g", "a", all[:2]); !reflect.DeepEqual(got, all[:2]) {
		t.Fatal(got)
	}
	if got := l.Lock("g", "b", all); !reflect.DeepEqual(got, all[2:]) {
		t.Fatal("b gets what a does not hold:", got)
	}
	if got := l.Lock("other", "b", all); !reflect.DeepEqual(got, all) {
		t.Fatal("another group's locks do not matter:", got)
	}
	clock.pass(LockFor)
	if got := l.Lock("g", "b", all[:1]); len(got) != 0 || !l.Held("g") || l.Holder("g", q(0)) != "a" {
		t.Fatal("a lock lasts 60 s:", got)
	}
	l.Lock("g", "a", all[1:2]) // renewed
	clock.pass(time.Millisecond)
	if got := l.Lock("g", "b", all[:2]); !reflect.DeepEqual(got, all[:1]) || l.Holder("g", q(1)) != "a" {
		t.Fatal("what has run out is taken over, what was renewed is not:", got)
	}
	l.Unlock("g", "b", all)
	if l.Holder("g", q(1)) != "a" || l.Holder("g", q(0)) != "" {
		t.Fatal("a client gives up only its own")
	}
	clock.pass(LockFor + time.Millisecond)
	if l.Held("g") || l.Holder("g", q(1)) != "" {
		t.Fatal("run out")
	}
	if n := l.Expire(); n != 4 || len(l.groups) != 0 {
		t.Fatal(n, l.groups)
	}
	l.Unlock("nobody", "a", all)
	if got := l.Lock("g", "a", nil); len(got) != 0 || got == nil {
		t.Fatal("no queues: an empty list", got)
	}
}
