package commitlog

import (
	"time"

	"ringmq/store/tally"
)

// history is when batches of the log went to the disk and came back, for figures and for whoever asks why a message took so long.
// Under committer.mu; the histograms have no lock.
type history struct {
	bytes  *tally.Histogram // of a batch
	micros *tally.Histogram // from the moment it is with the disk until it is over
	began  time.Time        // of the batch under way
	marks  []commitMark     // a ring, growing ends; made with the first
	n      int              // marks ever made
}

// commitMark stands for all batches that ended within a millisecond: the first one's beginning, the last one's end.
type commitMark struct {
	began, ended time.Time
	end          int64 // the log was committed up to here
}

const (
	// historyMarks reach back four seconds at least.
	historyMarks = 4096
	markInterval = time.Millisecond
)

func newHistory() history {
	return history{
		bytes:  tally.New(1<<10, 4<<10, 16<<10, 64<<10, 256<<10, 1<<20, 4<<20, 16<<20),
		micros: tally.New(25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000),
	}
}

// note enters the batch that is over.
func (h *history) note(b batch, now time.Time) {
	h.bytes.Add(b.to - b.from)
	h.micros.Add(now.Sub(h.began).Microseconds())
	if h.marks == nil {
		h.marks = make([]commitMark, historyMarks)
	}
	if h.n > 0 {
		if m := &h.marks[(h.n-1)%historyMarks]; now.Sub(m.ended) < markInterval && h.began.Sub(m.began) < markInterval {
			m.ended, m.end = now, b.after
			return
		}
	}
	h.marks[h.n%historyMarks] = commitMark{began: h.began, ended: now, end: b.after}
	h.n++
}

// find returns the mark with which the log was committed up to an offset.
func (h *history) find(offset int64) (commitMark, bool) {
	first := max(0, h.n-historyMarks)
	low, high := first, h.n
	for low < high {
		if mid := (low + high) / 2; h.marks[mid%historyMarks].end >= offset {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == h.n || low == first && first > 0 {
		return commitMark{}, false // not yet, or so long ago that it may have been an earlier one
	}
	return h.marks[low%historyMarks], true
}

// Commits are figures of the batches that went to the disk: how large they were, in bytes, and how long the disk had them, in
// microseconds, its sync included where there is one. Any goroutine.
func (l *Log) Commits() (bytes, micros tally.Counts) {
	h := &l.committer.history
	return h.bytes.Counts(), h.micros.Counts()
}

// Way is how a batch went to the disk.
type Way uint8

// The ways.
const (
	Waited     Way = iota // the committer's goroutine gave it to the disk and waited
	Rung                  // an event loop gave it to the ring, which rang when it was over
	HandedOver            // an event loop, or the ring, left it to the goroutine: what lies ahead was not zeroed or too much unsynced, or the ring did it in part
	Ways
)

// Ways are how many batches went each way. Any goroutine; no lock is taken.
func (l *Log) Ways() (n [Ways]int64) {
	for i := range n {
		n[i] = l.committer.ways[i].Load()
	}
	return n
}

// Committed says when the batch with the record that ends at an offset went to the disk and when it was over, to about a millisecond.
// false: it has not been yet, or that is seconds ago. Any goroutine.
func (l *Log) Committed(end int64) (began, ended time.Time, ok bool) {
	c := l.committer
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.history.find(end)
	return m.began, m.ended, ok
}
