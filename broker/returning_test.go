package broker

import (
	"fmt"
	"strings"
	"testing"

	"ringmq/broker/meta"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// progressSaved is what the table on disk has; -1: nothing.
func (r *rig) progressSaved(group, topic string, queue int32) int64 {
	r.t.Helper()
	doc, err := r.broker.store.LoadDoc(store.DocConsumerOffsets)
	if err != nil {
		r.t.Fatal(err)
	}
	table, err := meta.ParseOffsets(doc)
	if err != nil {
		r.t.Fatal(err)
	}
	if offset, ok := table.OffsetTable[topic+"@"+group][queue]; ok {
		return offset
	}
	return -1
}

// TestProgressBeyondANewMastersLog: a slave has copied what a group committed and not the messages, and becomes the master. The group does not pass
// over those that get their offsets, whether a client of it remembers where it was or asks.
func TestProgressBeyondANewMastersLog(t *testing.T) {
	t.Parallel()
	p, link := newLinkedPair(t, func(*Broker) {})
	m, s := p.master.dial(), p.slave.dial()
	send := func(c *client, body string) string {
		t.Helper()
		resp := c.call(sendTo("T", 0, "", body))
		want(t, resp, remoting.RespSuccess, "")
		return field(resp, "queueOffset")
	}
	for range 10 {
		send(m, "both")
	}
	p.master.visibleMax("T", 0, 10)
	p.copied()
	link.hold()
	for range 5 {
		send(m, "lost")
	}
	p.master.visibleMax("T", 0, 15)
	for group, offset := range map[string]int64{"Asks": 15, "Remembers": 15, "Behind": 4} {
		want(t, m.call(pullOf(group, "T", 0, 0, "*", 0)), remoting.RespSuccess, "FOUND")
		want(t, m.call(commit(group, "T", 0, offset)), remoting.RespSuccess, "")
		until(t, "progress is at the slave", func() bool {
			p.slave.broker.replication.sync.poke()
			_, topic := p.slave.broker.topics.Lookup("T")
			return topic && progressOf(s, group, "T", 0) == fmt.Sprint(offset)
		})
	}
	c := p.promote()
	if n := p.slave.broker.store.MaxOffset([]byte("T"), 0); n != 10 {
		t.Fatal("the new master begins at", n)
	}
	for group, offset := range map[string]int64{"Asks": 10, "Remembers": 10, "Behind": 4} {
		if got, saved := progressOf(c, group, "T", 0), p.slave.progressSaved(group, "T", 0); got != fmt.Sprint(offset) || saved != offset {
			t.Errorf("%s: progress %s, on disk %d, want %d", group, got, saved, offset)
		}
	}
	for i := range 3 {
		if at := send(c, "new"); at != fmt.Sprint(10+i) {
			t.Fatal("a new message at", at)
		}
	}
	p.slave.visibleMax("T", 0, 13)
	for group, first := range map[string]int64{"Asks": 10, "Remembers": 15} {
		resp := c.call(pullOf(group, "T", 0, first, "*", 0))
		want(t, resp, remoting.RespPullOffsetMoved, "OFFSET_RESET")
		if next := field(resp, "nextBeginOffset"); next != "10" {
			t.Errorf("%s is told to begin at %s", group, next)
		}
		resp = c.call(pullOf(group, "T", 0, 10, "*", 0))
		want(t, resp, remoting.RespSuccess, "FOUND")
		if n := strings.Count(string(resp.Body), "new"); n != 3 {
			t.Errorf("%s gets %d of 3 new messages", group, n)
		}
		want(t, c.call(commit(group, "T", 0, 12)), remoting.RespSuccess, "")
		if got := progressOf(c, group, "T", 0); got != "12" {
			t.Errorf("%s: progress %s", group, got)
		}
	}
}

// TestProgressBeyondTheEnd: a single broker, whose log may have lost its end with the power, sets progress back at its start where there is a
// queue or could be one, and leaves what it cannot judge.
func TestProgressBeyondTheEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	for range 3 {
		want(t, c.call(sendTo("T", 0, "", "x")), remoting.RespSuccess, "")
	}
	r.visibleMax("T", 0, 3)
	want(t, c.call(pullOf("G", "T", 0, 0, "*", 0)), remoting.RespSuccess, "FOUND")
	want(t, c.call(commit("G", "T", 0, 7)), remoting.RespSuccess, "")
	want(t, c.call(commit("G", "T", 1, 5)), remoting.RespSuccess, "")
	r.broker.offsets.Commit([]byte("G"), []byte("Elsewhere"), 0, 9)
	r.stopBroker()
	r.startBroker()
	for _, q := range []struct {
		topic string
		queue int
		now   int64
	}{{"T", 0, 3}, {"T", 1, 0}, {"Elsewhere", 0, 9}} {
		if got, ok := r.broker.offsets.Query([]byte("G"), []byte(q.topic), int32(q.queue)); !ok || got != q.now {
			t.Errorf("%s %d: progress %d %t, want %d", q.topic, q.queue, got, ok, q.now)
		}
		if saved := r.progressSaved("G", q.topic, int32(q.queue)); saved != q.now {
			t.Errorf("%s %d: %d on disk, want %d", q.topic, q.queue, saved, q.now)
		}
	}
}
