package store

import (
	"fmt"

	"ringmq/store/queue"
	"ringmq/store/record"
)

// isWholeBatch says that a record is a batch kept as it is. Only a store sets the bit, and never without the number: clients' bits are
// masked. So the record says what its queue is, and says it earlier than a table of topics, which a slave has seconds later.
func isWholeBatch(r *record.Record, k *record.Known) bool {
	return r.SysFlag&record.SysFlagInnerBatch != 0 && k.InnerNum != nil
}

// batchOf is the batch queue of a record that is a whole batch. Where there is an ordinary queue with entries, they go into the batch
// queue first, and the ordinary one is empty from then on. nil: the queue became an ordinary one later, and the record is of a topic of
// the same name that was deleted. Writer only.
func (s *Store) batchOf(r *record.Record, recent *recentQueues) (*batchQueue, error) {
	o, q := s.queues.Lookup(r.Topic, r.QueueID), s.batches.lookup(r.Topic, r.QueueID)
	empty := o == nil || o.Max() == 0
	if empty && q != nil {
		return q, nil
	}
	if !empty && r.PhysicalOffset < o.MaxPhysical() {
		return nil, nil
	}
	recent.forget()
	if empty {
		return s.batches.make(string(r.Topic), r.QueueID), nil
	}
	q, err := s.convert(o, batchUnitOf(r, record.QueueUnit{}).base)
	if err != nil {
		return nil, fmt.Errorf("make queue %s/%d one of batches: %w", o.Topic(), o.ID(), err)
	}
	return q, nil
}

// convert makes a batch queue of an ordinary one, whose next message is at base. Entries at base or behind it are those of a topic of
// the same name that was deleted: with one of them, all are. The batch queue is durable before the other one loses its files. A crash
// that brings those back has the walk of the next start convert them again: no checkpoint is behind the record at hand before the
// files are gone for good.
func (s *Store) convert(o *queue.Queue, base int64) (*batchQueue, error) {
	q := s.batches.lookup([]byte(o.Topic()), o.ID())
	listed := q != nil
	if !listed {
		q = s.batches.unlisted(o.Topic(), o.ID())
	}
	low, high := o.Min(), o.Max()
	s.logger.Warn("a queue is one of batches: its entries are converted", "topic", o.Topic(), "queue", o.ID(), "from", low, "to", high, "next", base)
	if base >= high {
		if err := s.moveEntries(o, q); err != nil {
			return nil, err
		}
	}
	if err := s.batches.sync(); err != nil {
		return nil, err
	}
	if !listed {
		if err := q.learn(); err != nil { // an attempt before may have put the entries
			return nil, err
		}
		s.batches.list(q)
	}
	return q, o.Restart()
}

// moveEntries puts the entries of an ordinary queue into a batch queue, those whose records are there.
func (s *Store) moveEntries(o *queue.Queue, q *batchQueue) error {
	var units [unitsPerLook * record.QueueUnitBytes]byte
	var raw []byte
	for at, end := o.Min(), o.Max(); at < end; {
		n, err := o.ReadBytes(at, units[:min(end-at, unitsPerLook)*record.QueueUnitBytes])
		if err != nil || n == 0 {
			return err
		}
		for i := range n {
			u, ok := record.ParseQueueUnit(units[i*record.QueueUnitBytes:]), false
			if raw, ok = s.rawRecord(u, raw); !ok {
				continue
			}
			var r record.Record
			if r.Parse(raw) != nil || r.PhysicalOffset != u.Offset || !belongs(o, &r, at+int64(i)) {
				continue
			}
			if err := q.put(batchUnitOf(&r, u)); err != nil {
				return err
			}
		}
		at += int64(n)
	}
	return nil
}

// rawRecord reads what an entry points to into b; false: it is not there.
func (s *Store) rawRecord(u record.QueueUnit, b []byte) ([]byte, bool) {
	if u.IsBlank() || u.Offset < s.log.Min() || u.Size < record.MinRecordBytes || int(u.Size) > s.maxRecordBytes() {
		return b, false
	}
	if b, ok := s.log.ReadHot(u.Offset, int(u.Size), b[:0]); ok {
		return b, true
	}
	b = grow(b[:0], int(u.Size))
	return b, s.log.ReadAt(u.Offset, b) == nil
}

// converted is the batch queue that took the entries of an ordinary one, of which nothing is left; nil: there is none.
func (s *Store) converted(topic string, id int32) *batchQueue {
	q := s.batches.lookup([]byte(topic), id)
	if q == nil || q.units.Max() == 0 {
		return nil
	}
	if o := s.queues.Lookup([]byte(topic), id); o != nil && o.Max() > 0 {
		return nil
	}
	return q
}

// proved says whether a record has a checksum of all of it, which holds. For records in doubt: it reads the log.
func (s *Store) proved(r *record.Record) bool {
	raw, ok := s.rawRecord(record.QueueUnit{Offset: r.PhysicalOffset, Size: r.TotalSize}, nil)
	if !ok {
		return false
	}
	present, ok := record.VerifyPropCRC(raw)
	return present && ok
}
