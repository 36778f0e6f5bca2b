package store

import (
	"ringmq/store/commitlog"
	"ringmq/store/record"
)

// maxLostBytes bounds how much of a damaged stretch of the log is looked at for what it says of queue offsets.
const maxLostBytes = 16 << 20

// leaveRoom sees to it that queue offsets of damaged records are not given to others, where what is left of those says which they are: a copy
// may have the records, and they come back to their places. The gaps are those of a walk whose records are in their queues.
func (s *Store) leaveRoom(list []commitlog.Gap) error {
	for _, g := range list {
		if g.Kind == commitlog.Torn {
			continue // nobody was told that it is there
		}
		at, end := g.From, g.From-g.From%s.o.SegmentBytes+s.o.SegmentBytes
		b := make([]byte, min(end, g.To, at+maxLostBytes)-at)
		if err := s.log.ReadAt(at, b); err != nil {
			return err
		}
		for len(b) >= record.MinRecordBytes {
			var r record.Record
			n := 0
			if r.Parse(b) == nil && r.PhysicalOffset == at {
				if err := s.leaveRoomFor(&r); err != nil {
					return err
				}
				n = int(r.TotalSize)
			} else if n = 1 + record.MagicAt(b[1:]); n == 0 {
				break
			}
			at, b = at+int64(n), b[n:]
		}
	}
	return nil
}

// leaveRoomFor believes a damaged record no more than what there was room for in the log.
func (s *Store) leaveRoomFor(r *record.Record) error {
	kind := r.SysFlag & record.SysFlagTransaction
	if kind == record.SysFlagPrepared || kind == record.SysFlagRollback || s.graves.holds(r.Topic, r.PhysicalOffset) || !validTopic(r.Topic) || r.QueueID < 0 {
		return nil
	}
	high, last := int64(0), int64(0)
	q, b := s.queues.Lookup(r.Topic, r.QueueID), s.batches.lookup(r.Topic, r.QueueID)
	if b != nil {
		high, last = b.max.Load(), b.units.MaxPhysical()
	} else if q != nil {
		high, last = q.Max(), q.MaxPhysical()
	}
	u := batchUnitOf(r, record.QueueUnit{})
	room := (r.PhysicalOffset - max(last, s.log.Min())) / record.MinRecordBytes
	if u.base < high || u.base-high > room {
		return nil
	}
	if b == nil && high > 0 {
		return q.Skip(u.base + 1)
	}
	s.counters.set(string(r.Topic), r.QueueID, u.base+int64(u.count))
	return nil
}
