package broker

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestHeldPullGetsWhatArrivesTogether: a pull is woken by all that became visible at once, not by the first of it.
func TestHeldPullGetsWhatArrivesTogether(t *testing.T) {
	r := newRig(t)
	c, p := r.dial(), r.dial()
	const items = 20
	batch := sendTo("Together", 0, "", batchBody(items))
	batch.Code = remoting.CodeSendBatchMessage
	batch.Ext[len(batch.Ext)-1].Value = []byte("true")
	want(t, p.call(batch), 0, "")
	for round := int64(1); round <= 50; round++ {
		r.visibleMax("Together", 0, round*items)
		held := c.start(pullOf("G", "Together", 0, round*items, "*", time.Minute))
		r.heldNow(1)
		want(t, p.call(batch), 0, "")
		if a := await(t, held); len(bodies(t, a)) != items || a.Text("nextBeginOffset") != strconv.FormatInt((round+1)*items, 10) {
			t.Fatal("round", round, a.Code, len(bodies(t, a)), a.Text("nextBeginOffset"))
		}
	}
}

// TestHeldPullsEndInTheirOrder: whatever was held first, the shortest ends first, and none before its time.
func TestHeldPullsEndInTheirOrder(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t)
	c := r.dial()
	want(t, c.call(sendTo("Order", 0, "", "1")), 0, "")
	r.visibleMax("Order", 0, 1)
	answers := map[time.Duration]<-chan *remoting.Command{}
	for _, hold := range []time.Duration{600 * time.Millisecond, 200 * time.Millisecond, 20 * time.Second, 400 * time.Millisecond} {
		answers[hold] = r.dial().start(pullOf("G", "Order", 0, 1, "*", hold))
		r.heldNow(int64(len(answers)))
	}
	for i, hold := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 600 * time.Millisecond} {
		s.add(200*time.Millisecond - 1)
		r.broker.holds.expire()
		if n := r.broker.holds.count.Load(); n != int64(len(answers)-i) {
			t.Fatal(n, "are held right before the end of", hold)
		}
		s.add(1) // from now on the alarm, which rings by a clock of its own, ends it
		want(t, await(t, answers[hold]), remoting.RespPullNotFound, "OFFSET_OVERFLOW_ONE")
		r.heldNow(int64(len(answers) - i - 1))
	}
}

// TestHoldingAllocatesNothing: a pull that waits uses what an earlier one has used.
func TestHoldingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	r := newRig(t)
	want(t, r.dial().call(sendTo("Waits", 0, "", "1")), 0, "")
	r.visibleMax("Waits", 0, 1)
	const pulls = 64
	frames := encoded(pulls, pullOf("G", "Waits", 0, 1, "A || B", time.Millisecond))
	w := r.wire()
	turn := func() {
		if _, err := w.conn.Write(frames); err != nil {
			t.Fatal(err)
		}
		for range pulls {
			w.exchange(nil, 1)
		}
	}
	for range 20 {
		turn()
	}
	const wakes = 0.4 // of an allocation per pull: what it costs to wake the loop, for one pull or for many
	if n := mallocs(30, pulls, turn); n > wakes {
		t.Errorf("%.3f allocations per held pull", n)
	}
	if a := w.answer(); a.Code != remoting.RespPullNotFound {
		t.Fatal(a.Code, string(a.Remark))
	}
	r.heldNow(0)
	if n := r.broker.holds.bytes.Held(); n != 0 {
		t.Fatal(fmt.Sprint(n, " bytes held for nobody"))
	}
}

// TestHeldPullsKeepNoSubscription: of that only the codes are asked for later.
func TestHeldPullsKeepNoSubscription(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	waiting := c.start(pullOf("G", "T", 0, 1, strings.Repeat(" ", 60<<10)+"A", time.Minute))
	r.heldNow(1)
	if n := r.broker.holds.bytes.Held(); n > 4<<10 {
		t.Error("held bytes:", n)
	}
	want(t, c.call(sendTo("T", 0, "TAGS\x01A\x02", "y")), 0, "")
	if got := bodies(t, await(t, waiting)); len(got) != 1 || got[0] != "y" {
		t.Error(got)
	}
}

// TestIdleQueuesAreForgottenTogether: a table of very many queues on which nothing is held is looked through once for as many as were
// added, and those with pulls stay.
func TestIdleQueuesAreForgottenTogether(t *testing.T) {
	hs := newHolds(&Broker{})
	busy := hs.addQueue(holdKey{"busy", 0})
	busy.list, hs.idle = append(busy.list, &heldPull{}), hs.idle-1
	for id := range int32(3 * maxIdleQueues) {
		hs.addQueue(holdKey{"idle", id})
		if hs.idle > maxIdleQueues || len(hs.byKey) != hs.idle+1 {
			t.Fatal(id, hs.idle, len(hs.byKey))
		}
	}
	if hs.byKey[holdKey{"busy", 0}] != busy {
		t.Error("a queue with a pull was forgotten")
	}
}
