package delay

import (
	"errors"
	"fmt"
	"time"

	"ringmq/store"
	"ringmq/store/record"
)

// halfTopic takes no delayed messages: what a producer prepared must not be delivered as if it were committed.
const halfTopic = "RMQ_SYS_TRANS_HALF_TOPIC"

// recordsPerRead and recordBytes bound one turn of one level, so that a long backlog of one does not hold up the others.
const (
	recordsPerRead = 64
	recordBytes    = 1 << 20
)

// clockStep is how far the clock may go back before it is worth a line in the log.
const clockStep = 10 * time.Second

// worker is the service's goroutine with its buffers.
type worker struct {
	s       *Service
	records []byte
	scratch []byte
	setBack []setBack // by level
}

// setBack says of the entries of a level before a queue offset that the clock was set back after one of them was stored, and when that was seen.
type setBack struct {
	to   int64
	seen time.Time
}

func newWorker(s *Service) worker { return worker{s: s, setBack: make([]setBack, len(s.levels))} }

// round delivers what is due in every level and returns when the next message is; zero when none waits.
func (w *worker) round() (next time.Time) {
	for again := true; again && w.s.stop.Err() == nil; {
		again, next = false, time.Time{}
		for i := range w.s.levels {
			due, more := w.level(i)
			again = again || more
			if !due.IsZero() && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
	}
	return next
}

// level delivers a level's next messages. due is when the one after them has to be looked at, zero when none waits; more
// says that others are due already.
func (w *worker) level(i int) (due time.Time, more bool) {
	s := w.s
	now := s.o.Clock()
	s.mu.Lock()
	l := s.levels[i]
	s.mu.Unlock()
	if now.Before(l.retry) {
		return l.retry, false
	}
	next := max(l.next, s.o.Store.MinOffset(s.topic, int32(i)))
	units, err := s.o.Store.QueueUnits(s.topic, int32(i), next, recordsPerRead)
	if err != nil {
		return w.later(i, retryAfter, err), false
	}
	if len(units) == 0 {
		return time.Time{}, w.settle(i, next)
	}
	if next >= w.setBack[i].to {
		w.setBack[i] = setBack{}
	}
	ready := 0
	for ready < len(units) {
		wait := w.wait(i, next+int64(ready), units[ready], now, l.delay)
		if wait > 0 {
			due = now.Add(wait)
			break
		}
		ready++
	}
	if ready == 0 {
		return due, false
	}
	return w.deliver(i, next, ready)
}

// wait is how long the entry at a queue offset of a level has still to wait. More than the level's whole delay means that the clock was set
// back since it was stored: then nobody knows how long it has waited. It waits the delay from when that is seen, by a clock that nobody sets, and less
// only where the entry says so itself: late at most by that, and never early.
func (w *worker) wait(i int, at int64, u record.QueueUnit, now time.Time, delay time.Duration) time.Duration {
	if u.IsBlank() {
		return 0
	}
	wait, b := time.UnixMilli(u.TagsCode).Sub(now), &w.setBack[i]
	if wait > delay && at >= b.to {
		*b = setBack{to: w.s.o.Store.MaxOffset(w.s.topic, int32(i)), seen: now}
		if wait-delay > clockStep {
			w.s.o.Logger.Warn("delay: the clock was set back, or a level is shorter than it was: what is in it waits its delay from now on", "level", i+1, "wouldWait", wait)
		}
	}
	if at < b.to {
		wait = min(wait, b.seen.Add(delay).Sub(now))
	}
	return wait
}

// settle marks a level as having nothing to wait for; true when a message came meanwhile.
func (w *worker) settle(i int, next int64) bool {
	s := w.s
	s.mu.Lock()
	s.levels[i].idle = true
	s.mu.Unlock()
	// The dispatcher makes an entry visible before it calls arrived: what it did not call for is seen here.
	if s.o.Store.MaxOffset(s.topic, int32(i)) <= next {
		return false
	}
	s.mu.Lock()
	s.levels[i].idle = false
	s.mu.Unlock()
	return true
}

// later holds a level back after an error.
func (w *worker) later(i int, wait time.Duration, err error) time.Time {
	s := w.s
	if err != nil && !errors.Is(err, store.ErrFull) {
		s.o.Logger.Error("delay: a level is held back", "level", i+1, "wait", wait, "error", err)
	}
	at := s.o.Clock().Add(wait)
	s.mu.Lock()
	s.levels[i].retry = at
	s.mu.Unlock()
	return at
}

// deliver appends the records of ready due entries from queue offset next on. Entries whose record is lost are stepped
// over.
func (w *worker) deliver(i int, next int64, ready int) (due time.Time, more bool) {
	s := w.s
	want := store.Want{Topic: s.topic, QueueID: int32(i), Offset: next, MaxMessages: ready, MaxBytes: recordBytes, Anything: true}
	raw, found, err := s.o.Store.Read(&want, w.records[:0])
	if err != nil {
		return w.later(i, retryAfter, err), false
	}
	w.records = raw
	end := next + int64(ready)
	for len(raw) > 0 {
		var r record.Record
		if err := r.Parse(raw); err != nil {
			return w.later(i, retryAfter, err), false
		}
		raw = raw[r.TotalSize:]
		if r.QueueOffset >= end || r.QueueOffset < next {
			break
		}
		if err := w.one(i, &r); err != nil {
			wait := retryAfter
			if errors.Is(err, store.ErrFull) {
				wait = roomAfter
			}
			return w.later(i, wait, err), false
		}
		s.advanced(i, r.QueueOffset+1)
	}
	s.mu.Lock()
	at := s.levels[i].next
	s.mu.Unlock()
	switch behind := min(found.NextOffset, end); {
	case behind > at:
		s.advanced(i, behind) // lost ones at the end
	case found.Status == store.StatusGap:
		return w.later(i, healAfter, nil), false
	case at == next:
		return w.later(i, retryAfter, fmt.Errorf("nothing can be read at %d: %v", next, found.Status)), false
	}
	return time.Time{}, true
}

// one delivers a record. What cannot be delivered ever is logged and left.
func (w *worker) one(i int, r *record.Record) error {
	var m store.Message
	var ok bool
	w.scratch, ok = restore(r, &m, w.scratch)
	if !ok || string(m.Topic) == halfTopic {
		w.s.o.Logger.Error("delay: a message is discarded: its real topic or queue is not valid", "level", i+1, "queueOffset", r.QueueOffset, "topic", string(m.Topic))
		return nil
	}
	p, err := w.s.o.Deliver(&m)
	if err == nil && w.s.o.Delivered != nil {
		w.s.o.Delivered(m.Topic, int64(p.Size))
	}
	if err != nil && permanent(err) {
		w.s.o.Logger.Error("delay: a message is discarded: it cannot be stored", "level", i+1, "queueOffset", r.QueueOffset, "topic", string(m.Topic), "error", err)
		return nil
	}
	return err
}
