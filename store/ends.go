package store

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"ringmq/store/queue"
)

// ends says how long every queue was when the checkpoint moved: <root>/ringmq/queues.json. What it says was durable then, so
// a start that finds less has lost files, and rebuilds them from the log. It counts only while a mark does, that is, as long
// as no stock broker has written to the store since.
type ends struct {
	LogMin    int64                 `json:"logMin"`         // where the log began
	QueueFile int                   `json:"queueFileBytes"` // as configured
	At        int64                 `json:"at"`             // the last record whose entry counts
	AtEnd     int64                 `json:"atEnd"`          // where it ends; 0: not known
	Synced    bool                  `json:"synced"`         // no record had an entry in a file before it was durable
	Topics    map[string][]queueEnd `json:"topics"`
	Batches   map[string][]queueEnd `json:"batches,omitempty"`
}

// queueEnd is one queue: id, min, max, the physical offset behind its last record (-1: none), that of the record at min (-1: not
// known), and where its oldest file begins. The last two were not there in the first of these files.
type queueEnd [6]int64

func (e queueEnd) id() int32  { return int32(e[0]) }
func (e queueEnd) min() int64 { return e[1] }
func (e queueEnd) max() int64 { return e[2] }
func (e queueEnd) end() int64 { return e[3] }

// passed says whether a queue has begun anew since: it is shorter, and has records that lie behind those of then.
func (e queueEnd) passed(high, physical int64) bool { return high < e.max() && physical > e.end() }

func (e queueEnd) bounds() queue.Bounds {
	return queue.Bounds{Min: e[1], Max: e[2], MaxPhysical: e[3], MinPhysical: e[4], FirstFile: e[5]}
}

const (
	endsName    = "queues.json"
	endsVersion = 2 // 1 had no checksum
	// endsPerQueue paces the writing of many queues' ends.
	endsPerQueue = 100 * time.Microsecond
)

// queueEnds collects where the queues end. On the dispatcher's goroutine, or when it has ended.
func (s *Store) queueEnds() *ends {
	last := s.dispatch.lastPlace()
	e := &ends{LogMin: s.log.Min(), QueueFile: s.o.QueueFileBytes, At: last.from, AtEnd: last.to, Synced: s.o.SyncFlush, Topics: map[string][]queueEnd{}, Batches: map[string][]queueEnd{}}
	s.queues.Each(func(q *queue.Queue) {
		if q.Max() > 0 {
			b := q.Bounds()
			e.Topics[q.Topic()] = append(e.Topics[q.Topic()], queueEnd{int64(q.ID()), b.Min, b.Max, b.MaxPhysical, b.MinPhysical, b.FirstFile})
		}
	})
	_ = s.batches.each(func(q *batchQueue) error {
		if high := q.max.Load(); high > 0 {
			e.Batches[q.topic] = append(e.Batches[q.topic], queueEnd{int64(q.id), q.min.Load(), high, q.units.MaxPhysical(), -1, 0})
		}
		return nil
	})
	return e
}

func (e *ends) queues() (n int) {
	for _, list := range e.Topics {
		n += len(list)
	}
	return n
}

func (s *Store) saveEnds(e *ends) error {
	if err := replaceWhole(s.fs, s.o.Root+"/ringmq", endsName, seal(endsVersion, e)); err != nil {
		return fmt.Errorf("write ends of queues: %w", err)
	}
	return nil
}

// loadEnds reads what the last run left; nil where that is nothing.
func (s *Store) loadEnds() (*ends, error) {
	b, err := readWhole(s.fs, s.o.Root+"/ringmq/"+endsName, maxDocumentBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read ends of queues: %w", err)
	}
	e := &ends{}
	if !unseal(b, endsVersion, e) {
		sayPassedOver(s.logger, endsName, b, endsVersion)
		return nil, nil
	}
	return e, nil
}

// endsHold says whether what the last run left still counts: no stock broker wrote since, and the log is the same.
func (s *Store) endsHold() bool {
	m := s.checkpoint.current
	return m.ReplayFrom >= s.log.Min() && m.End <= s.log.Max() && s.markHolds(m)
}

// trustQueues spares a start the look at every queue's files where the ends tell as much: 10,000 queues are 50,000 reads of a cold disk.
// After a crash that is so only where no entry can have reached a file whose record did not: what lies behind the ends is put again by
// the walk, which begins at the record returned, or before it. -1: no queue was trusted.
func (s *Store) trustQueues(e *ends, crashed bool) (from int64) {
	if e == nil || e.AtEnd == 0 || e.QueueFile != s.o.QueueFileBytes || crashed && !e.Synced {
		return -1
	}
	if e.At < s.log.Min() || s.checkpoint.current.ReplayFrom-e.At > maxReplayBytes || !s.markHolds(mark{ReplayFrom: e.At, End: e.AtEnd}) {
		return -1
	}
	from = -1
	for topic, list := range e.Topics {
		for _, k := range list {
			b := k.bounds()
			if s.batchFor([]byte(topic), k.id(), false) == nil && !s.buried(topic, k.end()) && b.MinPhysical >= s.log.Min() && !s.graves.holds([]byte(topic), b.MinPhysical) && s.queues.Trust(topic, k.id(), b) {
				from = e.At
			}
		}
	}
	return from
}

// buried says whether a queue that ended at a physical offset belonged to a topic that was deleted since.
func (s *Store) buried(topic string, end int64) bool { return s.graves.holds([]byte(topic), end-1) }

// shortfall finds queues that lost entries, makes them ready to take those again, and returns from where the log has to be
// walked for that; no is the answer where nothing is missing.
func (s *Store) shortfall(e *ends, no int64) (from int64, err error) {
	from = no
	again := func(physical int64, topic string, id int32, what string) {
		physical = max(physical, s.log.Min())
		s.logger.Error("consume queue is not whole: rebuilt from the log", "topic", topic, "queue", id, "what", what, "from", physical)
		from = min(from, physical)
	}
	s.queues.Each(func(q *queue.Queue) {
		if q.Cut() {
			again(q.MaxPhysical(), q.Topic(), q.ID(), "damaged at its end")
		}
		if at, misplaced := q.Misplaced(); misplaced {
			again(q.Bounds().MinPhysical, q.Topic(), q.ID(), fmt.Sprintf("entry %d is the one of another message", at))
			err = errors.Join(err, q.Restart())
		}
	})
	// A queue that was taken for one of batches has the rest of its entries there.
	_ = s.batches.each(func(b *batchQueue) error {
		if b.cut {
			again(b.units.MaxPhysical(), b.topic, b.id, "damaged at its end")
		}
		if q := s.queues.Lookup([]byte(b.topic), b.id); q != nil && s.batchFor([]byte(b.topic), b.id, false) == nil && q.MaxPhysical() < b.units.MaxPhysical() {
			again(q.MaxPhysical(), b.topic, b.id, "entries are in a batch queue")
		}
		return nil
	})
	if e == nil {
		return from, nil
	}
	for topic, list := range e.Topics {
		for _, k := range list {
			if s.buried(topic, k.end()) {
				continue
			}
			if b := s.converted(topic, k.id()); b != nil {
				if high := b.max.Load(); k.end() > s.log.Min() && high < k.max() && !k.passed(high, b.units.MaxPhysical()) {
					again(b.units.MaxPhysical(), topic, k.id(), fmt.Sprintf("batches up to %d of %d are there", b.max.Load(), k.max()))
				}
				continue
			}
			q := s.queues.Queue(topic, k.id())
			switch {
			case k.passed(q.Max(), q.MaxPhysical()):
			case q.Max() < k.max() && k.end() > s.log.Min():
				again(q.MaxPhysical(), topic, k.id(), fmt.Sprintf("%d entries of %d are there", q.Max(), k.max()))
			case q.Min() > k.min() && e.LogMin == s.log.Min() && k.min() < k.max():
				again(s.log.Min(), topic, k.id(), fmt.Sprintf("it begins at %d instead of %d", q.Min(), k.min()))
				err = errors.Join(err, q.Restart())
			}
		}
	}
	for topic, list := range e.Batches {
		for _, k := range list {
			if s.buried(topic, k.end()) || k.end() <= s.log.Min() {
				continue
			}
			if q := s.batches.make(topic, k.id()); q.max.Load() < k.max() && !k.passed(q.max.Load(), q.units.MaxPhysical()) {
				again(q.units.MaxPhysical(), topic, k.id(), fmt.Sprintf("batches up to %d of %d are there", q.max.Load(), k.max()))
			}
		}
	}
	return from, err
}

// honour sees to it that no queue offset that was handed out before is handed out again, whatever the log still holds.
func (s *Store) honour(e *ends) error {
	if e == nil {
		return nil
	}
	for topic, list := range e.Topics {
		for _, k := range list {
			if s.buried(topic, k.end()) {
				continue
			}
			if b := s.converted(topic, k.id()); b != nil {
				if !k.passed(b.max.Load(), b.units.MaxPhysical()) {
					s.counters.set(topic, k.id(), k.max())
				}
				continue
			}
			q := s.queues.Queue(topic, k.id())
			if k.passed(q.Max(), q.MaxPhysical()) {
				continue
			}
			if err := q.Skip(k.max()); err != nil {
				return err
			}
		}
	}
	for topic, list := range e.Batches {
		for _, k := range list {
			b := s.batches.lookup([]byte(topic), k.id())
			if !s.buried(topic, k.end()) && (b == nil || !k.passed(b.max.Load(), b.units.MaxPhysical())) {
				s.counters.set(topic, k.id(), k.max())
			}
		}
	}
	return nil
}
