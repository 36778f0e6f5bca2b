package store

import (
	"errors"
	"strings"
	"sync"
	"time"

	"ringmq/store/queue"
	"ringmq/store/record"
)

// mender puts damaged queue entries right from the log. One at a time: readers that come upon the same place wait for the
// first and find it mended.
type mender struct {
	mu     sync.Mutex
	q      *queue.Queue // the queue mended last, and
	lo, hi int64        // which entries: (lo, hi)
	at     time.Time

	vainMu sync.Mutex
	vain   map[queueEntry]struct{} // places where the log has nothing better
}

type queueEntry struct {
	q  *queue.Queue
	at int64
}

// tried says whether mending an entry is known to be in vain.
func (m *mender) tried(q *queue.Queue, at int64) bool {
	m.vainMu.Lock()
	defer m.vainMu.Unlock()
	_, vain := m.vain[queueEntry{q, at}]
	return vain
}

// inVain remembers that mending an entry did not help.
func (m *mender) inVain(q *queue.Queue, at int64) {
	m.vainMu.Lock()
	defer m.vainMu.Unlock()
	if m.vain == nil || len(m.vain) >= maxVain {
		m.vain = make(map[queueEntry]struct{})
	}
	m.vain[queueEntry{q, at}] = struct{}{}
}

const (
	// checkDelay is how long a start leaves the disk to others before the queues are looked through.
	checkDelay = 10 * time.Second
	// checkPause paces that: one piece of a queue, at most 64 KiB, and then this.
	checkPause = 5 * time.Millisecond
	// mendAgain is after what time a place mended before is looked at another time.
	mendAgain = 10 * time.Second
	// maxVain bounds what is remembered of places that cannot be mended.
	maxVain = 4096
	// lmqPrefix begins the names of queues whose records belong to another topic, with queue offsets of that.
	lmqPrefix = "%LMQ%"
)

func isLMQ(topic string) bool { return strings.HasPrefix(topic, lmqPrefix) }

// checkQueues looks once through the entries that were in files when the store was opened. A read has damage mended.
func (s *Store) checkQueues() {
	if !s.sleep(checkDelay) {
		return
	}
	units := make([]record.QueueUnit, 3276)
	s.queues.Each(func(q *queue.Queue) {
		for at, end := q.Min(), q.Max(); at < end && s.stop.Err() == nil; {
			n, err := q.Read(at, units)
			if err != nil || n == 0 || !s.sleep(checkPause) {
				return
			}
			at += int64(n)
		}
	})
}

// mendQueue writes the entries around a damaged one again, between the nearest on either side that the log confirms. Where
// the log has no record for an entry, one that cannot be true becomes a blank. True: there may be something else to read now.
func (s *Store) mendQueue(q *queue.Queue, at int64) bool {
	if at < q.Min() || isLMQ(q.Topic()) {
		return false
	}
	m := &s.mender
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.q == q && m.lo < at && at < m.hi && time.Since(m.at) < mendAgain {
		return true
	}
	lo, from := s.confirmed(q, at, -1)
	hi, to := s.confirmed(q, at, 1)
	mended, err := s.rewrite(q, lo, hi, from, to)
	if err != nil {
		s.logger.Error("consume queue is damaged and cannot be mended", "topic", q.Topic(), "queue", q.ID(), "from", lo+1, "to", hi, "error", err)
		return false
	}
	s.logger.Error("consume queue is damaged: entries rebuilt from the log", "topic", q.Topic(), "queue", q.ID(), "from", lo+1, "to", hi, "entries", mended)
	m.q, m.lo, m.hi, m.at = q, lo, hi, time.Now()
	return true
}

// confirmed finds the nearest entry before (step -1) or behind (step 1) `at` whose record is there and says so, and where the
// log has to be looked at from, or up to. None: the bounds of queue and log.
func (s *Store) confirmed(q *queue.Queue, at int64, step int64) (entry, physical int64) {
	var one [1]record.QueueUnit
	var raw []byte
	for i := at + step; i >= q.Min() && i < q.Max() && s.stop.Err() == nil; i += step {
		n, hot := q.ReadHot(i, one[:])
		if !hot {
			n, _ = q.ReadRaw(i, one[:])
		}
		u := one[0]
		if n == 0 || u.IsBlank() || !s.plausible(u, s.log.Visible().Load()) {
			continue
		}
		raw = grow(raw[:0], int(u.Size))
		var r record.Record
		if s.log.ReadAt(u.Offset, raw) != nil || checkRecord(raw, u.Offset) != nil || r.Parse(raw) != nil || !belongs(q, &r, i) {
			continue
		}
		if step < 0 {
			return i, u.End()
		}
		return i, u.Offset
	}
	if step < 0 {
		return q.Min() - 1, s.log.Min()
	}
	return q.Max(), s.dispatch.at.Load()
}

// belongsElsewhere says whether the record of an entry is there, whole, of this queue, and says that it has another queue offset: then the
// queue is numbered otherwise than its messages, as a stock slave's can be that has missed some of them. Reads would find everything
// whole, at places where the master has something else.
func (s *Store) belongsElsewhere(q *queue.Queue, at int64, u record.QueueUnit) bool {
	if isLMQ(q.Topic()) || !s.plausible(u, s.log.Max()) {
		return false
	}
	raw := make([]byte, u.Size)
	var r record.Record
	if s.log.ReadAt(u.Offset, raw) != nil || checkRecord(raw, u.Offset) != nil || r.Parse(raw) != nil {
		return false
	}
	return string(r.Topic) == q.Topic() && r.QueueID == q.ID() && r.SysFlag&record.SysFlagInnerBatch == 0 && r.QueueOffset != at
}

func belongs(q *queue.Queue, r *record.Record, at int64) bool {
	return r.QueueOffset == at && r.QueueID == q.ID() && string(r.Topic) == q.Topic()
}

// rewrite walks the log from one offset to another and writes the entries of the records it finds between lo and hi.
func (s *Store) rewrite(q *queue.Queue, lo, hi, from, to int64) (mended int, err error) {
	scan := s.newScanner()
	var r record.Record
	var k record.Known
	found := make(map[int64]bool)
	last := int64(0)
	for at := from; at < to; {
		if err := s.stop.Err(); err != nil {
			return mended, err // the store closes; the next start looks again
		}
		raw, after, err := scan.next(at, to)
		if errors.Is(err, errBroken) {
			at = scan.resync(at, min(to, at-at%s.o.SegmentBytes+s.o.SegmentBytes))
			continue
		}
		if err != nil {
			return mended, err
		}
		place := at
		at = after
		if raw == nil || r.Parse(raw) != nil || checkRecord(raw, place) != nil || r.QueueOffset <= lo || r.QueueOffset >= hi || !belongs(q, &r, r.QueueOffset) {
			continue
		}
		kind := r.SysFlag & record.SysFlagTransaction
		if kind == record.SysFlagPrepared || kind == record.SysFlagRollback || s.graves.holds(r.Topic, r.PhysicalOffset) {
			continue
		}
		k.Scan(r.Properties)
		u := record.QueueUnit{Offset: r.PhysicalOffset, Size: r.TotalSize, TagsCode: s.tagsCode(&r, &k)}
		if err := q.Mend(r.QueueOffset, u); err != nil {
			return mended, err
		}
		found[r.QueueOffset], last = true, u.End()
		mended++
	}
	return mended, s.blankOut(q, lo, hi, max(last, to), found)
}

// blankOut writes blanks over entries in (lo, hi) that the log did not confirm and that cannot be true: they are not in the
// order of the log. Others may be of a record that is damaged itself, and stay.
func (s *Store) blankOut(q *queue.Queue, lo, hi, end int64, found map[int64]bool) error {
	var one [1]record.QueueUnit
	last := int64(0)
	for at := lo + 1; at < hi; at++ {
		n, err := q.ReadRaw(at, one[:])
		if err != nil || n == 0 {
			return err
		}
		u := one[0]
		if !found[at] && !u.IsBlank() && (!u.Written() || u.Size < record.MinRecordBytes || u.Offset < last || u.End() > end) {
			if err := q.Mend(at, record.BlankUnit); err != nil {
				return err
			}
			continue
		}
		last = max(last, u.End())
	}
	return nil
}
