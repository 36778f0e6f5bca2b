package store

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxGaps bounds the list; what comes after is only logged.
	maxGaps = 1000
	// logGapsEvery paces that: nobody remembers those places, and every read comes upon them again.
	logGapsEvery = time.Minute
)

// Gap is a part of the log whose record is lost.
type Gap struct {
	From, To int64  // commit log offsets
	Kind     string // "rot" below what was known to be synced, "torn" above it
	Found    time.Time
}

// openGap is a gap that is not healed.
type openGap struct {
	Gap
	since  time.Time // it, or what is left of it, can be asked for
	hasNot []*Healer // that have nothing better
}

// gaps is the list of what was found lost, each place once.
type gaps struct {
	mu      sync.Mutex
	list    []openGap
	healers []*Healer
	some    atomic.Bool // there are gaps and healers
	settled atomic.Pointer[func()]
	known   map[int64]bool
	healed  atomic.Int64 // grows before a gap is off the list
	records atomic.Int64 // healed
	// Places found behind a full list: when one was logged, and how often others were not since.
	loggedAt time.Time
	silent   int64
	logger   *slog.Logger
	clock    func() time.Time
}

func (g *gaps) add(from, to int64, kind string) {
	if fresh, others := g.enter(from, to, kind); fresh {
		g.logger.Error("message lost: the commit log is damaged here", "from", from, "to", to, "kind", kind, "others", others)
		g.tellHealers()
	}
}

// enter puts a place on the list, and says whether it is to be logged, for how many others too.
func (g *gaps) enter(from, to int64, kind string) (fresh bool, others int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known[from] {
		return false, 0
	}
	now := g.clock()
	if len(g.list) < maxGaps {
		if g.known == nil {
			g.known = make(map[int64]bool)
		}
		g.known[from] = true
		g.list = append(g.list, openGap{Gap: Gap{From: from, To: to, Kind: kind, Found: now}, since: now})
		g.note()
		return true, 0
	}
	if now.Sub(g.loggedAt) < logGapsEvery {
		g.silent++
		return false, 0
	}
	others, g.silent, g.loggedAt = g.silent, 0, now
	return true, others
}

// Gaps lists what was found lost since the store was opened, oldest first; at most 1,000 are kept.
func (s *Store) Gaps() []Gap {
	s.gaps.mu.Lock()
	defer s.gaps.mu.Unlock()
	list := make([]Gap, len(s.gaps.list))
	for i := range list {
		list[i] = s.gaps.list[i].Gap
	}
	return list
}

// NoteGap puts a range on the list that is known to be damaged from before the store was opened, so that it can be healed. Any goroutine.
func (s *Store) NoteGap(from, to int64) { s.gaps.add(from, to, "rot") }

func (g *gaps) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.list)
}

// heal takes [from, to) off the list, if a gap begins at from.
func (g *gaps) heal(from, to int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i := range g.list {
		gap := &g.list[i]
		if gap.From != from {
			continue
		}
		g.healed.Add(1)
		delete(g.known, from)
		if gap.From = to; to >= gap.To {
			g.list = append(g.list[:i:i], g.list[i+1:]...)
			g.note()
		} else {
			g.known[to] = true
			gap.since, gap.hasNot = g.clock(), nil
		}
		return
	}
}

func (g *gaps) healings() int64 { return g.healed.Load() }
