package netpoll

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"ringmq/netpoll/remoting"
)

// Budget is how many bytes several parties may hold together. Any goroutine.
//
//	0 <= held <= limit
type Budget struct {
	limit int64
	held  atomic.Int64
}

// NewBudget makes a budget of so many bytes. Whoever asks for more than that at once never gets it.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Take reports whether there was room for n more bytes, which are held until Give.
func (b *Budget) Take(n int) bool {
	if b.held.Add(int64(n)) > b.limit {
		b.held.Add(-int64(n))
		return false
	}
	return true
}

// Give gives back n bytes that were taken.
func (b *Budget) Give(n int) { b.held.Add(-int64(n)) }

// Held is how many bytes are taken at the moment.
func (b *Budget) Held() int64 { return b.held.Load() }

// CloneBytes is about what a clone of a request takes in memory.
func CloneBytes(req *remoting.Command) int {
	n := int(unsafe.Sizeof(*req)) + len(req.Body) + len(req.Remark)
	for _, f := range req.Fields() {
		n += int(unsafe.Sizeof(f)) + len(f.Key) + len(f.Value)
	}
	return n
}

// Workers is a bounded pool for work that may block and so must not run on a loop.
type Workers struct {
	jobs  chan job
	bytes *Budget
	done  sync.WaitGroup
	mu    sync.RWMutex
	shut  bool
}

type job struct {
	fn    func()
	bytes int
}

// NewWorkers starts n goroutines that take from a queue of the given length. What queued and running jobs hold is taken from bytes,
// which pools may share.
func NewWorkers(n, queue int, bytes *Budget) *Workers {
	w := &Workers{jobs: make(chan job, queue), bytes: bytes}
	for range n {
		w.done.Add(1)
		go func() {
			defer w.done.Done()
			for j := range w.jobs {
				j.fn()
				w.bytes.Give(j.bytes)
			}
		}()
	}
	return w
}

// Try queues fn, which holds so many bytes, and reports whether there was room. Any goroutine; it does not block.
func (w *Workers) Try(bytes int, fn func()) bool {
	return w.bytes.Take(bytes) && w.queue(bytes, fn)
}

// TryClone queues fn for a copy of a request, which is only made if there is room for it. Otherwise as Try.
func (w *Workers) TryClone(req *remoting.Command, fn func(own *remoting.Command)) bool {
	bytes := CloneBytes(req)
	if !w.bytes.Take(bytes) {
		return false
	}
	own := req.Clone()
	return w.queue(bytes, func() { fn(own) })
}

// queue queues a job whose bytes are taken, or gives them back.
func (w *Workers) queue(bytes int, fn func()) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if !w.shut {
		select {
		case w.jobs <- job{fn, bytes}:
			return true
		default:
		}
	}
	w.bytes.Give(bytes)
	return false
}

// Queued is how many wait for their turn. Any goroutine.
func (w *Workers) Queued() int { return len(w.jobs) }

// Close takes no more work and waits for what was queued.
func (w *Workers) Close() {
	w.mu.Lock()
	if !w.shut {
		w.shut = true
		close(w.jobs)
	}
	w.mu.Unlock()
	w.done.Wait()
}
