package store

import (
	"fmt"
	"math"
	"strconv"

	"ringmq/store/record"
)

// batchFor is the batch queue that a queue's records belong into, nil where it is an ordinary one. For a record that does not say itself that it is
// a batch the topic decides: a queue that has ordinary entries is no batch queue, unless its topic is declared to have those and there
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
// for is returned from its beginning. NextOffset grows, whatever the
// units say.
func (r *reading) readBatches(q *batchQueue, dst []byte) ([]byte, Found, error) {
	r.batch = q
	r.f.Min, r.f.Max = q.min.Load(), q.max.Load()
	if !r.bounded() {
		return dst, r.f, nil
	}
	defer r.release()
	at, u, err := q.seek(r.f.NextOffset)
	if err == nil && (u.count == 0 || u.base >= r.f.Max) { // what there was is damaged
		r.f.Status, r.f.NextOffset = StatusMessageWasRemoving, r.f.Max
	} else if err == nil {
		dst, err = r.takeBatches(at, dst)
	}
	if err != nil {
		return dst[:r.begin], Found{}, fmt.Errorf("read batch queue %s-%d at %d: %w", q.topic, q.id, r.w.Offset, err)
	}
	r.finish()
	return dst, r.f, nil
}

// takeBatches takes units from a number on until the answer is full, or enough of them were looked at.
func (r *reading) takeBatches(at int64, dst []byte) ([]byte, error) {
	var units [unitsPerLook]batchUnit
	for end := at + r.scan; at < end; {
		n, err := r.batch.read(at, units[:min(end-at, unitsPerLook)])
		if err != nil || n == 0 {
			return dst, err
		}
		for _, u := range units[:n] {
			if u.count == 0 || u.end() <= r.f.NextOffset {
				continue
			}
			if u.base >= r.f.Max { // put since, perhaps of a record beyond what was visible
				return dst, nil
			}
			r.unit, r.step = u, u.end()-r.f.NextOffset
			var v verdict
			if dst, v, err = r.takeCold(u.QueueUnit, dst); err != nil || v == stop {
				return dst, err
			}
		}
		at += int64(n)
	}
	return dst, nil
}

// batchUnitOf is the unit of a record of a BatchCQ topic. A single message is a batch of one.
func batchUnitOf(r *record.Record, u record.QueueUnit) batchUnit {
	b := batchUnit{QueueUnit: u, storeTime: r.StoreTimestamp, base: r.QueueOffset, count: 1}
	if r.SysFlag&record.SysFlagInnerBatch != 0 {
		if v, ok := record.Property(r.Properties, record.PropertyInnerNum); ok {
			b.count = int32(min(max(1, parseDecimal(v)), math.MaxInt16))
		}
		if v, ok := record.Property(r.Properties, record.PropertyInnerBase); ok {
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n >= 0 {
				b.base = n
			}
		}
	}
	return b
}

// putBatch puts the entry of a record of a BatchCQ topic. One that begins its queue anew, without being a batch, while the topic is not
// declared to have those any more, goes to the ordinary queue.
func (s *Store) putBatch(q *batchQueue, r *record.Record, raw []byte, u record.QueueUnit) (entry, error) {
	b := batchUnitOf(r, u)
	renewed, err := s.anewBatches(q, r, raw, b)
	if err != nil {
		return entry{topic: q.topic, id: q.id}, err
	}
	if renewed && r.SysFlag&record.SysFlagInnerBatch == 0 && !s.batches.declares(r.Topic) {
		return s.put(s.queues.Queue(q.topic, q.id), r, u)
	}
	return entry{topic: q.topic, id: q.id, offset: b.base, count: b.count, u: u}, q.put(b)
}
