package member

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// toldAt notes when groups are told.
type toldAt struct {
	*Notices
	began time.Time
	mu    sync.Mutex
	times map[string][]time.Duration
	busy  map[string]bool
	takes time.Duration // telling
}

func newToldAt(t *testing.T) *toldAt {
	w := &toldAt{began: time.Now(), times: map[string][]time.Duration{}, busy: map[string]bool{}}
	w.Notices = NewNotices(func(group string) {
		w.mu.Lock()
		if w.busy[group] {
			t.Errorf("%s is told twice at once", group)
		}
		w.busy[group] = true
		w.times[group] = append(w.times[group], time.Since(w.began))
		w.mu.Unlock()
		time.Sleep(w.takes)
		w.mu.Lock()
		w.busy[group] = false
		w.mu.Unlock()
	})
	return w
}

func (w *toldAt) of(group string) []time.Duration {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.times[group])
}

// TestNotices: a quiet group is told at once, one that goes on changing once in an interval, and of the last change too.
func TestNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		w := newToldAt(t)
		want := func(group string, times ...time.Duration) {
			t.Helper()
			if got := w.of(group); !slices.Equal(got, times) {
				t.Errorf("%s was told at %v, want %v", group, got, times)
			}
		}
		w.Changed("g")
		want("g", 0)
		time.Sleep(5 * ms)
		w.Changed("g")
		w.Changed("other")
		want("g", 0)
		want("other", 5*ms)
		time.Sleep(5 * ms)
		w.Changed("g")
		time.Sleep(10 * ms)
		want("g", 0, 20*ms)
		time.Sleep(30 * ms) // 50
		want("g", 0, 20*ms)
		if len(w.recent) != 0 || w.resting != nil || w.timer != nil {
			t.Error("left over:", w.recent, w.resting)
		}
		w.Changed("g")
		want("g", 0, 20*ms, 50*ms)
		for range 95 { // until 145
			time.Sleep(ms)
			w.Changed("g")
		}
		time.Sleep(time.Second)
		want("g", 0, 20*ms, 50*ms, 70*ms, 90*ms, 110*ms, 130*ms, 150*ms)
		want("other", 5*ms)
		w.Changed("g")
		w.Changed("g")
		w.Close()
		w.Changed("g")
		time.Sleep(time.Second)
		if n := len(w.of("g")); n != 9 {
			t.Errorf("told %d times, 9 before the end", n)
		}
	})
}

// TestNoticesThatTakeLong: a change that comes while others are being told of the one before is told of afterwards.
func TestNoticesThatTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newToldAt(t)
		w.takes = 50 * time.Millisecond
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() { w.Changed(fmt.Sprint("g", i%2)) })
		}
		all.Wait()
		time.Sleep(time.Second)
		for _, group := range []string{"g0", "g1"} {
			got := w.of(group)
			if len(got) != 2 || got[0] != 0 || got[1] < 70*time.Millisecond || got[1] > 120*time.Millisecond {
				t.Error(group, got)
			}
		}
		// Close waits for those who are being told.
		began := time.Now()
		all.Go(func() { w.Changed("g0") })
		synctest.Wait()
		w.Close()
		if d := time.Since(began); d != w.takes {
			t.Error("closed after", d)
		}
		all.Wait()
	})
}

// TestAGroupThatEndsAtOnce: who leaves a group of many costs a look at itself, and the others are told a few times.
func TestAGroupThatEndsAtOnce(t *testing.T) {
	const members = 10_000
	synctest.Test(t, func(t *testing.T) {
		var notices atomic.Int64
		m := New(time.Now)
		told := NewNotices(func(group string) { notices.Add(int64(len(m.Conns(group)))) })
		changed := func(groups []string) {
			for _, g := range groups {
				told.Changed(g)
			}
		}
		for conn := range uint64(members) {
			_, groups := m.Heartbeat(client(conn, "c"), beat("g", sub("T", 1)), always)
			changed(groups)
		}
		for conn := range uint64(members) {
			changed(m.ConnClosed(conn, always))
			if conn%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		if n := notices.Load(); n > 10*members {
			t.Errorf("%d notices", n)
		}
		if len(m.Conns("g")) != 0 {
			t.Error("left over:", m.Conns("g"))
		}
		told.Close()
	})
}
