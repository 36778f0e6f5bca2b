package meta

import (
	"log/slog"
	"sync"
)

// Persister writes documents behind the tables, one goroutine for all of them: changes that come while a document is being
// written are covered by the next write, together.
type Persister struct {
	logger *slog.Logger
	mu     sync.Mutex
	docs   []*document
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
}

// NewPersister starts the goroutine. Add the documents before the first change.
func NewPersister(logger *slog.Logger) *Persister {
	p := &Persister{logger: logger, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

// Add registers a document and returns its number for Mark.
func (p *Persister) Add(name string, content func() ([]byte, error), save func([]byte) error) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.docs = append(p.docs, &document{name: name, content: content, save: save})
	return len(p.docs) - 1
}

// Mark says that a document has changed. after, if not nil, is called once a write that covers the change has ended, on the
// persister's goroutine. Any goroutine; it does not block.
func (p *Persister) Mark(doc int, after func(error)) {
	p.mu.Lock()
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
	for {
		select {
		case <-p.wake:
			p.flush()
		case <-p.stop:
			p.flush()
			return
		}
	}
}

// flush writes every dirty document once.
func (p *Persister) flush() {
	p.mu.Lock()
	docs := append([]*document(nil), p.docs...)
	p.mu.Unlock()
	for _, d := range docs {
		p.mu.Lock()
		dirty, waiting := d.dirty, d.waiting
		d.dirty, d.waiting = false, nil
		p.mu.Unlock()
		if !dirty {
			continue
		}
		b, err := d.content()
		if err == nil {
			err = d.save(b)
		}
		if err != nil {
			p.logger.Error("document not saved", "document", d.name, "error", err)
			p.mu.Lock()
			d.dirty = true // the next change, or the end, tries again
			p.mu.Unlock()
		}
		for _, fn := range waiting {
			fn(err)
		}
	}
}

// Close writes what is dirty and ends the goroutine.
func (p *Persister) Close() {
	close(p.stop)
	<-p.done
}
