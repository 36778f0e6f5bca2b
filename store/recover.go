package store

import (
	"errors"
	"fmt"
	"math"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// recovery is what a start found and did.
type recovery struct {
	crashed bool
	why     string // why the walk began where it did
	from    int64
	end     int64
	bytes   int64
	records int64
	took    time.Duration
	last    place

	restarted bool // a queue was emptied, since the log has records before its first entry
}

// recover makes log and queues agree. The log is walked from where the queues are known to be durable; its valid records
// get their queue entries (those that have them already are skipped), and entries that point behind its end are cut.
// Nothing is written to the log before commitlog.Start, and what is written to the queues is what a second run would
// write again: a crash in here is harmless.
func (s *Store) recover(crashed bool) error {
	begin := time.Now()
	if err := s.resumeCut(); err != nil {
		return err
	}
	known := s.left
	if !s.endsHold() {
		known = nil
	}
	s.left = nil
	trusted := s.trustQueues(known, crashed)
	maxPhysical, err := s.recoverQueues()
	if err != nil {
		return fmt.Errorf("recover queues: %w", err)
	}
	s.dispatch = newDispatcher(s)
	for segment, t := range s.checkpoint.current.Sealed {
		s.dispatch.sealed[segment] = t
	}
	r := &s.recovered
	r.crashed = crashed
	rebuild, err := s.shortfall(known, math.MaxInt64)
	if err != nil {
		return fmt.Errorf("rebuild queues: %w", err)
	}
	result, err := s.walk(crashed, maxPhysical, rebuild, trusted)
	if err != nil {
		return err
	}
	if s.o.cut != nil {
		if err := s.cutTail(&result); err != nil {
			return err
		}
	} else if err := errors.Join(s.leaveRoom(result.Gaps), s.honour(known)); err != nil {
		return fmt.Errorf("rebuild queues: %w", err)
	}
	r.end, r.bytes, r.records = result.End, max(0, result.End-r.from), result.Records
	for _, g := range result.Gaps {
		s.gaps.add(g.From, g.To, g.Kind.String())
	}
	if err := s.alignQueues(result.End, rebuild < math.MaxInt64 || s.recovered.restarted); err != nil {
		return err
	}
	if err := s.graves.clamp(result.End); err != nil {
		return err
	}
	if err := s.log.Start(result.End, s.o.cut != nil); err != nil {
		return fmt.Errorf("start commit log at %d: %w", result.End, err)
	}
	if err := s.endCut(); err != nil {
		return err
	}
	s.dispatch.at.Store(result.End)
	s.dispatch.last, s.dispatch.latest = r.last, r.last
	if s.index != nil {
		s.indexing = newIndexer(s)
		s.indexing.at.Store(s.index.LastPhysical())
	}
	r.took = time.Since(begin)
	s.logger.Info("store recovered", "crashed", crashed, "from", r.from, "why", r.why, "end", result.End,
		"records", r.records, "gaps", len(result.Gaps), "took", r.took, "engine", s.engine)
	return nil
}

// recoverQueues finds the ends of all queues, and returns the physical offset behind the last record that any of them had. Those that an
// interrupted deletion left are gone then.
func (s *Store) recoverQueues() (maxPhysical int64, err error) {
	if maxPhysical, err = s.queues.Recover(); err != nil {
		return -1, err
	}
	batches, err := s.batches.units.Recover()
	if err != nil {
		return -1, fmt.Errorf("batch queues: %w", err)
	}
	for _, topic := range s.graves.topics() {
		if err := s.eraseBuried(s.queues, topic); err != nil {
			return -1, err
		}
		if err := s.eraseBuried(s.batches.units, topic); err != nil {
			return -1, err
		}
	}
	if err := s.batches.each((*batchQueue).cutDamaged); err != nil {
		return -1, err
	}
	return max(maxPhysical, batches), s.batches.learn()
}

// eraseBuried removes queues of a topic whose last record was deleted with the topic. Records that came later have the same queue offsets.
func (s *Store) eraseBuried(set *queue.Set, topic string) error {
	all := set.Topic(topic)
	var old []*queue.Queue
	for _, q := range all {
		if end := q.MaxPhysical(); end > 0 && s.buried(topic, end) {
			s.logger.Warn("a deletion was interrupted: its queue is removed", "topic", topic, "queue", q.ID(), "entries", q.Max())
			old = append(old, q)
		}
	}
	if len(old) > 0 && len(old) == len(all) {
		if err := set.Delete(topic); err != nil { // they are forgotten all the same, and queues of that name remove what is left
			s.logger.Error("a deletion was interrupted and its files cannot be removed", "topic", topic, "error", err)
		}
		return nil
	}
	for _, q := range old {
		if err := q.Renew(); err != nil {
			return err
		}
	}
	return nil
}

// walk visits the log from the best beginning known, and at the latest from where queues have to be rebuilt, or from where those that
// were trusted want it (-1: none). A mark that does not hold is given up for the slower way.
func (s *Store) walk(crashed bool, maxPhysical, rebuild, trusted int64) (commitlog.Result, error) {
	r := &s.recovered
	if rebuild < math.MaxInt64 {
		maxPhysical = min(maxPhysical, rebuild)
	}
	if m := s.checkpoint.current; m.ReplayFrom >= s.log.Min() && m.End <= s.log.Max() && s.markHolds(m) {
		from := m.ReplayFrom
		if trusted >= 0 {
			from = min(from, trusted)
		}
		if maxPhysical >= from {
			r.from, r.why = from, "mark"
			return s.walkFrom(from)
		}
	}
	if crashed {
		// Queues that lag behind the checkpoint were lost or damaged: they decide then.
		r.from, r.why = min(s.segmentByTime(s.checkpoint.safeTime()), s.segmentByOffset(maxPhysical)), "checkpoint"
	} else {
		r.from, r.why = s.segmentByOffset(maxPhysical), "queues"
	}
	return s.walkFrom(r.from)
}

// markHolds says whether the record a mark speaks of is there, whole.
func (s *Store) markHolds(m mark) bool {
	size := m.End - m.ReplayFrom
	if size < record.MinRecordBytes || size > int64(s.maxRecordBytes()) {
		return false
	}
	raw := make([]byte, size)
	return s.log.ReadAt(m.ReplayFrom, raw) == nil && checkRecord(raw, m.ReplayFrom) == nil
}

// segmentByTime is the newest segment whose first record was stored at or before t (ms), the first segment if none was. So it is where t lies
// ahead of the clock: what was stored behind it may have followed the clock back, and be earlier.
func (s *Store) segmentByTime(t int64) int64 {
	list := s.log.Segments()
	for i := len(list) - 1; i > 0 && t <= s.boot.UnixMilli(); i-- {
		if stored, ok := s.log.StoreTime(list[i].Start); ok && stored != 0 && stored <= t {
			return list[i].Start
		}
	}
	return s.log.Min()
}

// segmentByOffset is the newest segment that begins at or before a physical offset, the first segment if none does.
func (s *Store) segmentByOffset(physical int64) int64 {
	list := s.log.Segments()
	for i := len(list) - 1; i > 0; i-- {
		if list[i].Start <= physical {
			return list[i].Start
		}
	}
	return s.log.Min()
}

// walkFrom gives every valid record from an offset on its queue entry.
func (s *Store) walkFrom(from int64) (commitlog.Result, error) {
	result, err := s.log.Walk(from, s.visitor())
	if err != nil {
		return result, fmt.Errorf("walk commit log from %d: %w", from, err)
	}
	return result, nil
}

func (s *Store) visitor() commitlog.Visitor {
	known, recent := new(record.Known), new(recentQueues)
	return commitlog.Visitor{
		Deleted: s.graves.holds,
		Record: func(r *record.Record, raw []byte) error {
			if s.o.cut != nil && r.PhysicalOffset >= s.o.cut.at {
				return nil // it goes
			}
			s.dispatch.note(place{from: r.PhysicalOffset, to: r.PhysicalOffset + int64(r.TotalSize), storeTime: r.StoreTimestamp})
			s.recovered.last = s.dispatch.latest
			known.Scan(r.Properties)
			if err := s.refill(r, raw); err != nil {
				return err
			}
			_, err := s.enqueue(r, raw, known, recent)
			return err
		},
	}
}

// refill empties a queue that has lost its first files while the log still has their records, of which this is the first: all
// that belongs into it is still to come. Only a record that is proved whole can say so. One behind all of the queue says something else: see anew.
func (s *Store) refill(r *record.Record, raw []byte) error {
	q := s.queues.Lookup(r.Topic, r.QueueID)
	if q == nil || q.Max() == 0 || q.MaxPhysical() > 0 && r.PhysicalOffset >= q.MaxPhysical() || r.QueueOffset < 0 || r.QueueOffset >= q.Min() || r.SysFlag&record.SysFlagInnerBatch != 0 {
		return nil
	}
	if kind := r.SysFlag & record.SysFlagTransaction; kind == record.SysFlagPrepared || kind == record.SysFlagRollback {
		return nil
	}
	if present, ok := record.VerifyPropCRC(raw); !present || !ok || s.graves.holds(r.Topic, r.PhysicalOffset) {
		return nil
	}
	s.logger.Error("consume queue is not whole: rebuilt from the log", "topic", q.Topic(), "queue", q.ID(), "first", q.Min(), "record", r.QueueOffset)
	s.recovered.restarted = true
	return q.Restart()
}

// alignQueues cuts entries behind the end of the log, drops those before its beginning, and fills the table of queue
// offsets. rebuilt: the files of queues were filled again, which has to be durable before a checkpoint says so.
func (s *Store) alignQueues(end int64, rebuilt bool) error {
	for _, set := range []*queue.Set{s.queues, s.batches.units} {
		if err := s.alignSet(set, end, rebuilt); err != nil {
			return fmt.Errorf("align queues with the log: %w", err)
		}
	}
	s.queues.Each(func(q *queue.Queue) { s.counters.set(q.Topic(), q.ID(), q.Max()) })
	if err := s.batches.learn(); err != nil {
		return fmt.Errorf("align queues with the log: %w", err)
	}
	return s.batches.each(func(q *batchQueue) error {
		s.counters.set(q.topic, q.id, q.max.Load())
		return nil
	})
}

func (s *Store) alignSet(set *queue.Set, end int64, rebuilt bool) (err error) {
	low, cut := s.log.Min(), rebuilt
	if rebuilt {
		if err := set.Flush(); err != nil {
			return err
		}
	}
	set.Each(func(q *queue.Queue) {
		if err == nil && q.MaxPhysical() > end {
			cut = true
			err = q.Truncate(end)
		}
		if err == nil {
			err = q.CorrectMin(s.graves.behind(q.Topic(), low))
		}
	})
	if cut && err == nil {
		// Entries behind the end must be gone for good before other records take their place in the log.
		err = set.Sync()
	}
	return err
}
