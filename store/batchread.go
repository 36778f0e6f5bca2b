package store

import (
	"fmt"
	"strconv"

	"ringmq/store/record"
)

// batchFor is the batch queue that a queue's records belong into, nil where it is an ordinary one. The topic decides, not the
// flags of a record: a queue that has ordinary entries is no batch queue, unless its topic is declared to have those and there
// is one; a topic that is not declared keeps the batch queue that is there. made: one that is missing is made.
func (s *Store) batchFor(topic []byte, id int32, made bool) *batchQueue {
	q := s.batches.lookup(topic, id)
	declared := (made || q != nil) && s.batches.declares(topic)
	if q != nil && declared || q == nil && !declared {
		return q
	}
	if o := s.queues.Lookup(topic, id); o != nil && o.Max() > 0 {
		return nil
	}
	if q == nil {
		q = s.batches.make(string(topic), id)
	}
	return q
}

// readBatches reads from a BatchCQ queue: as Read, but one record is a whole batch. A batch that holds the offset asked
// for is returned from its beginning.
func (r *reading) readBatches(q *batchQueue, dst []byte) ([]byte, Found, error) {
	r.f.Min, r.f.Max = q.min.Load(), q.max.Load()
	if !r.bounded() {
		return dst, r.f, nil
	}
	defer r.release()
	var units [unitsPerLook]batchUnit
	for r.f.NextOffset < r.f.Max {
		n, err := q.read(r.f.NextOffset, units[:])
		if err != nil {
			return dst[:r.begin], Found{}, fmt.Errorf("read batch queue %s-%d: %w", q.topic, q.id, err)
		}
		if n == 0 {
			break
		}
		for _, u := range units[:n] {
			if u.base >= r.f.Max { // put since, perhaps of a record beyond what was visible
				r.finish()
				return dst, r.f, nil
			}
			r.step = u.base + int64(u.count) - r.f.NextOffset
			var v verdict
			if dst, v, err = r.takeCold(u.QueueUnit, dst); err != nil {
				return dst[:r.begin], Found{}, err
			} else if v == stop {
				r.finish()
				return dst, r.f, nil
			}
		}
	}
	r.finish()
	return dst, r.f, nil
}

// putBatch puts the entry of a record of a BatchCQ topic. A single message is a batch of one.
func putBatch(q *batchQueue, r *record.Record, u record.QueueUnit) (entry, error) {
	b := batchUnit{QueueUnit: u, storeTime: r.StoreTimestamp, base: r.QueueOffset, count: 1}
	if r.SysFlag&record.SysFlagInnerBatch != 0 {
		if v, ok := record.Property(r.Properties, record.PropertyInnerNum); ok {
			b.count = int32(min(max(1, parseDecimal(v)), 1<<15-1))
		}
		if v, ok := record.Property(r.Properties, record.PropertyInnerBase); ok {
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n >= 0 {
				b.base = n
			}
		}
	}
	return entry{topic: q.topic, id: q.id, offset: b.base, count: b.count, u: u}, q.put(b)
}
