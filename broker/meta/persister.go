package meta

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Persister writes documents behind the tables, one goroutine for all of them: changes that come while a document is being
// written are covered by the next write, together.
type Persister struct {
	logger *slog.Logger
	mu     sync.Mutex
	docs   []*document
	closed bool
	wake   chan struct{}
	stop   chan struct{}
	done   chan struct{}
}

type document struct {
	name    string
	content func() ([]byte, error)
	save    func([]byte) error
	dirty   bool
	waiting []func(error)
	saved   [sha256.Size]byte // of what was written last; the goroutine's own
}

// retryAfter is how long a document that could not be written waits for the next attempt.
const retryAfter = time.Second

// ErrClosed is what a Mark after Close gets.
var ErrClosed = errors.New("the broker is closing, its tables are not written any more")

// NewPersister starts the goroutine.
func NewPersister(logger *slog.Logger) *Persister {
	p := &Persister{logger: logger, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

// Add registers a document and returns its number for Mark. content and save are called on the persister's goroutine, content
// after the change that it has to hold.
func (p *Persister) Add(name string, content func() ([]byte, error), save func([]byte) error) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.docs = append(p.docs, &document{name: name, content: content, save: save})
	return len(p.docs) - 1
}

// Mark says that a document has changed. after, if not nil, is called once a write that covers the change has ended, on the
// persister's goroutine, with what went wrong. A document that is as it was last written is not written again. Any goroutine;
// it does not block. After Close nothing is written any more: after is called at once, with an error.
func (p *Persister) Mark(doc int, after func(error)) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		if after != nil {
			after(ErrClosed)
		}
		return
	}
	d := p.docs[doc]
	d.dirty = true
	if after != nil {
		d.waiting = append(d.waiting, after)
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Persister) run() {
	defer close(p.done)
	retry := time.NewTimer(time.Hour)
	retry.Stop()
	for {
		select {
		case <-p.wake:
		case <-retry.C:
		case <-p.stop:
			p.flush()
			return
		}
		if !p.flush() {
			retry.Reset(retryAfter)
		}
	}
}

// flush writes every dirty document once; false when one could not be written.
func (p *Persister) flush() bool {
	p.mu.Lock()
	docs := append([]*document(nil), p.docs...)
	p.mu.Unlock()
	good := true
	for _, d := range docs {
		p.mu.Lock()
		dirty, waiting := d.dirty, d.waiting
		d.dirty, d.waiting = false, nil
		p.mu.Unlock()
		if !dirty {
			continue
		}
		err := d.write()
		if err != nil {
			good = false
			p.logger.Error("document not saved", "document", d.name, "error", err)
			p.mu.Lock()
			d.dirty = true
			p.mu.Unlock()
		}
		for _, fn := range waiting {
			fn(err)
		}
	}
	return good
}

func (d *document) write() error {
	b, err := d.content()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	if sum == d.saved {
		return nil
	}
	if err := d.save(b); err != nil {
		return err
	}
	d.saved = sum
	return nil
}

// Close writes what is dirty and ends the goroutine.
func (p *Persister) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.mu.Unlock()
	close(p.stop)
	<-p.done
}
