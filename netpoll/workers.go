package netpoll

import "sync"

// Workers is a bounded pool for work that may block and so must not run on a loop.
type Workers struct {
	jobs chan func()
	done sync.WaitGroup
	mu   sync.RWMutex
	shut bool
}

// NewWorkers starts n goroutines that take from a queue of the given length.
func NewWorkers(n, queue int) *Workers {
	w := &Workers{jobs: make(chan func(), queue)}
	for range n {
		w.done.Add(1)
		go func() {
			defer w.done.Done()
			for fn := range w.jobs {
				fn()
			}
		}()
	}
	return w
}

// Try queues fn and reports whether there was room. Any goroutine; it does not block.
func (w *Workers) Try(fn func()) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.shut {
		return false
	}
	select {
	case w.jobs <- fn:
		return true
	default:
		return false
	}
}

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
