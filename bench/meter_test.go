package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// load counts a message and a failure every 100 ms.
func load(g *gauge) func(context.Context) error {
	return func(ctx context.Context) error {
		for wait(ctx, 100*time.Millisecond) {
			g.mu.Lock()
			g.done(time.Millisecond, 1, 10)
			g.failed("code 2")
			g.mu.Unlock()
		}
		return nil
	}
}

func TestMeterCountsAfterWarmUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := plain(func(w *Workload) {
			w.WarmUp, w.Duration = time.Second+50*time.Millisecond, 2*time.Second+700*time.Millisecond
		})
		ticks := 0
		m := newMeter(w, func(Second) { ticks++ })
		if err := m.beside(context.Background(), load(m.gauge())); err != nil {
			t.Fatal(err)
		}
		r := m.report("x")
		if r.Seconds != 2.7 || r.Messages != 27 || r.Bytes != 270 || r.PerSecond != 10 || r.Errors["code 2"] != 27 {
			t.Errorf("%g s, %d messages, %d bytes, %g a second, errors %v", r.Seconds, r.Messages, r.Bytes, r.PerSecond, r.Errors)
		}
		if len(r.Series) != 3 || ticks != 3 || r.Series[0].Messages != 10 || r.Series[2].Messages != 7 {
			t.Errorf("%d ticks, series %+v", ticks, r.Series)
		}
		if p := r.Latency.P50; p < 0.999 || p > 1.001 {
			t.Errorf("p50 is %g ms", p)
		}
	})
}

func TestMeterEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 1350*time.Millisecond)
		defer cancel()
		m := newMeter(plain(nil), nil)
		if err := m.beside(ctx, load(m.gauge())); err != nil {
			t.Fatal(err)
		}
		if r := m.report("x"); r.Seconds != 1.35 || r.Messages != 13 || len(r.Series) != 1 {
			t.Errorf("%g s, %d messages, %d seconds", r.Seconds, r.Messages, len(r.Series))
		}
	})
}

func TestMeterEndsWithAGenerator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(plain(nil), nil)
		broken := errors.New("broken")
		err := m.beside(context.Background(), load(m.gauge()), func(ctx context.Context) error {
			wait(ctx, 3*time.Second)
			return broken
		})
		if !errors.Is(err, broken) || m.ended.Sub(m.began) != 3*time.Second {
			t.Errorf("%v after %s", err, m.ended.Sub(m.began))
		}
	})
}

// TestMeterGivesUpInTheWarmUp: a report of no time has numbers in it all the same.
func TestMeterGivesUpInTheWarmUp(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := newMeter(plain(func(w *Workload) { w.WarmUp = time.Hour }), nil)
	if err := m.beside(ctx, load(m.gauge())); err != nil {
		t.Fatal(err)
	}
	if r := m.report("x"); r.Messages != 0 || r.PerSecond != 0 || r.Generator.Cores != r.Generator.Cores {
		t.Errorf("%+v", r)
	}
}
