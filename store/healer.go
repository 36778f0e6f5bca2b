package store

import (
	"slices"
	"time"
)

// A read that comes upon a damaged record would step over it, and its consumer would be past it for good when the record comes back from a
// copy a moment later. So it ends before it (StatusGap) while a copy that may have the record is connected.

// healTime is how long a gap is waited for at most, from when it could be asked for.
const healTime = 20 * time.Second

// Healer is a copy of the log, connected, that is asked for what is damaged here.
type Healer struct {
	g     *gaps
	since time.Time
	found func()
}

// Healer says that such a copy is connected, until Leave. found is called when damage is found, on any goroutine; it must not wait.
func (s *Store) Healer(found func()) *Healer {
	g := &s.gaps
	g.mu.Lock()
	defer g.mu.Unlock()
	h := &Healer{g: g, since: g.clock(), found: found}
	g.healers = append(g.healers, h)
	g.note()
	return h
}

// HasNot says that the copy has nothing better for the gap that begins at an offset.
func (h *Healer) HasNot(from int64) {
	h.g.refused(h, from)
	h.g.tellSettled()
}

// Leave says that the copy is connected no more.
func (h *Healer) Leave() {
	h.g.leave(h)
	h.g.tellSettled()
}

// OnSettled has fn called when gaps were healed or are no longer waited for, except that their time is over: see Awaited. Any goroutine
// calls it, with no lock held.
func (s *Store) OnSettled(fn func()) { s.gaps.settled.Store(&fn) }

// Awaited is for how long at most the gap that has an offset may still be waited for; 0: it is healed, or nobody has it. Any goroutine.
func (s *Store) Awaited(at int64) time.Duration {
	_, left := s.gaps.awaited(at, at+1)
	return left
}

func (g *gaps) refused(h *Healer, from int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.list {
		gap := &g.list[i]
		if gap.From == from && slices.Contains(g.healers, h) && !slices.Contains(gap.hasNot, h) {
			gap.hasNot = append(gap.hasNot, h)
		}
	}
}

func (g *gaps) leave(h *Healer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	is := func(o *Healer) bool { return o == h }
	g.healers = slices.DeleteFunc(slices.Clone(g.healers), is)
	for i := range g.list {
		g.list[i].hasNot = slices.DeleteFunc(g.list[i].hasNot, is)
	}
	g.note()
}

// note keeps readers that meet no gap from the lock. mu is held.
func (g *gaps) note() { g.some.Store(len(g.list) > 0 && len(g.healers) > 0) }

func (g *gaps) tellHealers() {
	g.mu.Lock()
	healers := g.healers // never changed in place
	g.mu.Unlock()
	for _, h := range healers {
		h.found()
	}
}

func (g *gaps) tellSettled() {
	if fn := g.settled.Load(); fn != nil {
		(*fn)()
	}
}

// awaited finds a gap that has some of [from, to) and may still be healed, and says for how long that is waited for at most; 0: there is
// none.
func (g *gaps) awaited(from, to int64) (at int64, left time.Duration) {
	if !g.some.Load() {
		return 0, 0
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock()
	for i := range g.list {
		gap := &g.list[i]
		if from >= gap.To || gap.From >= to {
			continue
		}
		for _, h := range g.healers {
			if slices.Contains(gap.hasNot, h) {
				continue
			}
			asked := gap.since
			if asked.Before(h.since) {
				asked = h.since
			}
			left = max(left, healTime-now.Sub(asked))
		}
		if left > 0 {
			return gap.From, left
		}
	}
	return 0, 0
}
