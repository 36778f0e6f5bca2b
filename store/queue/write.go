package queue

import (
	"fmt"
	"math"
	"path"

	"ringmq/store/record"
)

// write brings the files up to Max.
func (q *Queue) write() error {
	q.io.Lock()
	defer q.io.Unlock()
	page := pages.Get().(*[pageBytes]byte)
	defer pages.Put(page)
	for {
		q.mu.Lock()
		from, to := q.written, q.max.Load()
		if q.deleted || from >= to {
			q.mu.Unlock()
			return nil
		}
		to = min(to, from+q.set.pageUnits, from-from%q.set.fileUnits+q.set.fileUnits)
		if from < q.ring.from {
			to = min(to, q.ring.from)
			q.mu.Unlock()
			q.fillBlank(page[:(to-from)*q.set.unitBytes])
		} else {
			q.ring.copyTo(page[:(to-from)*q.set.unitBytes], from)
			q.mu.Unlock()
		}
		if err := q.writeAt(from, page[:(to-from)*q.set.unitBytes]); err != nil {
			return fmt.Errorf("write consume queue %s/%d at %d: %w", q.topic, q.id, from, err)
		}
		q.mu.Lock()
		if !q.deleted {
			q.written = to
		}
		q.mu.Unlock()
	}
}

func (q *Queue) fillBlank(b []byte) {
	clear(b)
	for at := 0; at < len(b); at += int(q.set.unitBytes) {
		record.BlankUnit.Append(b[at:at])
	}
}

// writeAt writes units, all of one file, at entry `from`. io is held.
func (q *Queue) writeAt(from int64, b []byte) error {
	if err := q.Settle(); err != nil {
		return err
	}
	at := from * q.set.unitBytes
	start := at - at%q.set.fileBytes
	if key := (fileKey{q, start}); q.tailClean && q.set.crowded.Load() && !q.noFiles && start < q.endFile {
		defer q.set.markUnsynced(key) // only then, as below
		return q.set.fs.WriteInto(key.path(), b, at-start)
	}
	h, err := q.fileFor(start)
	if err != nil {
		return err
	}
	defer q.set.cache.release(h)
	if !q.tailClean {
		if err := q.clearBehind(h, at-start); err != nil {
			return err
		}
	}
	_, err = h.file.WriteAt(b, at-start)
	// Only now: a Sync that ran meanwhile has not covered it. Whoever calls Flush before Sync waits for io.
	q.set.markUnsynced(h.key)
	return err
}

// clearBehind makes zeros of all that a file holds from byte at on: entries that a crash left behind a gap would line up
// with what is written now. After a crash the zeros are made durable first, or a second crash could bring them back. io is
// held.
func (q *Queue) clearBehind(h *handle, at int64) error {
	if at < q.set.fileBytes {
		if err := q.zeroBehind(h, at); err != nil {
			return err
		}
		if q.set.durableTo != math.MaxInt64 {
			if err := h.file.Datasync(); err != nil {
				return err
			}
		}
	}
	q.tailClean = true
	return nil
}

func (q *Queue) zeroBehind(h *handle, at int64) error {
	defer q.set.markUnsynced(h.key)
	if err := h.file.Truncate(at); err != nil {
		return err
	}
	return h.file.Truncate(q.set.fileBytes)
}

// fileFor opens the file that begins at start and makes it if it is the next one. A stock broker accepts a file only at
// its full size, so it has that from the beginning; it is sparse. io is held.
func (q *Queue) fileFor(start int64) (*handle, error) {
	key := fileKey{q, start}
	if !q.noFiles && start < q.endFile {
		return q.set.cache.open(key)
	}
	dir := q.dirOf()
	if q.erased != nil {
		<-q.erased
		// What could not be removed then must not lie behind the entries that come now.
		if err := q.set.fs.RemoveAll(dir); err != nil {
			return nil, err
		}
		q.erased = nil
	}
	if !q.dirMade {
		if err := q.set.fs.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if err := q.set.whole.watch(q.set); err != nil {
			return nil, err
		}
		q.dirMade = true
	}
	h, err := q.set.cache.create(key)
	if err != nil {
		return nil, err
	}
	if err := h.file.Truncate(q.set.fileBytes); err != nil {
		q.set.cache.release(h)
		q.set.cache.drop(key)
		return nil, err
	}
	topic := path.Dir(dir)
	q.set.markNames(dir, topic, q.set.dir, path.Dir(q.set.dir))
	q.tailClean = true
	q.mu.Lock()
	if q.noFiles {
		q.firstFile, q.noFiles = start, false
	}
	q.endFile = start + q.set.fileBytes
	q.mu.Unlock()
	return h, nil
}

// removeFiles removes all files of the queue. io is held.
func (q *Queue) removeFiles() error {
	if q.noFiles {
		return nil
	}
	for start := q.firstFile; start < q.endFile; start += q.set.fileBytes {
		if err := q.removeFile(start); err != nil {
			return err
		}
	}
	q.mu.Lock()
	q.noFiles, q.firstFile, q.endFile = true, 0, 0
	q.mu.Unlock()
	return nil
}
