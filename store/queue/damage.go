package queue

import (
	"fmt"
	"math"

	"ringmq/store/record"
)

// tailUnits is how many of the newest entries a start looks at in any case: a page of the file.
const tailUnits = 204

// OnDamage has fn called with the first damaged entry that a Read comes upon, on the reader's goroutine; no lock is held. True:
// the entries were put right, read again. Before the queues are read by more than one goroutine.
func (s *Set) OnDamage(fn func(q *Queue, at int64) bool) { s.damaged = fn }

// sane says whether an entry can stand behind one whose record ends at last, in a log that ends at end (0: not known).
func (q *Queue) sane(u record.QueueUnit, last, end int64) bool {
	if u.IsBlank() {
		return true
	}
	if end <= 0 {
		end = math.MaxInt64
	}
	return u.Written() && u.Size >= q.set.minRecord && u.Offset >= last && u.End() <= end
}

// checkTail looks at the newest entries of a queue that was found to end at end, and returns where it ends if some of them
// are damaged.
func (q *Queue) checkTail(first, end int64) (int64, error) {
	begin := max(first, end-tailUnits)
	at, err := q.walk(begin, end)
	if err != nil || at == end {
		return end, err
	}
	q.set.logger.Error("consume queue is damaged: cut, its end is rebuilt from the log", "topic", q.topic, "queue", q.id, "from", at, "to", end)
	q.cut, q.suspect = true, -1
	return at, nil
}

// Cut says whether Recover found damage near the end and gave up what lies behind it.
func (q *Queue) Cut() bool { return q.cut }

// Misplaced says which entry Recover found to be one of another message, false: none.
func (q *Queue) Misplaced() (at int64, ok bool) { return q.misplaced - 1, q.misplaced > 0 }

// Restart empties the queue, files and all, so that all its entries can be put again. Writer only; readers find it empty.
func (q *Queue) Restart() error {
	if err := q.beginAt(0); err != nil {
		return err
	}
	q.suspect, q.misplaced = -1, 0
	q.maxPhysical.Store(0)
	return nil
}

// Skip makes the queue end at `to` at least; blanks stand for entries that could not be had. Writer only.
func (q *Queue) Skip(to int64) error {
	if to <= q.max.Load() {
		return nil
	}
	if err := q.stepTo(to); err != nil {
		return err
	}
	q.mu.Lock()
	told := !q.dirty
	q.dirty = true
	q.mu.Unlock()
	if told {
		q.set.markDirty(q)
	}
	return nil
}

// Leap says that the log was given up before it goes on elsewhere: when none of the queue's records is left, it may begin anew at the
// next one, whatever lies between. Writer only.
func (q *Queue) Leap() { q.leap = true }

// Replace puts an entry in the place of another one, perhaps a blank, in memory and in the files. Writer only.
func (q *Queue) Replace(at int64, u record.QueueUnit) error {
	q.mu.Lock()
	nowhere := at >= q.written && at < q.ring.from // in a gap that is neither in memory nor in the files
	q.mu.Unlock()
	if nowhere {
		if err := q.write(); err != nil {
			return err
		}
	}
	q.io.Lock()
	q.mu.Lock()
	if q.deleted || at >= q.max.Load() {
		q.mu.Unlock()
		q.io.Unlock()
		return nil
	}
	if at >= q.ring.from {
		q.ring.put(at, u, nil)
	}
	q.maxPhysical.Store(max(q.maxPhysical.Load(), u.End()))
	if at == q.min.Load() {
		q.minPhysical.Store(u.Offset + 1)
	}
	q.mu.Unlock()
	q.io.Unlock()
	return q.Mend(at, u)
}

// Mend writes an entry again that is in the files. Any goroutine.
func (q *Queue) Mend(at int64, u record.QueueUnit) error {
	if err := q.Settle(); err != nil {
		return err
	}
	q.io.Lock()
	defer q.io.Unlock()
	q.mu.Lock()
	gone := q.deleted || q.noFiles || at >= q.written || at*q.set.unitBytes < q.firstFile
	q.mu.Unlock()
	if gone {
		return nil
	}
	var b [record.QueueUnitBytes]byte
	place := at * q.set.unitBytes
	h, err := q.set.cache.open(fileKey{q, place - place%q.set.fileBytes})
	if err != nil {
		return fmt.Errorf("mend consume queue: %w", err)
	}
	defer q.set.cache.release(h)
	_, err = h.file.WriteAt(u.Append(b[:0]), place%q.set.fileBytes)
	q.set.markUnsynced(h.key)
	if err != nil {
		return fmt.Errorf("mend consume queue %s/%d at %d: %w", q.topic, q.id, at, err)
	}
	return nil
}
