package store

import (
	"errors"
	"fmt"

	"ringmq/store/record"
)

// Heal puts back what a gap has lost: b, from a copy of this log, lies at from, where a gap begins, in one segment and not beyond the
// gap's end. It must be whole records, each with its checksum and saying that it lies there, and perhaps a segment's blank behind them. ErrNotFound where
// there is no such gap, ErrCorrupt where they are not whole; nothing is changed then. It is written in place and synced; queues that have no
// entry of such a record get it. Any goroutine; it waits for the disk.
func (s *Store) Heal(from int64, b []byte) error {
	to := from + int64(len(b))
	if !s.gaps.covers(from, to) {
		return fmt.Errorf("heal %d to %d: %w", from, to, ErrNotFound)
	}
	records, err := s.checkWhole(from, b)
	if err != nil {
		return fmt.Errorf("heal %d to %d: %w", from, to, err)
	}
	if err := s.log.Mend(from, b); err != nil {
		return fmt.Errorf("heal %d to %d: %w", from, to, err)
	}
	s.windows.drop(from, to)
	if !s.dispatch.do(func() { err = s.enterAgain(b) }) {
		return ErrClosed
	}
	if err != nil {
		return fmt.Errorf("heal %d to %d: %w", from, to, err)
	}
	s.gaps.heal(from, to)
	s.gaps.tellSettled()
	s.gaps.records.Add(records)
	s.logger.Warn("damage healed from a copy", "from", from, "to", to)
	return nil
}

// covers says whether a gap begins at from and goes to `to` at least.
func (g *gaps) covers(from, to int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, gap := range g.list {
		if gap.From == from {
			return to > from && to <= gap.To
		}
	}
	return false
}

// checkWhole says whether b is whole, unharmed records that lie at an offset, up to a blank perhaps, and how many.
func (s *Store) checkWhole(at int64, b []byte) (records int64, err error) {
	end := at - at%s.o.SegmentBytes + s.o.SegmentBytes
	for len(b) > 0 {
		size, what := record.Look(b, end-at, int64(len(b)))
		if what == record.Blank && size == int64(len(b)) {
			return records, nil
		}
		if what != record.Message || checkRecord(b[:size], at) != nil {
			return 0, ErrCorrupt
		}
		at, b, records = at+size, b[size:], records+1
	}
	return records, nil
}

// enterAgain gives records that were lost their entries. On the dispatcher's goroutine.
func (s *Store) enterAgain(b []byte) (err error) {
	recent := new(recentQueues)
	for len(b) > 0 {
		var r record.Record
		if r.Parse(b) != nil {
			return err // the blank
		}
		raw := b[:r.TotalSize]
		b = b[r.TotalSize:]
		if r.PhysicalOffset >= s.dispatch.at.Load() {
			continue // its turn will come
		}
		var k record.Known
		k.Scan(r.Properties)
		q := s.queues.Lookup(r.Topic, r.QueueID)
		if q == nil || r.QueueOffset >= q.Max() || r.PhysicalOffset >= q.MaxPhysical() || s.batchFor(r.Topic, r.QueueID, false) != nil {
			e, failed := s.enqueue(&r, raw, &k, recent)
			if failed == nil && e.count > 0 {
				s.raiseCounter(e, r.PhysicalOffset)
			}
			err = errors.Join(err, failed)
			continue
		}
		kind := r.SysFlag & record.SysFlagTransaction
		if kind == record.SysFlagPrepared || kind == record.SysFlagRollback || s.graves.holds(r.Topic, r.PhysicalOffset) || r.QueueOffset < q.Min() {
			continue
		}
		var one [1]record.QueueUnit
		if n, failed := q.Read(r.QueueOffset, one[:]); failed != nil || n == 0 {
			err = errors.Join(err, failed)
			continue
		}
		u := record.QueueUnit{Offset: r.PhysicalOffset, Size: int32(len(raw)), TagsCode: s.tagsCode(&r, &k)}
		if one[0].IsBlank() {
			err = errors.Join(err, q.Replace(r.QueueOffset, u))
		}
	}
	return err
}
