package store

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"ringmq/store/queue"
)

// batchBufferBytes bounds the units in memory that are to be written, all batch queues together.
const batchBufferBytes = 8 << 20

// batchSet is all batch consume queues of a store, in <root>/batchconsumequeue.
type batchSet struct {
	units   *queue.Set
	declare func(topic []byte) bool // Options.BatchTopic
	listed  map[string]bool         // declared by topics.json; nil once the store runs
	any     atomic.Bool             // there is at least one

	// mu is held for memory work only: event loops take it.
	mu sync.RWMutex
	m  map[queueKey]*batchQueue
}

// open finds the queues; units.Recover and learn come before anything else. o says what batch queues have in common with the others.
func (b *batchSet) open(o queue.Options, dir string, fileBytes int, declare func([]byte) bool) (err error) {
	b.declare, b.m = declare, make(map[queueKey]*batchQueue)
	o.Dir, o.UnitBytes, o.FileBytes, o.FileWas = dir, batchUnitBytes, max(1, fileBytes/batchUnitBytes)*batchUnitBytes, 0
	o.MaxOpenFiles, o.BufferBytes = max(1, o.MaxOpenFiles/8), min(o.BufferBytes, batchBufferBytes)
	b.units, err = queue.Open(o)
	if err != nil {
		return fmt.Errorf("batch queues: %w", err)
	}
	b.units.Each(func(q *queue.Queue) { b.make(q.Topic(), q.ID()) })
	return nil
}

// learn takes what the units at both ends of every queue say, and forgets queues that are gone. Before there are readers.
func (b *batchSet) learn() error {
	b.mu.Lock()
	maps.DeleteFunc(b.m, func(k queueKey, q *batchQueue) bool { return b.units.Lookup([]byte(k.topic), k.id) != q.units })
	b.mu.Unlock()
	return b.each((*batchQueue).learn)
}

// lookup finds a queue, nil if there is none. It does not allocate, and costs nothing where there are no batch queues.
func (b *batchSet) lookup(topic []byte, id int32) *batchQueue {
	if !b.any.Load() {
		return nil
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.m[queueKey{string(topic), id}]
}

// declares says whether a topic is declared to keep its batches, by its creator or, while a start has not asked for that yet,
// by what the topics' document says.
func (b *batchSet) declares(topic []byte) bool {
	return b.declare != nil && b.declare(topic) || b.listed[string(topic)]
}

func (b *batchSet) make(topic string, id int32) *batchQueue {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.m[queueKey{topic, id}]
	if q == nil {
		q = b.unlisted(topic, id)
		b.m[queueKey{topic, id}] = q
		b.any.Store(true)
	}
	return q
}

// unlisted is a queue that nobody finds until it is listed. Writer only.
func (b *batchSet) unlisted(topic string, id int32) *batchQueue {
	q := &batchQueue{topic: topic, id: id, units: b.units.Queue(topic, id), found: -1}
	q.min.Store(-1)
	return q
}

func (b *batchSet) list(q *batchQueue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.m[queueKey{q.topic, q.id}] = q
	b.any.Store(true)
}

func (b *batchSet) each(fn func(q *batchQueue) error) error {
	if !b.any.Load() {
		return nil
	}
	b.mu.RLock()
	list := make([]*batchQueue, 0, len(b.m))
	for _, q := range b.m {
		list = append(list, q)
	}
	b.mu.RUnlock()
	var failed error
	for _, q := range list {
		if err := fn(q); err != nil && !errors.Is(err, queue.ErrDeleted) {
			failed = errors.Join(failed, fmt.Errorf("batch queue %s/%d: %w", q.topic, q.id, err))
		}
	}
	return failed
}

// sync writes what was put so far, and makes it durable. As of queue.Set.Sync, once it has failed it never succeeds again.
func (b *batchSet) sync() error {
	if err := b.units.Flush(); err != nil {
		return fmt.Errorf("batch queues: %w", err)
	}
	if err := b.units.Sync(); err != nil {
		return fmt.Errorf("batch queues: %w", err)
	}
	return nil
}

// names lists the topics that have batch queues, in no order.
func (b *batchSet) names() []string { return b.units.Topics() }

func (b *batchSet) close() error {
	if b.units == nil {
		return nil
	}
	return b.units.Close()
}

// forget removes the queues of a topic from memory, without I/O; the function returned removes their files. Writer only; see queue.Set.Forget.
func (b *batchSet) forget(topic string) (erase func() error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.m {
		if key.topic == topic {
			delete(b.m, key)
		}
	}
	return b.units.Forget(topic)
}
