package replica

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

// three is a master with two slaves of ours.
type three struct {
	l      *Leader
	master *store.Store
	slaves [2]*store.Store
	follow [2]*Follower
	// early counts moments at which something was visible while enough copies were said to be there and were not.
	early atomic.Int64
}

// newThree starts them; needs is how many copies a record must have at least where Agreed says that there are enough.
func newThree(t *testing.T, sync bool, o LeaderOptions, needs func(a Agreement) int) *three {
	t.Helper()
	r := &three{master: open(t, options(disk.NewMemory(), sync))}
	o.SlaveTimeout = time.Hour
	r.l = lead(t, r.master, o)
	for i := range r.slaves {
		r.slaves[i] = open(t, options(disk.NewMemory(), sync))
		r.join(t, i)
	}
	cancel := r.master.Visible().Subscribe(func(v int64, err error) {
		a := r.l.Agreed()
		if !a.Enough || err != nil {
			return
		}
		copies := 1
		for _, s := range r.slaves {
			if s.Sendable().Load() >= v {
				copies++
			}
		}
		if copies < needs(a) {
			r.early.Add(1)
		}
	})
	t.Cleanup(cancel)
	return r
}

func (r *three) join(t *testing.T, i int) {
	t.Helper()
	r.follow[i] = follow(t, r.slaves[i], r.l, FollowerOptions{ID: uint64(i + 1)})
}

// inStep waits for so many copies in step, the master's own included.
func (r *three) inStep(t *testing.T, n int, enough bool) {
	t.Helper()
	agreed(t, r.l, fmt.Sprintf("%d in step, enough: %v", n, enough), func(a Agreement) bool { return a.InStep == n && a.Enough == enough })
}

// TestTwoSlavesOfThreeCopies: with three copies asked for, a record is visible when both slaves have it. One that goes is enough for there to
// be too few: what waits is let go, at a time that its senders are told by, and both count again when it is back.
func TestTwoSlavesOfThreeCopies(t *testing.T) {
	for _, sync := range []bool{true, false} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			r := newThree(t, sync, LeaderOptions{Copies: 3, MinCopies: 2}, func(Agreement) int { return 3 })
			r.inStep(t, 3, true)
			end := put(t, r.master, 0, 400)
			arrive(t, r.master, end)
			if a := r.l.Agreed(); a.Offset != end || a.Refuses {
				t.Errorf("%+v, the log ends at %d", a, end)
			}
			for round := range 4 {
				i := round % 2
				before := r.l.Uptime()
				r.follow[i].Close()
				r.inStep(t, 2, false)
				a := r.l.Agreed()
				if a.Since < before || a.Since > r.l.Uptime() || a.Refuses {
					t.Errorf("slave %d left after %v: %+v", i, before, a)
				}
				end = put(t, r.master, 400+40*round, 20)
				arrive(t, r.master, end) // what has two copies of three keeps nobody waiting
				arrive(t, r.slaves[1-i], end)
				if r.slaves[i].LogMax() >= end {
					t.Fatal("a slave that has left gets the log")
				}
				r.join(t, i)
				r.inStep(t, 3, true)
				end = put(t, r.master, 420+40*round, 20)
				arrive(t, r.master, end)
			}
			// Both gone: fewer than the least.
			for _, f := range r.follow {
				f.Close()
			}
			r.inStep(t, 1, false)
			if !r.l.Agreed().Refuses {
				t.Error("sends are taken with one copy, where two are the least")
			}
			if n := r.early.Load(); n > 0 {
				t.Errorf("%d times something was visible that not all three had", n)
			}
			for i := range r.follow {
				r.join(t, i)
				arrive(t, r.slaves[i], end)
				same(t, r.master, r.slaves[i], 0)
			}
		})
	}
}

// TestAutoWithOneOfTwoGone: three copies where there are three, two when a slave goes, the master's alone when both do; there are always
// enough, and whoever is in step is waited for.
func TestAutoWithOneOfTwoGone(t *testing.T) {
	for _, sync := range []bool{true, false} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			r := newThree(t, sync, LeaderOptions{Copies: 3, MinCopies: 1, Auto: true}, func(a Agreement) int { return a.InStep })
			r.inStep(t, 3, true)
			end := put(t, r.master, 0, 200)
			arrive(t, r.master, end)
			for i, f := range r.follow {
				f.Close()
				r.inStep(t, 2-i, true)
				end = put(t, r.master, 200+100*i, 100)
				arrive(t, r.master, end)
				if i == 0 && r.slaves[1].Sendable().Load() < end {
					t.Error("visible before the slave that is left had it")
				}
			}
			for i := range r.follow {
				r.join(t, i)
				r.inStep(t, 2+i, true)
			}
			end = put(t, r.master, 400, 100)
			arrive(t, r.master, end)
			if n := r.early.Load(); n > 0 {
				t.Errorf("%d times something was visible that not all in step had", n)
			}
			for _, s := range r.slaves {
				arrive(t, s, end)
				same(t, r.master, s, 0)
			}
		})
	}
}
