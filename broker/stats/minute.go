package stats

import (
	"time"

	"ringmq/store/tally"
)

// lastMinute is what sends took in the last whole minute; until there is one, since the start. Under Stats.mu.
type lastMinute struct {
	began time.Time
	base  putTimes // as of then
	shown putTimes
	whole bool
}

// putTimes are counts since the start: by stock's bounds, and in microseconds.
type putTimes struct {
	distribution [13]int64
	micros       tally.Counts
}

func (p putTimes) minus(q putTimes) putTimes {
	for i, n := range q.distribution {
		p.distribution[i] -= n
	}
	p.micros = p.micros.Minus(q.micros)
	return p
}

// look is called once a second, with the counts of the moment.
func (m *lastMinute) look(now time.Time, p putTimes) {
	if now.Sub(m.began) < time.Minute-time.Second/2 {
		return
	}
	m.shown, m.whole = p.minus(m.base), true
	m.began, m.base = now, p
}

// of returns the counts to show, given those of the moment.
func (m *lastMinute) of(p putTimes) putTimes {
	if m.whole {
		return m.shown
	}
	return p.minus(m.base)
}

// SamplePuts is called once a second with what sends took since the start: by the store's bounds, and in microseconds.
func (s *Stats) SamplePuts(now time.Time, distribution [13]int64, micros tally.Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts.look(now, putTimes{distribution, micros})
}

// putTimes are those to show, given those of the moment.
func (s *Stats) putTimes(p putTimes) putTimes {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.puts.of(p)
}
