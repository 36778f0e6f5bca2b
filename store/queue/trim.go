package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// Truncate cuts the entries of records that begin at or behind physical, the end of the log. What they leave in the
// files becomes zeros at once, because later records will lie where they point to; Sync makes the cut durable and comes
// before the log takes new records. Writer only, or before it runs.
func (q *Queue) Truncate(physical int64) error {
	q.io.Lock()
	defer q.io.Unlock()
	low, high := q.first(), q.max.Load()
	keep, _, err := q.firstAtLeast(physical, low, high)
	if err != nil {
		return fmt.Errorf("cut consume queue: %w", err)
	}
	if keep == high {
		return nil
	}
	lastAt, last, err := q.lastRecord(low, keep)
	if err != nil {
		return fmt.Errorf("cut consume queue: %w", err)
	}
	if q.suspect >= keep {
		q.suspect = -1
	}
	q.mu.Lock()
	written := q.written
	q.written = min(written, keep)
	q.max.Store(keep)
	q.min.Store(min(q.min.Load(), keep))
	if keep < q.ring.from {
		q.ring.from = keep
	}
	if q.min.Load() == keep {
		q.minPhysical.Store(0)
	}
	q.maxPhysical.Store(0)
	if lastAt >= 0 {
		q.maxPhysical.Store(last.End())
	}
	q.mu.Unlock()
	if written > keep {
		if err := q.cutFiles(keep); err != nil {
			return fmt.Errorf("cut consume queue %s/%d at %d: %w", q.topic, q.id, keep, err)
		}
	}
	return nil
}

// cutFiles leaves nothing in the files from entry keep on. io is held.
func (q *Queue) cutFiles(keep int64) error {
	if err := q.Settle(); err != nil {
		return err
	}
	at := keep * q.set.unitBytes
	start := at - at%q.set.fileBytes
	for q.endFile > max(start+q.set.fileBytes, q.firstFile+q.set.fileBytes) {
		if err := q.removeFile(q.endFile - q.set.fileBytes); err != nil {
			return err
		}
		q.mu.Lock()
		q.endFile -= q.set.fileBytes
		q.mu.Unlock()
	}
	if q.noFiles || start >= q.endFile {
		return nil
	}
	h, err := q.set.cache.open(fileKey{q, start})
	if err != nil {
		return err
	}
	defer q.set.cache.release(h)
	return q.clearBehind(h, at-start)
}

// removeFile removes the file that begins at start. io is held, or settling while the queue is unsettled.
func (q *Queue) removeFile(start int64) error {
	key := fileKey{q, start}
	if err := q.set.fs.Remove(key.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	q.set.cache.drop(key)
	q.set.markNames(q.dirOf())
	return nil
}

// first is the first entry that has a place in the files or in memory.
func (q *Queue) first() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.noFiles {
		return min(q.ring.from, q.max.Load())
	}
	return q.firstFile / q.set.unitBytes
}

// CorrectMin sets Min to the first entry whose record begins at or behind logMin, the beginning of the log; to Max if
// there is none. It seldom has to look at a file. Any goroutine.
func (q *Queue) CorrectMin(logMin int64) error {
	low, high := q.min.Load(), q.max.Load()
	if p := q.minPhysical.Load(); p > 0 && p-1 >= logMin || low >= high {
		return nil
	}
	low = max(low, q.first())
	at, offset, err := q.firstAtLeast(logMin, low, high)
	if err != nil {
		return fmt.Errorf("correct minimum of consume queue: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if at >= q.min.Load() && at <= q.max.Load() {
		q.min.Store(at)
		q.minPhysical.Store(offset + 1)
	}
	return nil
}

// DeleteBefore removes the files all of whose records begin before logMin, never the newest one, and returns how many.
// Any goroutine.
func (q *Queue) DeleteBefore(logMin int64) (files int, err error) {
	if q.isShort() {
		return 0, nil
	}
	if err := q.Settle(); err != nil {
		return 0, err
	}
	q.io.Lock()
	defer q.io.Unlock()
	for !q.isDeleted() && !q.noFiles && q.firstFile+q.set.fileBytes < q.endFile {
		from := q.firstFile / q.set.unitBytes
		lastAt, last, err := q.lastRecord(from, from+q.set.fileUnits)
		if err == nil && (lastAt < 0 || last.Offset < logMin) {
			err = q.removeFile(q.firstFile)
		} else if err == nil {
			break
		}
		if err != nil {
			return files, fmt.Errorf("delete from consume queue %s/%d: %w", q.topic, q.id, err)
		}
		files++
		q.mu.Lock()
		q.firstFile += q.set.fileBytes
		if first := q.firstFile / q.set.unitBytes; q.min.Load() < first {
			q.min.Store(first)
			q.minPhysical.Store(0)
		}
		q.mu.Unlock()
	}
	return files, nil
}

// Delete removes all queues of a topic, from memory and from the disk. Its Queues take no entries afterwards. Writer only.
func (s *Set) Delete(topic string) error { return s.Forget(topic)() }

// Forget removes all queues of a topic from memory; their Queues take no entries afterwards. The function returned, which
// must be called once, by any goroutine, removes their files and may take its time: queues that get the same name
// meanwhile keep their entries in memory until it has returned. Forget is for the writer only and does no I/O.
func (s *Set) Forget(topic string) (erase func() error) {
	sh := s.shardOf(topic)
	sh.mu.Lock()
	list := sh.topics[topic] // none: files may be left of a deletion that failed
	delete(sh.topics, topic)
	before, erased := sh.erasing[topic], make(chan struct{})
	if sh.erasing == nil {
		sh.erasing = map[string]chan struct{}{}
	}
	sh.erasing[topic] = erased
	sh.mu.Unlock()
	for _, q := range list {
		q.forget()
	}
	return func() error {
		if before != nil {
			<-before
		}
		err := s.erase(topic, list)
		sh.mu.Lock()
		if err == nil && sh.erasing[topic] == erased { // otherwise queues to come remove what is left
			delete(sh.erasing, topic)
		}
		sh.mu.Unlock()
		close(erased)
		return err
	}
}

func (s *Set) erase(topic string, list []*Queue) error {
	for _, q := range list {
		q.closeFiles()
	}
	dir := s.dir + "/" + topic
	if err := s.fs.RemoveAll(dir); err != nil {
		return fmt.Errorf("delete consume queues: %w", err)
	}
	if err := s.fs.SyncDir(path.Dir(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete consume queues: %w", err)
	}
	return nil
}

// forget empties the queue for good. Writer only; whoever just writes its files sees it before the next piece.
func (q *Queue) forget() {
	q.mu.Lock()
	held := len(q.ring.bytes)
	q.deleted = true
	q.ring = ring{from: q.max.Load(), unit: q.ring.unit}
	q.written = q.max.Load()
	q.min.Store(q.max.Load())
	q.mu.Unlock()
	if held > 0 {
		q.set.forgetRing(q, int64(held))
	}
}

// closeFiles waits for whoever changes the files of a queue that is forgotten, and ends their use; removing them is the
// caller's.
func (q *Queue) closeFiles() {
	q.io.Lock()
	defer q.io.Unlock()
	q.settling.Lock()
	defer q.settling.Unlock()
	if !q.noFiles {
		for start := q.firstFile; start < q.endFile; start += q.set.fileBytes {
			q.set.cache.drop(fileKey{q, start})
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.noFiles = true
}

// isShort says that a queue has one file, which is never deleted.
func (q *Queue) isShort() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.firstFile+q.set.fileBytes >= q.endFile
}

func (q *Queue) isDeleted() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.deleted
}
