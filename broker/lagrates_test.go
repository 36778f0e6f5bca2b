package broker

import (
	"sync/atomic"
	"testing"
	"time"

	"ringmq/broker/lag"
	"ringmq/broker/stats"
)

// TestLagByRates: the hour before had 60 messages. Less than twice as much with slower consumers are slow consumers; ten times as much
// with consumers that do what they did is a surge; and more out than in is catching up.
func TestLagByRates(t *testing.T) {
	t.Parallel()
	r := newLagRig(t)
	r.join()
	r.commit(0, 0)
	r.commit(1, 0)
	r.send(60)
	r.broker.stats.Sample(time.Now().Add(11 * time.Minute))
	if d, _ := r.broker.stats.Find(stats.TopicPutNums, "T"); d.StatsHour.Tps <= 0 || d.StatsHour.Tps > 0.1 {
		t.Fatal("an hour's rate of", d.StatsHour.Tps)
	}
	r.commit(0, 20)
	r.commit(1, 20)
	r.turn(0)
	r.send(12) // 0.02 a second
	r.commit(0, 22)
	r.commit(1, 22)
	r.turn(10 * time.Minute)
	wantCause(t, r.state(), lag.Slow, "0.0 messages a second come in", "queue 0 has most of it: 14 behind at offset 22", "for 10m0s more has come in than was consumed")
	if since := r.state().SlowerSince; !since.Equal(r.now.Add(-10 * time.Minute)) {
		t.Errorf("since %v, want ten minutes before %v", since, r.now)
	}
	r.w.histories = map[lag.Key]*lag.History{}
	r.turn(0)
	r.send(600)
	r.commit(0, 30)
	r.commit(1, 30)
	r.turn(10 * time.Minute)
	wantCause(t, r.state(), lag.Surge, "1.0 messages a second come in")
	r.w.histories = map[lag.Key]*lag.History{}
	r.turn(0)
	r.commit(0, 200)
	r.commit(1, 200)
	r.turn(time.Minute)
	wantCause(t, r.state(), lag.CatchingUp)
	if since := r.state().SlowerSince; !since.IsZero() {
		t.Errorf("a group that catches up is slower since %v", since)
	}
}

// TestLagAfterSilence: nothing came in within the hour before. A broker that ran all through it knows that what comes now is a surge; to one
// that did not, it may be as usual.
func TestLagAfterSilence(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var later atomic.Int64
	r.startAltered(func(b *Broker) {
		up := b.uptime
		b.lags.every, b.uptime = time.Hour, func() time.Duration { return up() + time.Duration(later.Load()) }
	}, "lagAlarmMessages=5")
	l := &lagRig{rig: r, c: r.dial(), w: newLagWatch(r.broker), now: time.Now()}
	l.makeTopic()
	r.broker.stats.Sample(time.Now().Add(11 * time.Minute)) // the next sample of an hour's is ten minutes from there
	l.join()
	l.commit(0, 0)
	l.commit(1, 0)
	l.turn(0)
	l.send(60)
	l.commit(0, 10)
	l.commit(1, 10)
	l.turn(10 * time.Minute)
	wantCause(t, l.state(), lag.Slow, "0.1 messages a second come in, 0.0 are consumed; what usually comes in this broker does not know yet")
	later.Store(int64(lag.UsualOver))
	l.turn(time.Second)
	wantCause(t, l.state(), lag.Surge, "0.1 messages a second come in, 0.0 are consumed; in the last hour 0.0 came in and 0.0 were handed out")
}
