package broker

import (
	"sync"

	"ringmq/netpoll"
)

// groupReads is how many pulls of one consumer group are read by workers at a time. Its others wait in their order, so that a group with
// many of them, which all need the disk, does not have all workers.
const groupReads = 4

// pullReaders shares the workers that read for pulls among consumer groups. Any goroutine.
type pullReaders struct {
	workers *netpoll.Workers
	bytes   *netpoll.Budget // of the pulls that wait here; the workers' own takes those that are with them

	mu     sync.Mutex
	groups map[string]*groupQueue // with pulls under way
}

// groupQueue are the pulls of a group; under pullReaders.mu.
type groupQueue struct {
	running int
	waiting []waitingRead
}

// waitingRead is a pull that holds so many bytes.
type waitingRead struct {
	fn    func()
	bytes int
}

func newPullReaders() *pullReaders {
	bytes := netpoll.NewBudget(maxReadingBytes)
	return &pullReaders{workers: netpoll.NewWorkers(16, 4096, bytes), bytes: bytes, groups: map[string]*groupQueue{}}
}

// try has fn run on a worker when it is its group's turn, and reports whether there is room for it. fn holds so many bytes until then.
func (r *pullReaders) try(group string, bytes int, fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.groups[group]
	if q == nil {
		q = &groupQueue{}
	}
	if q.running >= groupReads {
		if !r.bytes.Take(bytes) {
			return false
		}
		q.waiting = append(q.waiting, waitingRead{fn, bytes})
		return true
	}
	if !r.workers.Try(bytes, func() { r.run(group, q, fn) }) {
		return false
	}
	q.running++
	r.groups[group] = q
	return true
}

// run runs a pull on a worker, and hands its place to the group's next one: behind what others wait for, where there is room.
func (r *pullReaders) run(group string, q *groupQueue, fn func()) {
	for fn != nil {
		fn()
		fn = r.next(group, q)
	}
}

// next is the pull that the caller has to run too, nil as a rule.
func (r *pullReaders) next(group string, q *groupQueue) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(q.waiting) == 0 {
		if q.running--; q.running == 0 {
			delete(r.groups, group)
		}
		return nil
	}
	w := q.waiting[0]
	q.waiting[0] = waitingRead{}
	q.waiting = q.waiting[1:]
	r.bytes.Give(w.bytes)
	if r.workers.Try(w.bytes, func() { r.run(group, q, w.fn) }) {
		return nil
	}
	return w.fn
}

// queued is how many pulls wait for a worker.
func (r *pullReaders) queued() int {
	n := r.workers.Queued()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.groups {
		n += len(q.waiting)
	}
	return n
}

// close waits for all of them.
func (r *pullReaders) close() { r.workers.Close() }
