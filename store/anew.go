package store

import (
	"ringmq/store/queue"
	"ringmq/store/record"
)

// A master gives a queue offset twice only where the topic was deleted in between, or the queue was given up since it had no records
// left. A store that was not told so, as a slave's, sees it by the records themselves: one that lies behind all of its queue and has an offset
// that the queue has given to another begins the queue anew. What the queue has is nobody's any more, and what was acknowledged is this.
//
// A queue made again begins at 0. An offset in the middle comes from a master that had lost the end of the queue when it became one, or after
// damage: there the queue is cut, and keeps what comes before.

// anew has a queue begin anew if a record that is about to be put into it says so, and puts the record where blanks hold its place. done:
// it is in the queue. Writer only.
func (s *Store) anew(q *queue.Queue, r *record.Record, raw []byte, u record.QueueUnit) (renewed, done bool, err error) {
	if isLMQ(q.Topic()) {
		return false, false, nil // its offsets are another queue's
	}
	claim, err := q.Claims(r.QueueOffset, u)
	if err != nil || claim == queue.ClaimFree || !s.provesOffset(r, raw, r.QueueOffset, q.MaxPhysical()) {
		return false, false, err
	}
	if claim == queue.ClaimBlank {
		return false, true, q.Replace(r.QueueOffset, u)
	}
	low, high, last := q.Min(), q.Max(), q.MaxPhysical()
	cut := q.Renew
	if r.QueueOffset > max(low, 0) && last > s.log.Min() {
		cut = func() error { return q.CutAt(r.QueueOffset) }
	}
	if err := cut(); err != nil {
		return false, false, err
	}
	s.renewed(q.Topic(), q.ID(), r, low, high, last, r.QueueOffset)
	return true, false, nil
}

// anewBatches is anew for a batch queue.
func (s *Store) anewBatches(q *batchQueue, r *record.Record, raw []byte, u batchUnit) (renewed bool, err error) {
	last := q.units.MaxPhysical()
	if u.base >= q.max.Load() || last <= 0 || u.Offset < last || u.Offset == q.found || !s.provesOffset(r, raw, u.base, last) {
		return false, nil
	}
	low, high := q.min.Load(), q.max.Load()
	cut := q.renew
	if u.base > max(low, 0) && last > s.log.Min() {
		cut = func() error { return q.cutAt(u.base) }
	}
	if err := cut(); err != nil {
		return false, err
	}
	s.renewed(q.topic, q.id, r, low, high, last, u.base)
	return true, nil
}

// provesOffset says whether a record can be believed that it has an offset of a queue whose last record ends at last. The checksum of all
// of it covers that. One of the body alone does not: then a queue that has records in the log is given up for its very first offset only, which a
// flipped bit makes of hardly any other.
func (s *Store) provesOffset(r *record.Record, raw []byte, offset, last int64) bool {
	if r.Verify(raw) != nil {
		return false
	}
	present, _ := record.VerifyPropCRC(raw)
	return present || offset == 0 || last <= s.log.Min()
}

// renewed says so, and has the offsets of a queue whose copies it follows go on behind them.
func (s *Store) renewed(topic string, id int32, r *record.Record, low, high, last, offset int64) {
	s.recovered.restarted = true
	if r.PhysicalOffset < s.copied.Load() {
		s.counters.restart(topic, id)
	}
	s.logger.Warn("consume queue begins anew where offsets are given again: its topic was deleted and made again", "topic", topic, "queue", id,
		"min", low, "max", high, "physical", last, "at", offset, "record", r.PhysicalOffset)
}

// kind is where a record goes that an ordinary queue was emptied for: its topic may have been made again with batches.
func (s *Store) kind(r *record.Record, k *record.Known, q *queue.Queue, recent *recentQueues) (*queue.Queue, *batchQueue, error) {
	if !s.batches.declares(r.Topic) {
		return q, nil, nil
	}
	recent.forget()
	return s.queueFor(r, k, recent)
}
