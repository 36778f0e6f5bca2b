package broker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// TestPullsBeyondTheBoundAreAnsweredAtOnce: what all connections together hold is bounded.
func TestPullsBeyondTheBoundAreAnsweredAtOnce(t *testing.T) {
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.holds.bytes = netpoll.NewBudget(1500) })
	want(t, r.dial().call(sendTo("Bound", 0, "", "1")), 0, "")
	r.visibleMax("Bound", 0, 1)
	c, other := r.dial(), r.dial()
	first := c.start(pullOf("G", "Bound", 0, 1, "*", 10*time.Minute))
	r.heldNow(1)
	var tags strings.Builder
	for i := range 500 {
		fmt.Fprintf(&tags, "A%d||", i)
	}
	big := pullOf("G", "Bound", 0, 1, tags.String(), 10*time.Minute)
	want(t, other.call(big), remoting.RespPullNotFound, "OFFSET_OVERFLOW_ONE") // held it would not be answered while the test waits
	want(t, c.call(sendTo("Bound", 0, "", "2")), 0, "")
	if got := bodies(t, await(t, first)); len(got) != 1 || got[0] != "2" {
		t.Fatal(got)
	}
	if n := r.broker.holds.bytes.Held(); n != 0 {
		t.Fatal(n, "bytes held for nobody")
	}
}

// TestSendsThatWaitAreBounded: with no room for clones a connection is not read from until its topic is there, and nothing is lost,
// changed in its order, or held for ever.
func TestSendsThatWaitAreBounded(t *testing.T) {
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startBroker()
	taken := maxPendingBytes - 4<<10 // room for a few
	if !r.broker.pending.Take(taken) {
		t.Fatal("no room")
	}
	for _, topic := range []string{"Small", "Large"} {
		w := r.wire()
		const sends = 100
		cmd := sendTo(topic, 0, "", strings.Repeat("b", map[string]int{"Small": 10, "Large": 10 << 10}[topic]))
		go func() { _, _ = w.conn.Write(encoded(sends, cmd)) }()
		for i := range sends {
			w.exchange(nil, 1)
			if a := w.answer(); a.Code != 0 || a.Opaque != int32(i) {
				t.Fatal(topic, i, a.Code, string(a.Remark), a.Opaque)
			}
		}
	}
	if n := r.broker.pending.Held(); n != int64(taken) {
		t.Fatal(n-int64(taken), "bytes held for nobody")
	}
	// A request for a worker is refused as when its queue is full.
	large := request(remoting.CodeQueryMessage, "topic", "Small", "key", "k", "maxNum", 1, "beginTimestamp", 0, "endTimestamp", 1)
	large.Body = make([]byte, 8<<10)
	want(t, r.dial().call(large), busy.Code, busy.Remark)
	r.broker.pending.Give(taken)
	if a := r.dial().call(large); a.Code == busy.Code {
		t.Fatal(a.Code)
	}
}
