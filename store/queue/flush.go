package queue

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// syncWorkers sync files beside the caller where there are many.
	syncWorkers    = 15
	filesPerWorker = 16
)

func (s *Set) markDirty(q *Queue) {
	s.dirtyMu.Lock()
	s.dirty = append(s.dirty, q)
	s.dirtyMu.Unlock()
}

func (s *Set) markPressing(q *Queue) {
	s.dirtyMu.Lock()
	s.pressing = append(s.pressing, q)
	s.dirtyMu.Unlock()
	s.poke()
}

func (s *Set) markGrown(q *Queue) {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	if !slices.Contains(s.grown, q) { // few: each holds more than an even share of the budget
		s.grown = append(s.grown, q)
	}
}

func (s *Set) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Wake has a token when WritePressing should be called: soon, by any goroutine that may wait for the disk.
func (s *Set) Wake() <-chan struct{} { return s.wake }

// WritePressing writes the entries of queues that have so many waiting that the writer would soon have to do it itself;
// where memory as a whole is short, those of all queues. Any goroutine; it blocks on the disk.
func (s *Set) WritePressing() error {
	s.dirtyMu.Lock()
	pressing := s.pressing
	s.pressing = nil
	s.dirtyMu.Unlock()
	var first error
	for _, q := range pressing {
		q.mu.Lock()
		q.pressing = false
		q.mu.Unlock()
		if err := q.write(); err != nil && first == nil {
			first = err
		}
	}
	if first != nil || !s.short() {
		return first
	}
	return s.Flush()
}

// short says whether the entries that are not in files take so much memory that they should be written: a quarter of it, since rings may
// be half empty and entries go on coming meanwhile. Where each of very many queues has a few, it is their rings that fill it.
func (s *Set) short() bool {
	waiting, limit := (s.puts.Load()-s.flushed.Load())*s.unitBytes, s.budget.limit
	return waiting > limit/4 || waiting > limit/8 && s.budget.held.Load() > limit/4*3
}

func (s *Set) markUnsynced(key fileKey) {
	s.dirtyMu.Lock()
	s.unsynced[key] = struct{}{}
	s.dirtyMu.Unlock()
}

func (s *Set) markNames(dirs ...string) {
	s.dirtyMu.Lock()
	for _, d := range dirs {
		s.names[d] = struct{}{}
	}
	s.dirtyMu.Unlock()
}

// Flush writes the entries put so far to the files. Where it fails the entries stay in memory and the next Flush tries
// again; the first error is returned. Any goroutine; it blocks on the disk.
func (s *Set) Flush() error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	puts := s.puts.Load()
	s.dirtyMu.Lock()
	dirty, grown := s.dirty, s.grown
	s.dirty, s.grown = nil, nil
	s.dirtyMu.Unlock()
	for _, q := range grown {
		if q.shrinkRing() {
			s.markGrown(q)
		}
	}
	s.crowded.Store(len(dirty) > s.cache.max)
	s.tidy(dirty)
	var first error
	for _, q := range dirty {
		q.mu.Lock()
		q.dirty = false
		q.mu.Unlock()
		err := q.write()
		if err == nil {
			if s.budget.tight() {
				q.tighten()
			}
			continue
		}
		if first == nil {
			first = err
		}
		q.mu.Lock()
		again := !q.dirty && !q.deleted
		q.dirty = q.dirty || again
		q.mu.Unlock()
		if again {
			s.markDirty(q)
		}
	}
	if first == nil {
		s.flushed.Store(puts)
	}
	return first
}

// Dirty is how many queues have entries that are not in files.
func (s *Set) Dirty() int {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	return len(s.dirty)
}

// Settled says that Flush has nothing to do.
func (s *Set) Settled() bool {
	s.dirtyMu.Lock()
	defer s.dirtyMu.Unlock()
	return len(s.dirty) == 0 && len(s.grown) == 0
}

// Puts counts the entries put so far, blanks included.
func (s *Set) Puts() int64 { return s.puts.Load() }

// Room is how many entries, spread over many queues, find room in memory: their rings are half empty at worst.
func (s *Set) Room() int64 { return s.budget.limit / 2 / s.unitBytes }

// Sync makes durable what was written: after it, everything put before the last Flush survives a power cut. Once a sync
// has failed nobody knows what was lost, and every later Sync returns that error; the queues are rebuilt from the log by
// the next start. Any goroutine; it blocks on the disk, and how often it is worth that is the caller's to say.
func (s *Set) Sync() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	s.dirtyMu.Lock()
	files, names := s.unsynced, s.names
	s.unsynced, s.names = map[fileKey]struct{}{}, map[string]struct{}{}
	s.dirtyMu.Unlock()
	if done, err := s.whole.sync(s, len(files)+len(names)); err != nil {
		s.lost = err
		return err
	} else if done {
		return nil
	}
	keys := make([]fileKey, 0, len(files))
	for k := range files {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b fileKey) int {
		return cmp.Or(cmp.Compare(a.q.topic, b.q.topic), cmp.Compare(a.q.id, b.q.id), cmp.Compare(a.start, b.start))
	})
	dirs := make([]string, 0, len(names))
	for d := range names {
		dirs = append(dirs, d)
	}
	slices.Sort(dirs)
	if lost, err := sideBySide(keys, s.syncFile); err != nil {
		return s.syncFailed(err, lost, keys, dirs)
	}
	if _, err := sideBySide(dirs, s.syncDir); err != nil {
		return s.syncFailed(err, true, nil, dirs)
	}
	return nil
}

// sideBySide makes things durable, many of them at a time, so that the file system can commit them together. It ends early when one
// fails; lost is true if it was so of any.
func sideBySide[T any](all []T, one func(T) (lost bool, err error)) (lost bool, err error) {
	var (
		next  atomic.Int64
		mu    sync.Mutex
		group sync.WaitGroup
	)
	work := func() {
		for {
			i := next.Add(1) - 1
			if i >= int64(len(all)) {
				return
			}
			if bad, failed := one(all[i]); failed != nil {
				next.Store(int64(len(all)))
				mu.Lock()
				lost, err = lost || bad, errors.Join(err, failed)
				mu.Unlock()
			}
		}
	}
	for range min(syncWorkers, len(all)/filesPerWorker) {
		group.Go(work)
	}
	work()
	group.Wait()
	return lost, err
}

// syncDir makes the names in a folder durable.
func (s *Set) syncDir(dir string) (lost bool, err error) {
	if err := s.fs.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, fmt.Errorf("sync consume queues: %w", err)
	}
	return false, nil
}

// syncFile makes one file durable. lost: the sync itself failed, so that pages may have been dropped.
func (s *Set) syncFile(k fileKey) (lost bool, err error) {
	h, err := s.cache.open(k)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // deleted meanwhile
	}
	if err != nil {
		return false, fmt.Errorf("sync consume queue %s/%d: %w", k.q.topic, k.q.id, err)
	}
	defer s.cache.release(h)
	if err := h.file.Datasync(); err != nil {
		return true, fmt.Errorf("sync consume queue %s/%d: %w", k.q.topic, k.q.id, err)
	}
	return false, nil
}

// syncFailed puts back what was not synced, or gives up for good.
func (s *Set) syncFailed(err error, lost bool, keys []fileKey, dirs []string) error {
	if lost {
		s.lost = err
		return err
	}
	for _, k := range keys {
		s.markUnsynced(k)
	}
	s.markNames(dirs...)
	return err
}
