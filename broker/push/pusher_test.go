package push

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// started is a pusher in a bubble of synctest, with its log.
func started(e *fake, interval time.Duration) (*Pusher, *shown, *bytes.Buffer) {
	s, log := newShown(), &bytes.Buffer{}
	p := New(Options{Gatherer: s, Interval: interval, Began: time.Now(), Exporter: e, Logger: slog.New(slog.NewTextHandler(log, nil))})
	p.Start()
	return p, s, log
}

// TestInterval: a push an interval, and a last one at the end.
func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fake{}
		p, s, _ := started(e, time.Minute)
		synctest.Wait()
		if e.count() != 0 {
			t.Error("pushed before the first interval was over")
		}
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if n := e.count(); n != 10 {
			t.Error(n, "pushes")
		}
		s.in.WithLabelValues("T").Add(3)
		p.Close(context.Background())
		if at, ok := e.last()[inT]; !ok || at.Value() != 3 || e.count() != 11 || !e.closed {
			t.Error("the last push:", e.count(), e.last())
		}
		if done, failed := p.Pushes(); done != 11 || failed != 0 {
			t.Error(done, failed)
		}
	})
}

// TestOutageIsToldOnce when it begins and once when it ends, however long it lasts.
func TestOutageIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fake{fails: func(context.Context, int) error { return errors.New("nobody there") }}
		p, _, log := started(e, time.Minute)
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		e.mu.Lock()
		e.fails = nil
		e.mu.Unlock()
		time.Sleep(5 * time.Minute)
		p.Close(context.Background())
		if done, failed := p.Pushes(); done != 6 || failed != 10 {
			t.Error(done, failed)
		}
		text := log.String()
		if n := strings.Count(text, "metrics are not taken"); n != 1 || !strings.Contains(text, `error="nobody there"`) {
			t.Error(text)
		}
		if n := strings.Count(text, "metrics are taken again"); n != 1 || !strings.Contains(text, "pushesFailed=10 after=10m0s") {
			t.Error(text)
		}
	})
}

// TestMuteCollector: pushes that would begin while one waits are left out, and Close waits for a second.
func TestMuteCollector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &fake{fails: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }}
		p, _, _ := started(e, time.Minute)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := e.count(); n != 1 {
			t.Error(n, "pushes at a time")
		}
		at := time.Now()
		p.Close(context.Background())
		if took := time.Since(at); took != flushTime || !e.closed {
			t.Error(took)
		}
	})
}

// TestCloseWithinItsContext: nobody waits for metrics when the broker's own time is over.
func TestCloseWithinItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _, _ := started(&fake{fails: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() }}, time.Minute)
		time.Sleep(time.Minute)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		at := time.Now()
		if p.Close(ctx); time.Since(at) != time.Millisecond {
			t.Error(time.Since(at))
		}
	})
}
