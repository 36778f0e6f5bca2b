package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/replica"
	"ringmq/store"
)

// TestHeldDelays: a document is taken when the log has what it speaks of, not before, and no newer one keeps it from that.
func TestHeldDelays(t *testing.T) {
	type step struct {
		text      string
		end, have int64
		take      string
	}
	for name, c := range map[string]struct {
		steps []step
		waits string
	}{
		"nothing is under way":        {[]step{{"A", 10, 10, "A"}, {"A", 10, 10, "A"}, {"B", 20, 20, "B"}}, ""},
		"the log is behind":           {[]step{{"A", 20, 10, ""}, {"A", 20, 19, ""}, {"A", 20, 20, "A"}}, ""},
		"always a little behind":      {[]step{{"A", 20, 10, ""}, {"B", 30, 25, "A"}, {"C", 40, 35, "B"}}, "C"},
		"far behind":                  {[]step{{"A", 100, 10, ""}, {"B", 200, 50, ""}, {"C", 300, 99, ""}, {"D", 400, 100, "A"}, {"E", 500, 400, "D"}}, "E"},
		"both may be taken":           {[]step{{"A", 20, 10, ""}, {"B", 30, 30, "B"}}, ""},
		"the log grows by other ones": {[]step{{"A", 10, 10, "A"}, {"A", 20, 10, ""}}, ""},
		"the log is no copy":          {[]step{{"A", 0, notCopied, ""}, {"B", 20, notCopied, ""}}, "A"},
		"the end is not known":        {[]step{{"A", unknownEnd, 1000, ""}, {"B", unknownEnd, 1000, ""}}, "A"},
	} {
		var h heldDelays
		for i, s := range c.steps {
			if take := h.next(&delayDoc{text: []byte(s.text), end: s.end}, s.have); string(take) != s.take {
				t.Errorf("%s, step %d: %q is taken, want %q", name, i, take, s.take)
			}
		}
		waits := ""
		if h.waits != nil {
			waits = string(h.waits.text)
		}
		if waits != c.waits {
			t.Errorf("%s: %q waits, want %q", name, waits, c.waits)
		}
	}
}

// delayedTo is how far the first level has come.
func (r *rig) delayedTo() int64 {
	for _, p := range r.broker.delay.Progress() {
		if p.Level == 1 {
			return p.Next
		}
	}
	return 0
}

// TestDelaysComeWithTheLog: the log is kept from a slave when its master delivers a delayed message. The slave does not take over that it was
// delivered, and delivers it when it is the master.
func TestDelaysComeWithTheLog(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	p, link := newLinkedPair(t, func(b *Broker) {
		answers := b.handlers[remoting.CodeGetAllDelayOffset].worker
		b.handlers[remoting.CodeGetAllDelayOffset].worker = func(c *netpoll.Conn, req *remoting.Command) answer {
			asked.Add(1)
			return answers(c, req)
		}
	}, "messageDelayLevel=2s", "haSendHeartbeatInterval=50")
	m, slave := p.master.dial(), p.slave.broker
	looks := func(what string, done func() bool) {
		t.Helper()
		until(t, what, func() bool {
			slave.replication.sync.poke()
			return done()
		})
	}
	queue := []byte("T")
	sent := int64(0)
	send := func() {
		t.Helper()
		want(t, m.call(sendTo("T", 0, "DELAY\x011\x02", fmt.Sprint("later", sent))), remoting.RespSuccess, "")
		sent++
		until(t, "it waits at the slave", func() bool { return slave.store.MaxOffset([]byte(store.DelayTopic), 0) == sent })
	}
	send()
	p.master.visibleMax("T", 0, 1)
	looks("the slave has the log and takes the progress over", func() bool { return p.slave.delayedTo() == 1 })

	// The next one waits at the slave and is delivered where the slave does not see it. On a slow machine that takes more than one.
	for {
		send()
		link.hold()
		if p.master.broker.store.NextOffset(queue, 0) < sent {
			break
		}
		link.release()
	}
	p.master.visibleMax("T", 0, sent)
	until(t, "it counts as delivered", func() bool { return p.master.delayedTo() == sent })
	after := asked.Load()
	looks("the slave has asked, with the answer before taken in", func() bool { return asked.Load() >= after+4 })
	if n := slave.store.MaxOffset(queue, 0); n >= sent || p.slave.delayedTo() > n {
		t.Fatalf("the slave has %d of %d messages delivered, and progress %d", n, sent, p.slave.delayedTo())
	}
	doc, err := slave.store.LoadDoc(store.DocDelayOffsets)
	var plain bytes.Buffer
	if err != nil || json.Compact(&plain, doc) != nil || strings.Contains(plain.String(), fmt.Sprintf(`"offsetTable":{"1":%d`, sent)) {
		t.Fatalf("%s, %v", doc, err)
	}

	c := p.promote()
	p.slave.visibleMax("T", 0, sent)
	until(t, "the topic is open", func() bool {
		return strings.Contains(string(c.call(pullOf("G", "T", 0, 0, "*", 0)).Body), fmt.Sprint("later", sent-1))
	})
}

// TestDelaysOfAStockMaster: how far a stock master is with delayed messages is taken over when this slave's log has what the master's had a
// little later.
func TestDelaysOfAStockMaster(t *testing.T) {
	t.Parallel()
	const end = 4096
	m := newRecordedMaster(t)
	m.answers[remoting.CodeGetBrokerRuntimeInfo] = [][]byte{remoting.AppendCommand(nil, &remoting.Command{Flag: 1, Body: fmt.Appendf(nil, `{"table":{"commitLogMaxOffset":"%d"}}`, end)})}
	f := &farFollower{}
	f.state.Store(&replica.FollowerState{Master: "127.0.0.1:9", Connected: true, LastRead: time.Now().Add(time.Hour)})
	b := m.slave(Options{follow: func(replica.FollowerOptions) follower { return f }}).broker
	asked := func(code int32) int {
		b.replication.sync.poke()
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.asked[code]
	}
	until(t, "the end of the log is asked for", func() bool { return asked(remoting.CodeGetBrokerRuntimeInfo) > 0 })
	before := asked(remoting.CodeGetAllDelayOffset)
	until(t, "and progress after it", func() bool { return asked(remoting.CodeGetAllDelayOffset) >= before+3 })
	if p := b.delay.Progress(); len(p) > 0 {
		t.Errorf("taken over without the log: %v", p)
	}
	for b.store.LogMax() < end {
		if _, err := b.store.Append(&store.Message{Topic: []byte("T"), Body: make([]byte, 100)}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "taken over", func() bool {
		asked(remoting.CodeGetAllDelayOffset)
		var delays struct {
			OffsetTable map[int]int64 `json:"offsetTable"`
		}
		return remoting.Unmarshal(b.delay.Document(), &delays) == nil && delays.OffsetTable[1] == 2 && delays.OffsetTable[3] == 2
	})
}

// TestProgressOfAMasterThatRefuses: a slave whose log is refused asks for no progress.
func TestProgressOfAMasterThatRefuses(t *testing.T) {
	t.Parallel()
	m := newRecordedMaster(t)
	f := &farFollower{}
	f.state.Store(&replica.FollowerState{Master: "127.0.0.1:9", Refused: "other bytes"})
	b := m.slave(Options{follow: func(replica.FollowerOptions) follower { return f }}).broker
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := newSynchronizer(b)
	defer s.hangUp()
	if err := s.connect(ctx, m.ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	asked := func() int {
		t.Helper()
		if err := s.progress(ctx); err != nil {
			t.Fatal(err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.asked[remoting.CodeGetAllDelayOffset] + m.asked[remoting.CodeGetAllConsumerOffset]
	}
	if n := asked(); n > 0 {
		t.Errorf("progress was asked for %d times", n)
	}
	f.state.Store(&replica.FollowerState{Master: "127.0.0.1:9", Connected: true})
	if n := asked(); n < 2 {
		t.Errorf("progress was asked for %d times when the log is copied", n)
	}
}
