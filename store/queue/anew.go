package queue

import (
	"errors"
	"fmt"
	"io/fs"

	"ringmq/store/record"
)

// Claim is what a queue has at the offset that a record claims.
type Claim int

const (
	ClaimFree  Claim = iota // Put decides: the queue has nothing there, or the record itself
	ClaimBlank              // nothing but blanks from there on: Replace puts the record there
	ClaimTaken              // records that lie before this one in the log
)

// Claims says what stands in the way of a record that lies behind all records of the queue. Writer only. It may read the file.
func (q *Queue) Claims(queueOffset int64, u record.QueueUnit) (Claim, error) {
	high := q.max.Load()
	if last := q.maxPhysical.Load(); queueOffset < 0 || queueOffset >= high || last <= 0 || u.Offset < last || queueOffset == q.suspect {
		return ClaimFree, nil
	}
	if queueOffset < max(q.min.Load(), q.first()) {
		return ClaimTaken, nil
	}
	var one [1]record.QueueUnit
	n, hot := q.ReadHot(queueOffset, one[:])
	if !hot {
		var err error
		if n, err = q.ReadRaw(queueOffset, one[:]); err != nil {
			return ClaimFree, fmt.Errorf("consume queue %s/%d: %w", q.topic, q.id, err)
		}
	}
	if n == 0 || !one[0].IsBlank() {
		return ClaimTaken, nil
	}
	at, _, err := q.lastRecord(queueOffset, high)
	if err != nil {
		return ClaimFree, fmt.Errorf("consume queue %s/%d: %w", q.topic, q.id, err)
	}
	if at >= 0 {
		return ClaimTaken, nil
	}
	return ClaimBlank, nil
}

// CutAt cuts the queue at an entry that another record claims, for good before it takes that; all of it where damage hides the place. Writer only.
func (q *Queue) CutAt(at int64) error {
	high := q.max.Load()
	found, u, err := q.nextRecord(at, high)
	if err != nil {
		return fmt.Errorf("cut consume queue: %w", err)
	}
	if found < high {
		if err := q.CutFrom(u.Offset); err != nil {
			return err
		}
	}
	if q.max.Load() > at {
		return q.Renew()
	}
	return nil
}

// CutFrom is Truncate, for good.
func (q *Queue) CutFrom(physical int64) error {
	if err := q.Truncate(physical); err != nil {
		return err
	}
	return q.set.Sync()
}

// Renew empties the queue, whose records are of no topic any more. Its files are gone for good before it takes an entry: after a power cut there
// may be old files or new ones, never both. Writer only; readers may go on, and find an empty queue. After an error it is as it was, but for
// files, and the same can be tried again.
func (q *Queue) Renew() error {
	if err := q.Settle(); err != nil {
		return err
	}
	q.io.Lock()
	defer q.io.Unlock()
	if err := q.removeFiles(); err != nil {
		return fmt.Errorf("renew consume queue: %w", err)
	}
	if err := q.set.fs.SyncDir(q.dirOf()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("renew consume queue: %w", err)
	}
	q.beginEmpty(0)
	q.suspect, q.misplaced, q.cut = -1, 0, false
	q.maxPhysical.Store(0)
	return nil
}
