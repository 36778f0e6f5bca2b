package member

import (
	"fmt"
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
	if l.bytes != 0 || len(l.groups) != 0 {
		t.Fatal("kept for nothing:", l.bytes, l.groups)
	}
}

// TestLocksAreBoundedByWhatTheyTake: of long names there are fewer, and who has a queue keeps it.
func TestLocksAreBoundedByWhatTheyTake(t *testing.T) {
	const name = 1 << 10
	clock := newTicker()
	for _, test := range []struct {
		what string
		of   func(l *Locks, n int) []remoting.MessageQueue
	}{
		{"topics", func(l *Locks, n int) []remoting.MessageQueue {
			return l.Lock("g", "c", []remoting.MessageQueue{{Topic: fmt.Sprintf("%0*d", name, n)}})
		}},
		{"brokers", func(l *Locks, n int) []remoting.MessageQueue {
			return l.Lock("g", "c", []remoting.MessageQueue{{BrokerName: fmt.Sprintf("%0*d", name, n)}})
		}},
		{"groups", func(l *Locks, n int) []remoting.MessageQueue {
			return l.Lock(fmt.Sprintf("%0*d", name, n), "c", []remoting.MessageQueue{{}})
		}},
		{"clients", func(l *Locks, n int) []remoting.MessageQueue {
			return l.Lock("g", fmt.Sprintf("%0*d", name, n), []remoting.MessageQueue{{QueueID: int32(n)}})
		}},
	} {
		l := NewLocks(clock.read)
		l.most = 100 << 10
		given := 0
		for n := range 1000 {
			given += len(test.of(l, n))
		}
		if given < 50 || given > 100 || len(test.of(l, 0)) != 1 || len(test.of(l, 999)) != 0 {
			t.Error(test.what, given)
		}
		clock.pass(LockFor + time.Millisecond)
		if n := l.Expire(); n != given || l.bytes != 0 {
			t.Error(test.what, "left over:", n, l.bytes)
		}
	}
	// As many as a large group of ordered consumers may want, in one request and of the names that clients have.
	l := NewLocks(clock.read)
	var queues []remoting.MessageQueue
	for i := range int32(10_000) {
		queues = append(queues, remoting.MessageQueue{BrokerName: "broker-a", Topic: "an-ordered-topic", QueueID: i})
	}
	for i := range 50 {
		if got := l.Lock(fmt.Sprint("group-", i), "10.0.0.1@12345#1234567890123", queues); len(got) != len(queues) {
			t.Fatal(i, len(got))
		}
	}
	// A client with a longer name takes over only where there is room for it.
	l = NewLocks(clock.read)
	l.Lock("g", "c", queues[:1])
	l.most = l.bytes + 3
	clock.pass(LockFor + time.Millisecond)
	if got := l.Lock("g", "longer", queues[:1]); len(got) != 0 {
		t.Error(got)
	}
	if got := l.Lock("g", "long", queues[:1]); len(got) != 1 || l.bytes != l.most {
		t.Error(got, l.bytes, l.most)
	}
}
