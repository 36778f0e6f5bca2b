package lag

import "time"

// Key names what lags.
type Key struct{ Group, Topic string }

// Queue is one queue as a look finds it.
type Queue struct {
	ID             int32
	Max, Committed int64 // where it ends for consumers, and how far the group is
	Hidden         int64 // messages behind Max, which consumers cannot see yet
}

// Look is what is seen of a group in a topic at one moment.
type Look struct {
	Key
	At     time.Time
	Queues []Queue
}

// Figures are what looks tell.
type Figures struct {
	Diff    int64   // messages that are not consumed
	Hidden  int64   // of these, what consumers cannot see yet
	In, Out float64 // a second, since the oldest look that is kept; 0 after a first look
	// Still is the queue that has something to consume and has stood still for longest, since when its progress has not changed.
	Still      Queue
	StillSince time.Time // zero: none has anything to consume
	Most       Queue     // the queue that has most of Diff
	// SlowerSince is since when more comes in than is consumed, going by In and Out, as far as was looked; zero: it does not.
	SlowerSince time.Time
}

// looksKept is over how many looks rates are taken.
const looksKept = 7

// History keeps the newest looks at one group and topic. One goroutine's at a time.
type History struct {
	looks  []totals
	moved  map[int32]moved
	slower time.Time // Figures.SlowerSince of the newest look
}

type totals struct {
	at         time.Time
	max, taken int64
	queues     int
}

// moved is since when a queue is behind without progress, as far as was seen.
type moved struct {
	committed int64
	behind    bool
	at        time.Time
}

// Add takes a look, not older than the one before.
func (h *History) Add(l *Look) Figures {
	t := totals{at: l.At, queues: len(l.Queues)}
	f := Figures{}
	next := make(map[int32]moved, len(l.Queues))
	for _, q := range l.Queues {
		t.max, t.taken = t.max+q.Max+q.Hidden, t.taken+q.Committed
		f.Diff, f.Hidden = f.Diff+q.Hidden, f.Hidden+q.Hidden
		m := h.moved[q.ID]
		if behind := q.Committed < q.Max; !m.behind || m.committed != q.Committed {
			m = moved{q.Committed, behind, l.At}
		} else {
			m.behind = behind
		}
		next[q.ID] = m
		if q.Committed >= q.Max {
			continue
		}
		f.Diff += q.Max - q.Committed
		if q.Max-q.Committed > f.Most.Max-f.Most.Committed {
			f.Most = q
		}
		if f.StillSince.IsZero() || m.at.Before(f.StillSince) {
			f.Still, f.StillSince = q, m.at
		}
	}
	h.moved = next
	if n := len(h.looks); n > 0 && h.looks[n-1].queues != t.queues {
		h.looks = h.looks[:0] // sums over other queues say nothing about rates
	}
	h.looks = append(h.looks, t)
	if len(h.looks) > looksKept {
		h.looks = append(h.looks[:0], h.looks[1:]...)
	}
	if first := h.looks[0]; t.at.After(first.at) {
		seconds := t.at.Sub(first.at).Seconds()
		f.In = max(float64(t.max-first.max), 0) / seconds
		f.Out = max(float64(t.taken-first.taken), 0) / seconds
	}
	h.noteSlower(&f)
	return f
}

// noteSlower follows since when the group is slower than what comes in. That began after the look, of those that are kept, at which least was
// to be consumed. A look without one to compare with changes nothing.
func (h *History) noteSlower(f *Figures) {
	switch {
	case f.Diff == 0 || len(h.looks) > 1 && f.In <= f.Out:
		h.slower = time.Time{}
	case h.slower.IsZero() && f.In > f.Out:
		least := h.looks[0]
		for _, t := range h.looks[1:] {
			if t.max-t.taken <= least.max-least.taken {
				least = t
			}
		}
		h.slower = least.at
	}
	f.SlowerSince = h.slower
}
