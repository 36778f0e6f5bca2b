package commitlog

import (
	"context"
	"sync"
	"sync/atomic"
)

// Watermark is a number that only grows, and the parties that wait for it. It is the one way to wait for the log.
type Watermark struct {
	value atomic.Int64

	failure atomic.Pointer[error]

	mu          sync.Mutex
	err         error // what failure has
	source      int64 // what follow was told, bounded or not
	bound       int64 // of follow
	waiters     []waiter
	subscribers []*subscriber
}

type waiter struct {
	value int64
	done  chan struct{}
}

type subscriber struct {
	fn func(v int64, err error)
}

// Load returns the value.
func (w *Watermark) Load() int64 { return w.value.Load() }

// Err returns why the watermark will grow no more, nil while it may. It takes no lock.
func (w *Watermark) Err() error {
	if err := w.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Wait blocks until the value has reached v, the watermark has failed or ctx is done.
func (w *Watermark) Wait(ctx context.Context, v int64) error {
	w.mu.Lock()
	if w.value.Load() >= v {
		w.mu.Unlock()
		return nil
	}
	if w.err != nil {
		defer w.mu.Unlock()
		return w.err
	}
	me := waiter{v, make(chan struct{})}
	w.waiters = append(w.waiters, me)
	w.mu.Unlock()
	select {
	case <-me.done:
	case <-ctx.Done():
		w.forget(me)
		return ctx.Err()
	}
	if w.value.Load() >= v {
		return nil
	}
	return w.Err()
}

func (w *Watermark) forget(me waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.waiters {
		if w.waiters[i].done == me.done {
			w.waiters = append(w.waiters[:i], w.waiters[i+1:]...)
			return
		}
	}
}

// Subscribe has fn called after every advance, on the goroutine that advances, so fn must be short and must not call back into
// the watermark. When the watermark fails, fn is called once more with the error.
func (w *Watermark) Subscribe(fn func(v int64, err error)) (cancel func()) {
	s := &subscriber{fn}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subscribers = append(w.subscribers, s)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range w.subscribers {
			if w.subscribers[i] == s {
				w.subscribers = append(w.subscribers[:i:i], w.subscribers[i+1:]...)
				return
			}
		}
	}
}

// advance raises the value. Lower values are passed over.
func (w *Watermark) advance(v int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rise(v)
}

// follow is advance for a watermark with a bound: what lies beyond it counts once the bound is raised.
func (w *Watermark) follow(v int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.source = max(w.source, v)
	w.rise(min(w.source, w.bound))
}

// setBound changes what follow stays below, or at. What was passed already stays passed.
func (w *Watermark) setBound(bound int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bound = bound
	w.rise(min(w.source, w.bound))
}

// rise is advance with mu held.
func (w *Watermark) rise(v int64) {
	if v <= w.value.Load() || w.err != nil {
		return
	}
	w.value.Store(v)
	w.tell(v)
}

// fail ends the watermark's life: waiters get err, now and for ever.
func (w *Watermark) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	w.err = err
	w.failure.Store(&err)
	w.tell(w.value.Load())
}

func (w *Watermark) tell(v int64) {
	left := w.waiters[:0]
	for _, one := range w.waiters {
		if one.value <= v || w.err != nil {
			close(one.done)
		} else {
			left = append(left, one)
		}
	}
	clear(w.waiters[len(left):])
	w.waiters = left
	for _, s := range w.subscribers {
		s.fn(v, w.err)
	}
}
