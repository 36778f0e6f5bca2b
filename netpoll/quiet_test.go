package netpoll

import (
	"testing"
	"time"
)

// TestQuietLoop: the sweep wakes a loop when something may be found on it, and only then.
func TestQuietLoop(t *testing.T) {
	const limit = 120 * time.Second
	base := time.Unix(1000, 0)
	for _, c := range []struct {
		name  string
		do    func(q *quiet)
		quiet time.Duration // from base on; negative: at no time
	}{
		{"a sweep has not come by yet", func(*quiet) {}, -1},
		{"nothing is held", func(q *quiet) { q.begin(base.Add(limit)) }, limit},
		{"one was read from before the others", func(q *quiet) {
			q.begin(base.Add(limit))
			q.atMost(base.Add(limit / 2))
			q.atMost(base.Add(limit))
		}, limit / 2},
		{"something is held", func(q *quiet) {
			q.begin(base.Add(limit))
			q.end()
			q.atMost(base.Add(limit))
		}, -1},
		{"something was held", func(q *quiet) {
			q.end()
			q.begin(base.Add(limit))
		}, limit},
	} {
		q := quiet{base: base}
		q.until.Store(unknown)
		if q.over(base.Add(time.Hour)) {
			t.Errorf("%s: woken without a connection", c.name)
		}
		q.conns.Add(1)
		c.do(&q)
		for _, at := range []time.Duration{0, limit/2 + 1, limit, limit + 1} {
			if got := q.over(base.Add(at)); got != (at > c.quiet) {
				t.Errorf("%s: woken after %v: %v", c.name, at, got)
			}
		}
	}
}
