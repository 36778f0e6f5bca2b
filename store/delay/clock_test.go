package delay

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

// wall is a clock that a test sets; the bubble's own goes on beside it.
type wall struct{ ahead atomic.Int64 }

func (w *wall) set(year int) {
	w.ahead.Store(int64(time.Until(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))))
}

func (w *wall) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// beginAt is begin with a clock for both, store and service.
func beginAt(t *testing.T, f disk.FS, w *wall) *bench {
	o := testOptions(f)
	o.Clock = w.now
	return begin(t, o, func(c *Options) { c.Clock = w.now })
}

// takes sends a message that waits in a level, and says how long it waited.
func (b *bench) takes(level int, topic string) time.Duration {
	b.t.Helper()
	before, began := len(b.all()), time.Now()
	b.send(level, topic, 0)
	for time.Since(began) < time.Hour {
		time.Sleep(10 * time.Millisecond)
		if got := b.all(); len(got) > before {
			return got[before].at.Sub(began)
		}
	}
	b.t.Fatal("it is not delivered in an hour")
	return 0
}

// TestClockSetBack: of what waits when the clock is set back nothing comes early, and nothing later than by its delay. What is stored after
// that comes on time, while store timestamps stand still: a message that fails goes through its tries at their times.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock wall
		clock.set(2027)
		b := beginAt(t, disk.NewMemory(), &clock)
		began := time.Now()
		b.send(3, "Before", 0)
		time.Sleep(4 * time.Second)
		clock.ahead.Add(-int64(time.Hour))
		b.send(3, "Behind", 0)
		time.Sleep(time.Minute)
		got := b.all()
		if len(got) != 2 || got[0].topic != "Before" || got[1].topic != "Behind" {
			t.Fatalf("delivered: %v", got)
		}
		const delay = 10 * time.Second
		if d := got[0].at.Sub(began); d < delay || d > 2*delay {
			t.Errorf("what waited was delivered after %v", d)
		}
		if d := got[1].at.Sub(began) - 4*time.Second; d < delay || d > 2*delay {
			t.Errorf("what came behind was delivered after %v", d)
		}
		for range 16 {
			if d := b.takes(1, "Again"); d < time.Second || d > 1100*time.Millisecond {
				t.Errorf("a try came after %v", d)
			}
		}
		var sent []time.Time
		for range 5 { // while others wait
			sent = append(sent, time.Now())
			b.send(1, "Stream", 0)
			time.Sleep(400 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		for i, d := range b.all()[2+16:] {
			if late := d.at.Sub(sent[i]) - time.Second; late < 0 || late > 100*time.Millisecond {
				t.Errorf("%d of a stream is %v late", i, late)
			}
		}
		if stamp := b.s.StoreTimeAt([]byte("Again"), 0, 15); stamp <= clock.now().UnixMilli() {
			t.Errorf("store timestamps did not stand still: %v", time.UnixMilli(stamp).UTC())
		}
		b.end()
	})
}

// TestClockYearsAhead: one message that was stored by a clock that is years ahead spoils no delays, over restarts, and an hour later no store
// timestamps.
func TestClockYearsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock wall
		f := disk.NewMemory()
		clock.set(2038)
		b := beginAt(t, f, &clock)
		b.send(3, "Ahead", 0)
		b.all() // it is in its queue
		clock.set(2027)
		for round := range 3 {
			if round == 0 {
				if time.Sleep(20 * time.Second); len(b.all()) != 1 {
					t.Fatalf("delivered: %v", b.all())
				}
			}
			for level, delay := range store.DefaultDelayLevels()[:4] {
				if d := b.takes(level+1, "T"); d < delay || d > delay+100*time.Millisecond {
					t.Errorf("round %d: level %d is delivered after %v", round, level+1, d)
				}
			}
			b.end()
			b = beginAt(t, f, &clock)
		}
		latest := func() time.Time {
			return time.UnixMilli(b.s.StoreTimeAt([]byte("T"), 0, b.s.MaxOffset([]byte("T"), 0)-1)).UTC()
		}
		if b.takes(1, "T"); latest().Year() != 2038 {
			t.Errorf("store timestamps went back at once: %v", latest())
		}
		time.Sleep(time.Hour)
		if b.takes(1, "T"); latest().Year() != 2027 {
			t.Errorf("an hour later the store timestamp is %v", latest())
		}
		if d := b.takes(2, "T"); d < 5*time.Second || d > 5100*time.Millisecond {
			t.Errorf("then a level is delivered after %v", d)
		}
		b.end()
	})
}
