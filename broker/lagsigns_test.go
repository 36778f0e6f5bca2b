package broker

import (
	"strings"
	"testing"
	"time"

	"ringmq/broker/lag"
	"ringmq/netpoll/remoting"
)

// TestLagCauses judges signs: each cause by what shows it, and which comes first.
func TestLagCauses(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_700_000_000_000)
	cold := &lag.Cold{Read: 50, Limit: 50, AllRead: 60, AllLimit: 900}
	failing := lag.Returns{Back: 5, Out: 10}
	hiding := slowness{cause: lag.ReplicationSlow, evidence: []string{"slaves lack much"}, hides: true}
	type look struct {
		s lag.State
		f lag.Figures
		g lagSigns
	}
	still := func(l *look, d time.Duration) { l.f.StillSince = now.Add(-d) }
	for _, one := range []struct {
		cause  string
		shown  string
		change func(l *look)
	}{
		{lag.Slow, "2.0 messages a second come in, 0.0 are consumed", func(*look) {}},
		{lag.Slow, "queue 1 has most of it: 7 behind at offset 3", func(*look) {}},
		{lag.Slow, "for 1m30s more has come in than was consumed", func(l *look) { l.f.SlowerSince = now.Add(-90 * time.Second) }},
		{lag.Surge, "in the last hour 1.0 came in and 0.0 were handed out", func(l *look) { l.g.rates.UsualIn = 1 }},
		{lag.CatchingUp, "4.0 are consumed", func(l *look) { l.f.Out, l.g.rates.Out = 4, 4 }},

		{lag.NoConsumer, "no client of the group is connected", func(l *look) { l.s.Members = 0 }},
		{lag.NoConsumer, "queue 0: 3 behind at offset 1, no progress for 9s", func(l *look) { l.s.Members = 0; still(l, 9*time.Second) }},
		{lag.NoConsumer, "", func(l *look) {
			*l = look{f: lag.Figures{Diff: 10, Hidden: 10}, g: lagSigns{now: now, reads: "slow", slow: hiding, cold: cold, returns: failing}}
		}},

		{lag.Slow, "", func(l *look) { still(l, 59*time.Second) }},
		{lag.Slow, "", func(l *look) { still(l, 59*time.Second); l.g.handedOut = true }},
		{lag.NotPulling, "queue 0: 3 behind at offset 1, no progress for 1m0s", func(l *look) { still(l, time.Minute) }},
		{lag.Stuck, "queue 0: 3 behind at offset 1, no progress for 1m0s", func(l *look) { still(l, time.Minute); l.g.handedOut = true }},

		{lag.BrokerSlow, "the disk is slow", func(l *look) {
			l.g.reads = "the disk is slow"
			still(l, time.Hour)
			l.g.handedOut = true
			l.g.cold = cold
		}},
		{lag.ReplicationSlow, "slaves lack much", func(l *look) { l.g.slow, l.f.Hidden = hiding, 5; still(l, time.Hour) }},
		{lag.NotPulling, "", func(l *look) { l.g.slow, l.f.Hidden = hiding, 4; still(l, time.Hour) }},
		{lag.BrokerSlow, "no more messages", func(l *look) {
			l.g.slow = slowness{cause: lag.BrokerSlow, evidence: []string{"the log takes no more messages"}}
		}},

		{lag.ColdLimit, cold.String(), func(l *look) { l.g.cold = cold }},
		{lag.ColdLimit, "", func(l *look) { l.g.cold = cold; still(l, time.Hour) }}, // it asks, and gets nothing
		{lag.Stuck, "", func(l *look) { l.g.cold = cold; still(l, time.Hour); l.g.handedOut = true }},
		{lag.ColdLimit, "", func(l *look) { l.g.cold, l.g.returns = cold, failing }},
		{lag.CatchingUp, "", func(l *look) { l.g.cold = cold; l.f.Out, l.g.rates.Out = 4, 4 }},

		{lag.Failing, failing.String(), func(l *look) { l.g.returns = failing }},
		{lag.Failing, "", func(l *look) { l.g.returns = failing; l.f.Out, l.g.rates.Out = 4, 4 }}, // what is given back counts as consumed
		{lag.Slow, "", func(l *look) { l.g.returns = lag.Returns{Back: 4, Out: 10} }},
		{lag.Stuck, "", func(l *look) { l.g.returns = failing; still(l, time.Hour); l.g.handedOut = true }},
	} {
		l := look{
			s: lag.State{Group: "G", Topic: "T", Diff: 10, Members: 1},
			f: lag.Figures{Diff: 10, In: 2, Still: lag.Queue{ID: 0, Max: 4, Committed: 1}, StillSince: now, Most: lag.Queue{ID: 1, Max: 10, Committed: 3}},
			g: lagSigns{now: now, rates: lag.Rates{In: 2}},
		}
		one.change(&l)
		l.s.Cause, l.s.Evidence = l.g.cause(&l.s, &l.f)
		if wantCause(t, l.s, one.cause, one.shown); len(l.s.Evidence) == 0 {
			t.Errorf("nothing shows %s", one.cause)
		}
	}
}

// TestLagOfFailingListener: half of what it was handed out comes back, and then less.
func TestLagOfFailingListener(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	r.join()
	r.commit(0, 0)
	r.commit(1, 0)
	r.send(20)
	handed := r.c.call(pullOf("G", "T", 0, 0, "*", 0)).Body // the ten of queue 0
	for range 5 {
		want(t, r.c.giveBack(t, handed, 18), 0, "")
	}
	r.commit(0, 10)
	r.broker.stats.Sample(time.Now().Add(11 * time.Minute)) // the next sample is due after that
	r.turn(0)
	wantCause(t, r.state(), lag.Failing, "5 messages were given back in the last minute, 10 were handed out")
	if q := r.state().Queue; q != nil {
		t.Errorf("a queue is blamed: %+v", q)
	}
	want(t, r.c.call(pullOf("G", "T", 1, 0, "*", 0)), 0, "FOUND")
	r.c.call(request(remoting.CodeGetMaxOffset, "topic", "T", "queueId", 0)) // the turn that answered the pull is over, and counted
	r.broker.stats.Sample(time.Now().Add(22 * time.Minute))
	r.turn(lagLookEvery)
	wantCause(t, r.state(), lag.Slow)
}

// TestLagOfColdLimit: a pull that is kept back because its group has read enough from the disk is why the group is behind, until the look after.
func TestLagOfColdLimit(t *testing.T) {
	t.Parallel()
	r, f := coldStoreAltered(t, 100, Options{}, func(b *Broker) { b.lags.every = time.Hour }, "coldDataFlowControlEnable=true", "cgColdReadThreshold=1000", "lagAlarmMessages=5")
	f.SetCold(inLog(1 << 30))
	c := r.dial()
	want(t, c.call(beat("the-client", "G", "Cold", "*", 1)), 0, "")
	want(t, c.call(commit("G", "Cold", 0, 3)), 0, "")
	if a := c.call(pullOf("G", "Cold", 0, 3, "*", 0)); a.Code != remoting.RespSuccess {
		t.Fatal(a.Code, string(a.Remark))
	}
	r.broker.coldControl.setLimit("G", 0) // from here on it has read enough, whatever the clock says
	f.SetCold(func(name string, _, _ int64) bool { return strings.Contains(name, "/consumequeue/") })
	want(t, c.call(pullOf("G", "Cold", 0, 3, "*", 0)), remoting.RespSystemBusy, coldRefusal)
	w, now := r.broker.lags, time.Now()
	w.turn(now)
	wantCause(t, theOnly(t, w), lag.ColdLimit, "the group may read 0 bytes in five seconds that are not in memory")
	w.turn(now.Add(lagLookEvery))
	wantCause(t, theOnly(t, w), lag.Slow)
}

// theOnly is what the newest look found of G, which has consumed from one topic.
func theOnly(t *testing.T, w *lagWatch) lag.State {
	t.Helper()
	for _, s := range *w.last.Load() {
		if s.Group == "G" {
			return s
		}
	}
	t.Fatal("the look found nothing")
	return lag.State{}
}
