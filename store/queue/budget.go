package queue

import (
	"sync"
	"sync/atomic"

	"ringmq/store/record"
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
// writing its entries to the files. Writer only.
func (q *Queue) makeRoom() error {
	units := q.ring.units()
	if units < q.set.hot && q.growRing() {
		return nil
	}
	q.mu.Lock()
	oldest := q.ring.from < q.written && units > 0
	q.mu.Unlock()
	if oldest {
		return nil // push drops it
	}
	err := q.write()
	switch {
	case err == nil && units > 0:
		return nil
	case q.growRing():
		return nil // the files cannot be written now; the entries wait in memory
	case err == nil:
		q.resize(firstRingUnits)
		return nil
	}
	return err
}

// growRing doubles the ring if the budget has room, or can be given some by queues that are not in use.
func (q *Queue) growRing() bool {
	b, n := &q.set.budget, q.ring.grownUnits()
	more := (n - q.ring.units()) * record.QueueUnitBytes
	for tries := 2; b.held.Load()+more > b.limit; tries-- {
		if tries == 0 || !q.set.takeRings(more, q) {
			return false
		}
	}
	q.resize(n)
	return true
}

func (q *Queue) resize(n int64) {
	b := &q.set.budget
	q.mu.Lock()
	had := q.ring.units()
	q.ring.grow(n, q.max.Load())
	q.mu.Unlock()
	b.held.Add((n - had) * record.QueueUnitBytes)
	if had == 0 {
		b.mu.Lock()
		q.ringAt = len(b.rings)
		b.rings = append(b.rings, q)
		b.mu.Unlock()
	}
}

// takeTries is how many more queues are asked after one could not give up its ring.
const takeTries = 8

// takeRings takes at least `bytes` from queues that had no entry and no reader since the hand last passed them; entries
// not yet written are written first. False: nothing could be taken.
func (s *Set) takeRings(bytes int64, but *Queue) bool {
	b := &s.budget
	var taken int64
	b.mu.Lock()
	steps := 2 * len(b.rings)
	b.mu.Unlock()
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
		won := q.dropRing()
		if won == 0 { // its files cannot be written now; the others' can hardly either
			steps = min(steps, takeTries)
		}
		taken += won
	}
	return taken > 0
}

// dropRing gives up the queue's ring once its entries are in files, and returns the bytes won. Writer only.
func (q *Queue) dropRing() int64 {
	if err := q.write(); err != nil {
		return 0
	}
	q.mu.Lock()
	max := q.max.Load()
	if q.written < max {
		q.mu.Unlock()
		return 0
	}
	had := int64(len(q.ring.bytes))
	q.ring = ring{from: max}
	q.mu.Unlock()
	q.set.forgetRing(q, had)
	return had
}

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
