package commitlog

import (
	"sync/atomic"
	"time"
)

// asked is when the first of those that wait for the next batch asked for it. A batch takes as long as they wait: for the batch before it,
// for a processor, and for the disk. Any goroutine.
type asked struct {
	since time.Time // that the rest is counted from
	at    atomic.Int64
	under atomic.Int32 // batches that were taken and are not over
}

func newAsked() asked { return asked{since: time.Now()} }

// now notes that somebody asks. Only the first one's clock is looked at.
func (a *asked) now() {
	if a.at.Load() == 0 {
		a.at.CompareAndSwap(0, a.clock())
	}
}

// clock is never 0.
func (a *asked) clock() int64 { return int64(time.Since(a.since)) + 1 }

// take is when that was, for the batch that is taken; 0: nobody did. Who asks from now on waits for the next one.
func (a *asked) take() int64 { return a.at.Swap(0) }

// waiting says that there is a batch under way, or one to come.
func (a *asked) waiting() bool { return a.under.Load() > 0 || a.at.Load() != 0 }

// waited is how long ago that was.
func (a *asked) waited(at int64) time.Duration { return time.Duration(a.clock() - at) }

// Waited says that somebody waits for a commit now. Any goroutine, no lock.
func (l *Log) Waited() bool { return l.asked.waiting() && l.Err() == nil }
