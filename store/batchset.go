package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"ringmq/store/disk"
)

// batchSet is all batch consume queues of a store, in <root>/batchconsumequeue.
type batchSet struct {
	fs      disk.FS
	dir     string
	perFile int64
	declare func(topic []byte) bool // Options.BatchTopic
	listed  map[string]bool         // declared by topics.json; nil once the store runs
	any     atomic.Bool             // there is at least one

	// mu is held for memory work only: event loops take it.
	mu      sync.RWMutex
	m       map[queueKey]*batchQueue
	topics  map[string]bool
	erasing map[string]chan struct{} // topics that were forgotten while their files are still there
}

func (b *batchSet) open(f disk.FS, dir string, fileBytes int, declare func([]byte) bool) error {
	b.fs, b.dir, b.declare = f, dir, declare
	b.perFile = int64(max(1, fileBytes/batchUnitBytes))
	b.m, b.topics, b.erasing = make(map[queueKey]*batchQueue), make(map[string]bool), make(map[string]chan struct{})
	topics, err := f.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("batch queues: %w", err)
	}
	for _, t := range topics {
		ids, err := f.ReadDir(dir + "/" + t.Name())
		if err != nil {
			return fmt.Errorf("batch queues: %w", err)
		}
		for _, d := range ids {
			id, err := strconv.ParseInt(d.Name(), 10, 32)
			if err != nil {
				continue
			}
			q := b.make(t.Name(), int32(id))
			files, err := f.ReadDir(q.dir)
			if err != nil {
				return fmt.Errorf("batch queue: %w", err)
			}
			if names := unitNumbers(files); len(names) > 0 {
				if err := q.recover(names); err != nil {
					return fmt.Errorf("batch queue %s: %w", q.dir, err)
				}
			}
		}
	}
	return nil
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
	key := queueKey{topic, id}
	q := b.m[key]
	if q == nil {
		q = &batchQueue{topic: topic, id: id, dir: fmt.Sprintf("%s/%s/%d", b.dir, topic, id), set: b, files: make(map[int64]disk.File), erased: b.erasing[topic]}
		q.min.Store(-1)
		b.m[key], b.topics[topic] = q, true
		b.any.Store(true)
	}
	return q
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
	for _, q := range list {
		if err := fn(q); err != nil {
			return fmt.Errorf("batch queue %s: %w", q.dir, err)
		}
	}
	return nil
}

// names lists the topics that have batch queues, in no order.
func (b *batchSet) names() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Collect(maps.Keys(b.topics))
}

func (b *batchSet) sync() error  { return b.each((*batchQueue).sync) }
func (b *batchSet) close() error { return b.each((*batchQueue).close) }

// maxPhysical is the physical offset behind the last record in any batch queue, -1 if there is none.
func (b *batchSet) maxPhysical() int64 {
	high := int64(-1)
	_ = b.each(func(q *batchQueue) error {
		high = max(high, q.end())
		return nil
	})
	return high
}

// forget removes the queues of a topic from memory, without I/O. The function returned, to be called once by any goroutine,
// removes their files; queues that get the same name meanwhile wait for it before they make any.
func (b *batchSet) forget(topic string) (erase func() error) {
	nothing := func() error { return nil }
	if !b.any.Load() {
		return nothing
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.topics[topic] {
		return nothing
	}
	var list []*batchQueue
	for key, q := range b.m {
		if key.topic == topic {
			list = append(list, q)
			delete(b.m, key)
		}
	}
	delete(b.topics, topic)
	before, erased := b.erasing[topic], make(chan struct{})
	b.erasing[topic] = erased
	return func() error {
		if before != nil {
			<-before
		}
		for _, q := range list {
			_ = q.retire()
		}
		err := b.fs.RemoveAll(b.dir + "/" + topic)
		b.mu.Lock()
		if b.erasing[topic] == erased {
			delete(b.erasing, topic)
		}
		b.mu.Unlock()
		close(erased)
		return err
	}
}
