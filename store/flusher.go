package store

import (
	"sync/atomic"
	"time"
)

// indexFlushInterval is how often the slots of the active index file are written; a crash rebuilds them from its entries.
const indexFlushInterval = 30 * time.Second

// flush writes dirty queues once a second, where they are not very many, and makes them durable when enough has gathered, off the way of everyone else.
// Only then the checkpoint moves, so a start after a crash reads at most about SyncBytes of log again, or maxReplayBytes. When all of that is
// done nothing ticks until the dispatcher has done something.
func (s *Store) flush() {
	every := time.Duration(s.o.FlushIntervalMs) * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	f := flusher{s: s, syncedTo: s.dispatch.at.Load(), syncedAt: time.Now(), indexAt: time.Now(), indexedTo: -1}
	for {
		select {
		case <-tick.C:
			f.round()
			if !f.done() {
				continue
			}
			tick.Stop()
			if !f.rest() {
				return
			}
			tick.Reset(every)
		case <-s.stop.Done():
			return
		}
	}
}

// flushRest is the flusher's rest, and how the dispatcher ends it.
type flushRest struct {
	on   atomic.Bool
	stir chan struct{} // one token
}

// end ends the rest, if there is one. Any goroutine; after what the flusher shall find.
func (r *flushRest) end() {
	if !r.on.Load() {
		return
	}
	select {
	case r.stir <- struct{}{}:
	default:
	}
}

// rest returns when there may be something to do; false when the store stops.
func (f *flusher) rest() bool {
	r := &f.s.flushRest
	r.on.Store(true)
	defer r.on.Store(false)
	if !f.done() { // since before the dispatcher could know
		return true
	}
	select {
	case <-r.stir:
		return true
	case <-f.s.stop.Done():
		return false
	}
}

// done says that a round would find nothing to do, now and later, unless the dispatcher does something first: it alone puts entries into
// queues, and into an index that has caught up.
func (f *flusher) done() bool {
	s := f.s
	return !s.flushFailing.Load() && s.queues.Settled() && s.dispatch.lastPlace().to <= f.syncedTo && f.pending.to == 0 &&
		(s.index == nil || s.indexing.live.Load() && f.indexedTo == s.dispatch.at.Load())
}

// writeQueues writes queues that have much waiting, so that the dispatcher need not and never waits for a file. It is apart
// from the flusher, which may be busy with a sync.
func (s *Store) writeQueues() {
	for {
		set := s.queues
		select {
		case <-s.queues.Wake():
		case <-s.batches.units.Wake():
			set = s.batches.units
		case <-s.stop.Done():
			return
		}
		// An error is the flusher's to report: it comes to the same queues.
		if err := set.WritePressing(); err != nil && !s.sleep(100*time.Millisecond) {
			return
		}
	}
}

// flusher is what one round has to know of the last.
type flusher struct {
	s        *Store
	syncedTo int64     // dispatched and durable in the queues
	syncedAt time.Time // monotonic
	syncTook time.Duration
	puts     int64 // entries that the queues had got at syncedAt
	indexAt  time.Time
	// indexedTo is what the dispatcher had done when the index was written; -1 while others write it too.
	indexedTo int64
	// pending is the place up to which the queues are durable but perhaps not yet the log.
	pending place
	// ends are those of the queues at pending, nil when they were written lately; they belong to the same move.
	ends   *ends
	endsAt time.Time
	// endsTo and endsPuts are what syncedTo and puts were at endsAt.
	endsTo, endsPuts int64
	queues           int // that were there at endsAt
}

func (f *flusher) round() {
	s := f.s
	// To write very many queues costs an open and a close for each: that waits until they become durable, or memory is short.
	if s.queues.Dirty() <= s.o.MaxOpenFiles {
		if err := s.queues.Flush(); err != nil {
			f.fail("write queues", err)
			return
		}
	}
	last := s.dispatch.lastPlace()
	if last.to > f.syncedTo && f.due(last.to-f.syncedTo, time.Since(f.syncedAt)) {
		if err := f.sync(last); err != nil {
			f.fail("sync queues", err)
			return
		}
	}
	if f.pending.to > 0 && s.log.Durable().Load() >= f.pending.to {
		if err := s.moveCheckpoint(f.pending); err != nil {
			f.fail("move checkpoint", err)
			return
		}
		if f.ends != nil {
			if err := s.saveEnds(f.ends); err != nil {
				f.fail("write ends of queues", err)
				return
			}
			f.ends = nil
		}
		f.pending = place{}
	}
	if s.index != nil && time.Since(f.indexAt) >= indexFlushInterval {
		f.indexAt, f.indexedTo = time.Now(), -1
		if s.indexing.live.Load() {
			f.indexedTo = s.dispatch.at.Load() // its keys are in the index
		}
		if err := s.index.Flush(); err != nil {
			f.indexedTo = -1
			f.fail("write index", err)
			return
		}
	}
	s.flushFailing.Store(false)
}

const (
	// syncShare of the time may go into syncs of the queues: with very many of them one takes seconds, and must not follow the other.
	syncShare = 10
	// maxReplayBytes is when they are synced all the same: a start has to read as much again. So it is when a start could not keep
	// the entries in memory.
	maxReplayBytes = 2 << 30
)

// due says whether the queues should become durable, so much log and time behind the last time.
func (f *flusher) due(behind int64, since time.Duration) bool {
	o := &f.s.o
	if behind < o.SyncBytes && since < time.Duration(o.SyncIntervalMs)*time.Millisecond {
		return false
	}
	return since >= syncShare*f.syncTook || behind >= maxReplayBytes || f.s.queues.Puts()-f.puts >= f.s.queues.Room()
}

// endsDue says whether the ends of the queues should be written with the next sync. A start that trusts them walks the log from there.
func (f *flusher) endsDue(to, puts int64) bool {
	return time.Since(f.endsAt) >= time.Duration(f.queues)*endsPerQueue || to-f.endsTo >= maxReplayBytes/2 || puts-f.endsPuts >= f.s.queues.Room()/2
}

// sync makes durable what the dispatcher had put into the queues when it was at last.
func (f *flusher) sync(last place) error {
	began := time.Now()
	defer func() { f.syncTook = time.Since(began) }()
	puts := f.s.queues.Puts()
	if f.endsDue(last.to, puts) {
		f.s.dispatch.do(func() { last, f.ends = f.s.dispatch.lastPlace(), f.s.queueEnds() })
		if f.ends != nil {
			f.endsAt, f.endsTo, f.endsPuts, f.queues = time.Now(), last.to, puts, f.ends.queues()
		}
	}
	err := f.s.queues.Flush()
	if err == nil {
		err = f.s.queues.Sync()
	}
	if err == nil {
		err = f.s.batches.sync()
	}
	if err != nil {
		f.ends = nil // not durable
		return err
	}
	f.syncedTo, f.syncedAt, f.pending, f.puts = last.to, time.Now(), last, puts
	return nil
}

func (f *flusher) fail(what string, err error) {
	f.s.flushFailures.Add(1)
	if f.s.flushFailing.CompareAndSwap(false, true) {
		f.s.logger.Error("flusher: trying again every second", "what", what, "error", err)
	}
}

// moveCheckpoint says that log and queues are durable up to the end of the record at p.
func (s *Store) moveCheckpoint(p place) error {
	m := mark{Physic: p.storeTime, Logics: p.storeTime, ReplayFrom: p.from, End: p.to}
	if s.index != nil {
		m.Index = s.index.DurableTimestamp()
	}
	d := s.dispatch
	d.mu.Lock()
	m.Sealed = make(map[int64]int64, min(len(d.sealed), maxSealed))
	low := s.log.Min()
	kept := p.from - maxSealed*s.o.SegmentBytes
	for segment, t := range d.sealed {
		if segment < low {
			delete(d.sealed, segment)
		} else if segment >= kept {
			m.Sealed[segment] = t
		}
	}
	d.mu.Unlock()
	return s.checkpoint.move(m)
}
