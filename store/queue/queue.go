package queue

import (
	"fmt"
	"sync"
	"sync/atomic"

	"ringmq/store/record"
)

// maxGapUnits is how many lost records a queue stands in for with blanks. A larger step makes it begin anew: that is a
// queue whose past was dropped, not one that lost a few records.
const maxGapUnits = 16 << 20

// Queue is one consume queue. Numbers count entries from the beginning of its time.
type Queue struct {
	set   *Set
	topic string
	id    int32

	min         atomic.Int64
	max         atomic.Int64
	maxPhysical atomic.Int64 // end of the last record, physical; 0: none yet
	minPhysical atomic.Int64 // physical offset of the record at min + 1; 0: not known

	// io is taken by whoever changes the queue's files. While the queue is unsettled, settling is enough: who holds io settles first.
	io        sync.Mutex
	firstFile int64 // where the oldest file begins, in bytes; meaningful unless noFiles
	endFile   int64 // where the newest file ends
	noFiles   bool
	dirMade   bool
	tailClean bool // the newest file is known to hold zeros behind written

	// erased is closed when the files of an older queue of that name are gone, nil if there was none; none are made before.
	erased <-chan struct{}

	// suspect is an entry that a power cut may have torn, -1: none. It was the last one found and lies across two sectors,
	// so its end may be zeros that were never written. A replay of its record puts it right. Writer only.
	suspect int64
	leap    bool        // Leap; writer only
	cut     bool        // by Recover, which found damage
	found   []foundFile // by listFiles, until takeFiles

	misplaced int64 // one more than an entry that Recover found to be another message's, 0: none

	trusted   bool        // Trust gave its numbers
	unsettled atomic.Bool // and nobody has looked at its files since
	settling  sync.Mutex  // of who does; taken after io, before mu

	mu      sync.Mutex
	ring    ring
	written int64 // changed with io and mu held, or when the queue is forgotten
	dirty   bool  // in set.dirty
	deleted bool
	warned  bool
	// pressing: in set.pressing, since so many entries wait that they should be written soon.
	pressing bool
	peak     int64       // most entries that waited since the last Flush
	used     atomic.Bool // since the budget last came by
	ringAt   int         // in budget.rings, under its lock; meaningful while there is a ring
}

// Topic is the queue's topic.
func (q *Queue) Topic() string { return q.topic }

// ID is the queue's number in its topic.
func (q *Queue) ID() int32 { return q.id }

// Min is the first entry whose record is still in the log, as of the last CorrectMin.
func (q *Queue) Min() int64 { return q.min.Load() }

// Max is the number of entries put so far: the offset the next one will have.
func (q *Queue) Max() int64 { return q.max.Load() }

// MaxPhysical is the physical offset behind the last record in the queue, -1 if it has none.
func (q *Queue) MaxPhysical() int64 {
	if p := q.maxPhysical.Load(); p > 0 {
		return p
	}
	return -1
}

// Put adds the entry of a record at queueOffset. A record the queue already has, or one that lies before its last one in
// the log, is skipped without an error, so that a replay of the log is harmless. Where queueOffset is ahead of Max, blanks
// stand for the records between; a queue's first entry makes its Min.
//
// One goroutine, the writer. An entry is taken as long as there is memory, and no file is touched then; when there is none
// the writer has to write files itself, which Stalls counts, and when they cannot be written either, the error says why, and
// the same Put may be tried again later.
func (q *Queue) Put(queueOffset int64, u record.QueueUnit) error {
	return q.PutWith(queueOffset, u, nil)
}

// PutWith is Put for a Set of longer entries: rest are the bytes behind the unit.
func (q *Queue) PutWith(queueOffset int64, u record.QueueUnit, rest []byte) error {
	if queueOffset < 0 || !u.Written() {
		return fmt.Errorf("consume queue %s/%d: entry %d (physical %d, size %d) is none", q.topic, q.id, queueOffset, u.Offset, u.Size)
	}
	if queueOffset == q.suspect {
		return q.mend(u, rest)
	}
	if u.End() <= q.maxPhysical.Load() {
		return nil
	}
	q.mu.Lock()
	if at := q.max.Load(); queueOffset == at && !q.deleted && q.roomy(at) {
		told := q.add(at, u, rest)
		q.mu.Unlock()
		q.tell(told)
		return nil
	}
	q.mu.Unlock()
	return q.putOdd(queueOffset, u, rest)
}

// putOdd puts an entry that is not simply the next one with room for it.
func (q *Queue) putOdd(queueOffset int64, u record.QueueUnit, rest []byte) error {
	q.mu.Lock()
	max := q.max.Load()
	if q.deleted {
		q.mu.Unlock()
		return fmt.Errorf("consume queue %s/%d: %w", q.topic, q.id, ErrDeleted)
	}
	if queueOffset < max && q.maxPhysical.Load() == 0 {
		q.mu.Unlock() // no record stands behind what the files say: the log knows better
		if err := q.beginAt(queueOffset); err != nil {
			return err
		}
		return q.push(queueOffset, u, rest)
	}
	if queueOffset < max {
		warn := !q.warned
		q.warned = true
		q.mu.Unlock()
		if warn {
			q.set.logger.Warn("a record's queue offset is taken", "topic", q.topic, "queue", q.id, "offset", queueOffset, "max", max, "physical", u.Offset)
		}
		return nil
	}
	q.mu.Unlock()
	if queueOffset > max {
		if err := q.stepTo(queueOffset); err != nil {
			return err
		}
	}
	return q.push(queueOffset, u, rest)
}

// push adds the entry behind the last one. Only the writer makes the ring longer, and nobody makes it so short that there
// is no room, so that what makeRoom saw to stays true.
func (q *Queue) push(at int64, u record.QueueUnit, rest []byte) error {
	q.mu.Lock()
	roomy := q.roomy(at)
	q.mu.Unlock()
	if !roomy {
		if err := q.makeRoom(); err != nil {
			return err
		}
	}
	q.mu.Lock()
	if q.deleted {
		q.mu.Unlock()
		return fmt.Errorf("consume queue %s/%d: %w", q.topic, q.id, ErrDeleted)
	}
	told := q.add(at, u, rest)
	q.mu.Unlock()
	q.tell(told)
	return nil
}

// roomy says whether an entry fits into the ring as it is, perhaps in place of an old one. A ring that might be longer asks for
// that once a turn only, since the answer is no for all of them where queues are very many. mu is held.
func (q *Queue) roomy(at int64) bool {
	if !q.ring.full(at) {
		return true
	}
	units := q.ring.units()
	return units > 0 && q.ring.from < q.written && (units >= q.set.hot || at&(units-1) != 0)
}

// news is what others have to be told of a queue.
type news uint8

const (
	newsDirty    news = 1 << iota // it has entries that are not in files
	newsPressing                  // they take half of its ring
)

// add puts the entry into the ring, which has room or an old entry to give up. mu is held.
func (q *Queue) add(at int64, u record.QueueUnit, rest []byte) (n news) {
	if q.ring.from < at && q.ring.full(at) {
		q.ring.from++
	}
	q.ring.put(at, u, rest)
	if !u.IsBlank() {
		q.maxPhysical.Store(u.End())
		if at == q.min.Load() {
			q.minPhysical.Store(u.Offset + 1)
		}
	}
	q.max.Store(at + 1)
	q.set.puts.Add(1)
	if !q.dirty {
		q.dirty, n = true, newsDirty
	}
	waiting := at + 1 - q.written
	q.peak = max(q.peak, waiting)
	if units := q.ring.units(); 2*waiting >= units && 2*units >= q.set.hot && !q.pressing {
		q.pressing = true
		n |= newsPressing
	}
	return n
}

func (q *Queue) tell(n news) {
	if !q.used.Load() {
		q.used.Store(true)
	}
	if n&newsDirty != 0 {
		q.set.markDirty(q)
	}
	if n&newsPressing != 0 {
		q.set.markPressing(q)
	}
}

// stepTo makes the next entry the one at offset, which is ahead of Max.
func (q *Queue) stepTo(offset int64) error {
	max := q.max.Load()
	if max == 0 || offset-max > maxGapUnits || q.leap && q.min.Load() == max {
		return q.beginAt(offset)
	}
	q.set.logger.Warn("records are missing in a consume queue", "topic", q.topic, "queue", q.id, "from", max, "to", offset)
	if offset-max <= q.set.hot/2 {
		for at := max; at < offset; at++ {
			if err := q.push(at, record.BlankUnit, nil); err != nil {
				return err
			}
		}
		return nil
	}
	// Too many for the ring: with everything before them written, the ring may begin behind them.
	if err := q.write(); err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ring.from = offset
	q.max.Store(offset)
	return nil
}

// beginAt makes offset the first entry of a queue that is empty or whose past is dropped. The file it lies in gets blanks
// before it when it is written.
func (q *Queue) beginAt(offset int64) error {
	if err := q.Settle(); err != nil {
		return err
	}
	q.io.Lock()
	defer q.io.Unlock()
	if max := q.max.Load(); max > 0 {
		q.set.logger.Error("consume queue begins anew", "topic", q.topic, "queue", q.id, "max", max, "at", offset)
	}
	if err := q.removeFiles(); err != nil {
		return err
	}
	q.beginEmpty(offset)
	return nil
}

// beginEmpty makes offset the first entry of a queue that has no files. io is held.
func (q *Queue) beginEmpty(offset int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.written = offset - offset%q.set.fileUnits
	q.ring.from = offset
	q.min.Store(offset)
	q.minPhysical.Store(0)
	q.max.Store(offset)
}

// mend writes the suspect entry again.
func (q *Queue) mend(u record.QueueUnit, rest []byte) error {
	q.io.Lock()
	defer q.io.Unlock()
	b := make([]byte, q.set.unitBytes)
	fill(b, u, rest)
	if err := q.writeAt(q.suspect, b); err != nil {
		return fmt.Errorf("mend consume queue %s/%d at %d: %w", q.topic, q.id, q.suspect, err)
	}
	q.suspect = -1
	q.maxPhysical.Store(max(q.maxPhysical.Load(), u.End()))
	return nil
}
