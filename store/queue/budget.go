package queue

import (
	"sync"
	"sync/atomic"
)

// budget bounds the memory of all rings. held <= limit, but for one first ring per queue that has no other way to take
// an entry.
type budget struct {
	limit int64
	held  atomic.Int64

	mu    sync.Mutex
	rings []*Queue // every queue with a ring
	hand  int      // where the search for a ring to take goes on
}

// makeRoom sees to it that the next entry fits into the ring, by making it longer, by giving up its oldest entry, or by
// writing its entries to the files. Up to HotEntries a ring grows for readers, as long as half of the memory is free or others do not use
// theirs; beyond, because entries come faster than they are written, and only into memory that nobody else uses. Writer only.
func (q *Queue) makeRoom() error {
	q.mu.Lock()
	units := q.ring.units()
	oldest := q.ring.from < q.written && units > 0
	q.mu.Unlock()
	if oldest {
		if units < q.set.hot {
			q.growForReaders()
		}
		return nil // add drops it, unless there is room now
	}
	if q.growRing() {
		return nil
	}
	q.set.stalls.Add(1)
	err := q.write()
	switch {
	case err == nil && units > 0:
		return nil
	case err != nil && q.growRing():
		return nil // the files cannot be written now; the entries wait in memory
	case err == nil:
		q.resize(firstRingUnits)
		return nil
	}
	return err
}

// growForReaders doubles a ring that could do without, if that leaves half of the memory to those that cannot.
func (q *Queue) growForReaders() {
	q.mu.Lock()
	had, n := q.ring.units(), q.ring.grownUnits()
	q.mu.Unlock()
	b, more := &q.set.budget, (n-had)*q.set.unitBytes
	held := b.held.Load()
	if held+more > b.limit/2 {
		q.set.takeRings(more, q, true, idleTries)
	}
	if b.held.Load()+more <= max(held, b.limit/2) {
		q.resize(n)
	}
}

// growRing doubles the ring if the budget has room, or can be given some by queues that are not in use.
func (q *Queue) growRing() bool {
	q.mu.Lock()
	had, n := q.ring.units(), q.ring.grownUnits()
	q.mu.Unlock()
	b, more, beyond := &q.set.budget, (n-had)*q.set.unitBytes, had >= q.set.hot
	if beyond && n*q.set.unitBytes > b.limit/2 {
		return false
	}
	if q.set.short() {
		q.set.poke() // what is written by the time it is needed can be given up
	}
	for tries := 0; b.held.Load()+more > b.limit; tries++ {
		if tries == 0 && q.set.takeRings(more, q, true, cleanTries) {
			continue
		}
		if beyond || tries == 2 || !q.set.takeRings(more, q, false, 0) {
			return false
		}
	}
	q.resize(n)
	if beyond {
		q.set.markGrown(q)
	}
	return true
}

func (q *Queue) resize(n int64) {
	b := &q.set.budget
	q.mu.Lock()
	had := q.ring.units()
	q.ring.grow(n, q.max.Load())
	q.mu.Unlock()
	b.held.Add((n - had) * q.set.unitBytes)
	if had == 0 {
		b.mu.Lock()
		q.ringAt = len(b.rings)
		b.rings = append(b.rings, q)
		b.mu.Unlock()
	}
}

const (
	// takeTries is how many more queues are asked after one could not give up its ring.
	takeTries = 8
	// cleanTries is how many queues are looked at for one that has nothing to write.
	cleanTries = 256
	// idleTries is the same for memory that only readers would have of.
	idleTries = 16
)

// takeRings takes at least `bytes` from queues that had no entry and no reader since the hand last passed them; entries
// not yet written are written first, or, with clean, left alone, and so many queues looked at. False: nothing could be taken.
func (s *Set) takeRings(bytes int64, but *Queue, clean bool, looks int) bool {
	b := &s.budget
	var taken int64
	b.mu.Lock()
	steps := 2 * len(b.rings)
	b.mu.Unlock()
	if clean {
		steps = min(steps, looks)
	}
	for ; steps > 0 && taken < bytes; steps-- {
		b.mu.Lock()
		if len(b.rings) == 0 {
			b.mu.Unlock()
			break
		}
		b.hand = (b.hand + 1) % len(b.rings)
		q := b.rings[b.hand]
		b.mu.Unlock()
		if q == but || q.used.Swap(false) {
			continue
		}
		won := q.dropRing(clean)
		if won == 0 && !clean { // its files cannot be written now; the others' can hardly either
			steps = min(steps, takeTries)
		}
		taken += won
	}
	return taken > 0
}

// dropRing gives up the queue's ring once its entries are in files, and returns the bytes won; clean: only if they are
// already. Writer only.
func (q *Queue) dropRing(clean bool) int64 {
	q.mu.Lock()
	waiting := q.written < q.max.Load()
	q.mu.Unlock()
	if waiting && clean {
		return 0
	}
	if waiting {
		q.set.stalls.Add(1)
		if err := q.write(); err != nil {
			return 0
		}
	}
	q.mu.Lock()
	max := q.max.Load()
	if q.written < max {
		q.mu.Unlock()
		return 0
	}
	had := int64(len(q.ring.bytes))
	q.ring = ring{from: max, unit: q.ring.unit}
	q.mu.Unlock()
	q.set.forgetRing(q, had)
	return had
}

// shrinkRing gives half of a ring back that grew beyond HotEntries and is not needed any more; false: it is not that long.
// Any goroutine.
func (q *Queue) shrinkRing() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	units, end := q.ring.units(), q.max.Load()
	if units <= q.set.hot {
		return false
	}
	// Half of it is more than enough for what waits now, and so nothing is lost that is not in files.
	if waiting := end - q.written; q.peak <= units/4 && waiting <= units/4 {
		n := units / 2
		q.ring.from = max(q.ring.from, end-n)
		q.ring.grow(n, end)
		q.set.budget.held.Add((n - units) * q.set.unitBytes)
	}
	q.peak = end - q.written
	return q.ring.units() > q.set.hot
}

// tighten gives back half of a ring whose entries are written, where half would have done since the last time. Any goroutine.
func (q *Queue) tighten() {
	q.mu.Lock()
	defer q.mu.Unlock()
	units, end := q.ring.units(), q.max.Load()
	// What waits is less than the half, or the next entry would have no room.
	if n := units / 2; n >= firstRingUnits && q.peak < n && end-q.written < n {
		q.ring.from = max(q.ring.from, end-n)
		q.ring.grow(n, end)
		q.set.budget.held.Add((n - units) * q.set.unitBytes)
	}
	q.peak = end - q.written
}

// tight says whether the rings take so much of the memory that the entries to come may find no room.
func (b *budget) tight() bool { return b.held.Load() > b.limit/8*5 }

// forgetRing takes a queue whose ring held `bytes` out of the budget.
func (s *Set) forgetRing(q *Queue, bytes int64) {
	b := &s.budget
	b.held.Add(-bytes)
	b.mu.Lock()
	defer b.mu.Unlock()
	last := b.rings[len(b.rings)-1]
	b.rings[q.ringAt], last.ringAt = last, q.ringAt
	b.rings[len(b.rings)-1] = nil
	b.rings = b.rings[:len(b.rings)-1]
}

// BufferedBytes is the memory that entries take now.
func (s *Set) BufferedBytes() int64 { return s.budget.held.Load() }

// Stalls counts how often the writer had to write files itself because memory was full.
func (s *Set) Stalls() int64 { return s.stalls.Load() }
