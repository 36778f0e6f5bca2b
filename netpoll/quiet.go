package netpoll

import (
	"math"
	"sync/atomic"
	"time"
)

// quiet is what the sweep knows of a loop without waking it: a loop that is woken costs a dozen switches of context, and nothing is to be
// found where no connection holds anything and none has been idle for long. Written on the loop; any goroutine may look.
type quiet struct {
	base  time.Time    // of the loop's beginning; monotonic, as the times that are compared
	conns atomic.Int64 // open ones
	until atomic.Int64 // ns since base: till then no connection can be idle for too long, and none holds anything or is paused
}

const unknown = math.MinInt64

// begin says that nothing is to be found until then, but for what the calls after it say.
func (q *quiet) begin(until time.Time) { q.until.Store(int64(until.Sub(q.base))) }

// atMost brings the end nearer.
func (q *quiet) atMost(until time.Time) { q.until.Store(min(q.until.Load(), int64(until.Sub(q.base)))) }

// end has the next sweep look.
func (q *quiet) end() {
	if q.until.Load() != unknown { // a cache line less to take away from the sweep
		q.until.Store(unknown)
	}
}

// over says that a sweep may find something.
func (q *quiet) over(now time.Time) bool {
	return q.conns.Load() > 0 && int64(now.Sub(q.base)) > q.until.Load()
}
