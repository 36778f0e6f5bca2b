package store

import (
	"fmt"
	"strconv"

	"ringmq/store/record"
)

// readBatches reads from a BatchCQ queue: as Read, but one record is a whole batch. A batch that holds the offset asked
// for is returned from its beginning.
func (r *reading) readBatches(q *batchQueue, dst []byte) ([]byte, Found, error) {
	r.f.Min, r.f.Max = q.min.Load(), q.max.Load()
	if !r.bounded() {
		return dst, r.f, nil
	}
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
func (s *Store) putBatch(r *record.Record, u record.QueueUnit) (entry, error) {
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
	q := s.batches.lookup(r.Topic, r.QueueID)
	if q == nil {
		q = s.batches.make(string(r.Topic), r.QueueID)
	}
	return entry{topic: q.topic, id: q.id, offset: b.base, count: b.count, u: u}, q.put(b)
}
