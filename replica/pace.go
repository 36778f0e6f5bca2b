package replica

import "time"

// paced keeps to a number of bytes per second.
type paced struct {
	perSecond int64
	due       time.Time // when all that was sent should have been
}

// wait counts n bytes and says how long to wait before the next.
func (p *paced) wait(n int) time.Duration {
	if p.perSecond <= 0 || n == 0 {
		return 0
	}
	now := time.Now()
	if p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(time.Duration(float64(n) / float64(p.perSecond) * float64(time.Second)))
	return p.due.Sub(now)
}

// meter counts bytes per second.
type meter struct {
	from  time.Duration
	bytes int64
	last  int64 // bytes per second before from
}

const meterWindow = time.Second

func (m *meter) count(n int, now time.Duration) {
	m.turn(now)
	m.bytes += int64(n)
}

func (m *meter) rate(now time.Duration) int64 {
	m.turn(now)
	return m.last
}

func (m *meter) turn(now time.Duration) {
	if d := now - m.from; d >= meterWindow {
		m.last = int64(float64(m.bytes) / d.Seconds())
		m.from, m.bytes = now, 0
	}
}
