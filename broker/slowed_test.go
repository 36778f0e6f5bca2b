package broker

import (
	"strings"
	"testing"
	"time"

	"ringmq/broker/quota"
	"ringmq/netpoll/remoting"
)

// TestASlowedPullCommitsOnce, as it comes: while it is offered again and again a new owner of the queue has committed more.
func TestASlowedPullCommitsOnce(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t, "clientPullMaxBytesPerSecond=1000")
	c := r.dial()
	for range 2 {
		want(t, c.call(sendTo("T", 0, "", strings.Repeat("x", 5_000))), 0, "")
	}
	r.visibleMax("T", 0, 2)
	w := r.wire()
	w.exchange(encoded(1, iAm("old owner")), 1)
	committing := request(remoting.CodePullMessage, "consumerGroup", "G", "topic", "T", "queueId", 0, "queueOffset", 0, "maxMsgNums", 32,
		"sysFlag", remoting.PullSubscription|remoting.PullSuspend|remoting.PullCommitOffset, "commitOffset", 1, "suspendTimeoutMillis", 60_000,
		"subscription", "*", "expressionType", "TAG", "subVersion", 0)
	// The first is answered, so many wait, and one more does not fit.
	frames := append(encoded(1+maxSlowedPulls, pullOf("G", "T", 0, 0, "*", time.Minute)), encoded(1, committing)...)
	if _, err := w.conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	waits := func() bool { return s.pending() == 2 && r.broker.net.Stats().Paused == 1 }
	until(t, "the last is held", waits)
	offset := func() int64 {
		n, _ := r.broker.offsets.Query([]byte("G"), []byte("T"), 0)
		return n
	}
	if n := offset(); n != 1 {
		t.Fatal("as it came it committed", n)
	}
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "T", "queueId", 0, "commitOffset", 2)), 0, "")
	for range 3 {
		s.step()
		s.step()
		until(t, "it was offered again", func() bool { return s.pending() == 2 })
		if n := offset(); n != 2 {
			t.Fatal("it committed again:", n)
		}
	}
	r.keys("clientPullMaxBytesPerSecond=0")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		w.exchange(nil, maxSlowedPulls+2)
	}()
	done := func() bool {
		select {
		case <-answered:
			return true
		default:
			return false
		}
	}
	for !done() {
		until(t, "a wait, or the end", func() bool { return s.pending() > 0 || done() })
		if s.pending() > 0 {
			s.step()
		}
	}
	if n := offset(); n != 2 {
		t.Error("at the end it committed", n)
	}
}

// TestASendDoesNotWaitForEver: the client's other connections use all that it may use each time, and still a send is taken after ten seconds.
func TestASendDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t, "clientSendMaxMessagesPerSecond=1")
	want(t, r.dial().call(sendTo("T", 0, "", "first")), 0, "")
	c := r.dial()
	want(t, c.call(iAm("one")), 0, "")
	others := r.broker.clients.Join("one", s.uptime(), nil)
	use := func() {
		others.Charge(&quota.Counts{quota.SendMessages: 100}, &r.broker.inForce.get().quotas, s.uptime())
	}
	for n := range int64(3) {
		use()
		began := s.uptime()
		answer := c.start(sendTo("T", 0, "", "x"))
		for len(answer) == 0 {
			until(t, "it waits, or is answered", func() bool { return s.pending() == 1 || len(answer) == 1 })
			if s.uptime()-began > quota.MaxDebt {
				t.Fatal("it waits after ", s.uptime()-began)
			}
			if s.pending() == 1 {
				use()
				s.step()
			}
		}
		want(t, <-answer, 0, "")
		if took := s.uptime() - began; took != quota.MaxDebt {
			t.Error("taken after ", took)
		}
		if waits := r.broker.quotaWaits.sends.Load(); waits != n+1 {
			t.Error(waits, "sends waited, by the count")
		}
	}
}

// TestSendBacksCountAsSends: in what the client used, and in what it has to wait for.
func TestSendBacksCountAsSends(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t, "clientSendMaxMessagesPerSecond=1")
	want(t, r.dial().call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	c := r.dial()
	want(t, c.call(beat("consumer", "G", "T", "*", 1)), 0, "")
	back := func() *remoting.Command {
		return request(remoting.CodeConsumerSendMsgBack, "group", "G", "offset", 0, "delayLevel", 0, "originTopic", "T")
	}
	want(t, c.call(back()), 0, "")
	second := c.start(back())
	until(t, "the second waits", func() bool { return s.pending() == 1 })
	if len(second) > 0 || r.broker.quotaWaits.sends.Load() != 1 {
		t.Fatal(len(second), r.broker.quotaWaits.sends.Load())
	}
	s.step()
	want(t, await(t, second), 0, "")
	until(t, "what was used is told", func() bool {
		r.broker.tickClients()
		var n quota.Counts
		r.broker.clients.Each(func(name string, _ int64, used *quota.Counts) {
			if name == "consumer" {
				n = *used
			}
		})
		return n[quota.SendMessages] == 2 && n[quota.SendBytes] > 2*100
	})
}
