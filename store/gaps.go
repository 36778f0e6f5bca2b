package store

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// maxGaps bounds the list; what comes after is only logged.
const maxGaps = 1000

// Gap is a part of the log whose record is lost.
type Gap struct {
	From, To int64  // commit log offsets
	Kind     string // "rot" below what was known to be synced, "torn" above it
	Found    time.Time
}

// gaps is the list of what was found lost, each place once.
type gaps struct {
	mu      sync.Mutex
	list    []Gap
	known   map[int64]bool
	healed  int64
	records atomic.Int64 // healed
	logger  *slog.Logger
	clock   func() time.Time
}

func (g *gaps) add(from, to int64, kind string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known[from] {
		return
	}
	if len(g.list) < maxGaps {
		if g.known == nil {
			g.known = make(map[int64]bool)
		}
		g.known[from] = true
		g.list = append(g.list, Gap{From: from, To: to, Kind: kind, Found: g.clock()})
	}
	g.logger.Error("message lost: the commit log is damaged here", "from", from, "to", to, "kind", kind)
}

// Gaps lists what was found lost since the store was opened, oldest first; at most 1,000 are kept.
func (s *Store) Gaps() []Gap {
	s.gaps.mu.Lock()
	defer s.gaps.mu.Unlock()
	return append([]Gap(nil), s.gaps.list...)
}

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
		g.healed++
		delete(g.known, from)
		if gap.From = to; to >= gap.To {
			g.list = append(g.list[:i:i], g.list[i+1:]...)
		} else {
			g.known[to] = true
		}
		return
	}
}

func (g *gaps) healings() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.healed
}
