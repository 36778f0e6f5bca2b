package netpoll

import (
	"sync/atomic"
	"time"
)

// Seldom lets something be said once a second at most, however often it happens. The zero value is ready. Any goroutine.
type Seldom struct{ second atomic.Int64 }

// Now says whether it is to be said this time.
func (s *Seldom) Now() bool {
	now, last := time.Now().Unix(), s.second.Load()
	return now != last && s.second.CompareAndSwap(last, now)
}
