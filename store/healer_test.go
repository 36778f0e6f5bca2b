package store

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// gapped is a store of messages "0" to "9" in T-0, of which "4" is damaged.
type gapped struct {
	t     *testing.T
	s     *Store
	ahead atomic.Int64 // of its clock
	lost  Placed
	good  []byte
}

const gappedLost = 4

// newGapped makes one in which the queue has the lost message's entry, or a blank.
func newGapped(t *testing.T, blank bool) *gapped {
	g := &gapped{t: t}
	f := disk.NewFaulty()
	o := smallOptions(f)
	start := time.Unix(1_700_000_000, 0)
	o.Clock = func() time.Time { return start.Add(time.Duration(g.ahead.Load())) }
	s := mustOpen(t, o)
	for i := range 10 {
		p := mustAppend(t, s, message("T", 0, fmt.Sprint(i)))
		mustAppend(t, s, message("Other", 0, fmt.Sprint(i)))
		if i == gappedLost {
			g.lost = p
		}
	}
	settled(t, s)
	good, err := s.MessageByOffset(g.lost.PhysicalOffset, nil)
	if err != nil {
		t.Fatal(err)
	}
	g.good = good
	closeStore(t, s)
	if blank {
		if err := f.RemoveAll("/store/consumequeue"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.FlipBit(segmentFile(o, 0), g.lost.PhysicalOffset+89, 2); err != nil {
		t.Fatal(err)
	}
	g.s = openStore(t, o)
	return g
}

// read reads as a pull does, and says what there was.
func (g *gapped) read(from int64) string {
	g.t.Helper()
	w := Want{Topic: []byte("T"), Offset: from, MaxMessages: 32}
	raw, found, ok := g.s.ReadHot(&w, nil)
	if !ok {
		var err error
		if raw, found, err = g.s.Read(&w, nil); err != nil {
			g.t.Fatal(err)
		}
	}
	if found.Status == StatusGap && (found.Gap != g.lost.PhysicalOffset || g.s.Awaited(found.Gap) <= 0) {
		g.t.Errorf("gap at %d, awaited for %v", found.Gap, g.s.Awaited(found.Gap))
	}
	return fmt.Sprint(found.Status == StatusGap, found.NextOffset, bodies(g.t, raw))
}

func (g *gapped) expect(when string, from int64, want string) {
	g.t.Helper()
	if got := g.read(from); got != want {
		g.t.Errorf("%s: read from %d: %s, want %s", when, from, got, want)
	}
}

// TestReadsAwaitHealing: a read ends before a damaged record while a copy is connected that may have it, and goes on behind it when none has,
// when none is connected, and when that has taken too long.
func TestReadsAwaitHealing(t *testing.T) {
	const before, waits, past = "false 4 [1 2 3]", "true 4 []", "false 10 [5 6 7 8 9]"
	for name, blank := range map[string]bool{"entry": false, "blank": true} {
		t.Run(name, func(t *testing.T) {
			g := newGapped(t, blank)
			settled := 0
			g.s.OnSettled(func() { settled++ })
			g.expect("no copy", 4, past)
			first := g.s.Healer(func() {})
			g.expect("a copy", 1, before)
			g.expect("a copy", 4, waits)
			g.expect("behind it", 5, past)
			g.ahead.Add(int64(healTime) - 1)
			g.expect("soon too late", 4, waits)
			g.ahead.Add(1)
			g.expect("too late", 4, past)

			second, third := g.s.Healer(func() {}), g.s.Healer(func() {})
			g.expect("others came", 4, waits)
			second.HasNot(g.lost.PhysicalOffset)
			g.expect("one has it not", 4, waits)
			third.HasNot(g.lost.PhysicalOffset)
			g.expect("neither has the other", 4, past)
			fourth := g.s.Healer(func() {})
			g.expect("one more", 4, waits)
			fourth.Leave()
			g.expect("and it is gone", 4, past)
			fourth.HasNot(g.lost.PhysicalOffset)
			if settled != 4 {
				t.Errorf("told %d times that there is nothing to wait for", settled)
			}
			for _, h := range []*Healer{first, second, third} {
				h.Leave()
			}
			if list := g.s.gaps.list; len(list) != 1 || len(list[0].hasNot) != 0 || len(g.s.gaps.healers) != 0 {
				t.Errorf("%+v: those who left are remembered", list)
			}

			last := g.s.Healer(func() {})
			defer last.Leave()
			g.expect("again", 4, waits)
			settled = 0
			if err := g.s.Heal(g.lost.PhysicalOffset, g.good); err != nil {
				t.Fatal(err)
			}
			g.expect("healed", 1, "false 10 [1 2 3 4 5 6 7 8 9]")
			if settled != 1 || g.s.Awaited(g.lost.PhysicalOffset) != 0 {
				t.Error("told", settled, "times, and awaited for", g.s.Awaited(g.lost.PhysicalOffset))
			}
		})
	}
}

// TestHealedWhileRead: a read that has the bytes, or the blank, from before the heal does not step over the message either.
func TestHealedWhileRead(t *testing.T) {
	for name, blank := range map[string]bool{"entry": false, "blank": true} {
		for _, hot := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hot=%v", name, hot), func(t *testing.T) {
				g := newGapped(t, blank)
				g.expect("found", 4, "false 10 [5 6 7 8 9]")
				w := Want{Topic: []byte("T"), Offset: 4, MaxMessages: 32}
				r := reading{s: g.s, w: &w, step: 1, hot: hot}
				if !r.position() {
					t.Fatal(r.f.Status)
				}
				if err := g.s.Heal(g.lost.PhysicalOffset, g.good); err != nil {
					t.Fatal(err)
				}
				want := stop
				if hot {
					want = cold
				}
				if blank {
					if _, v := r.wanted(record.BlankUnit); v != want {
						t.Error("the blank:", v)
					}
				} else if !r.awaits(g.lost.PhysicalOffset, g.lost.End) {
					t.Error("it is stepped over")
				}
				if r.f.NextOffset != 4 || !hot && (r.f.Status != StatusGap || g.s.Awaited(r.f.Gap) > 0) {
					t.Errorf("%+v", r.f)
				}
			})
		}
	}
}

// TestHealersAreTold: of each gap once, when it is found; of what is left of one that was healed in part they are asked anew.
func TestHealersAreTold(t *testing.T) {
	g := newGapped(t, false)
	told := 0
	h := g.s.Healer(func() { told++ })
	defer h.Leave()
	g.expect("found by the read that waits", 4, "true 4 []")
	g.read(4)
	if told != 1 {
		t.Error("told", told, "times")
	}
	g.s.NoteGap(1<<20, 1<<20+100)
	h.HasNot(1 << 20)
	g.ahead.Add(int64(healTime))
	if left := g.s.Awaited(1<<20 + 60); left > 0 || told != 2 {
		t.Error(left, told)
	}
	g.s.gaps.heal(1<<20, 1<<20+50)
	if left := g.s.Awaited(1<<20 + 60); left != healTime {
		t.Error("the rest is waited for", left)
	}
}

// TestAwaitingCostsNothing: readers that meet no gap take no lock for it.
func TestAwaitingCostsNothing(t *testing.T) {
	var g gaps
	g.clock = time.Now
	h := &Healer{g: &g}
	states := []bool{g.some.Load()}
	note := func() { g.note(); states = append(states, g.some.Load()) }
	g.healers = append(g.healers, h)
	note()
	g.list = append(g.list, openGap{})
	note()
	g.leave(h)
	note()
	if want := []bool{false, false, true, false}; !slices.Equal(states, want) {
		t.Error(states)
	}
	if n := testing.AllocsPerRun(100, func() { g.awaited(0, 1) }); n != 0 {
		t.Error(n, "allocations")
	}
}
