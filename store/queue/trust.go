package queue

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
)

// Bounds are the numbers of a queue at a moment at which all its entries before Max were durable.
type Bounds struct {
	Min, Max    int64 // entries
	MinPhysical int64 // physical offset of the record at Min, -1: not known
	MaxPhysical int64 // end of the last record, -1: there is none
	FirstFile   int64 // where its oldest file begins, bytes
}

// Bounds returns the queue's numbers of the moment. By the writer, or when there is none.
func (q *Queue) Bounds() Bounds {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := Bounds{Min: q.Min(), Max: q.Max(), MinPhysical: q.minPhysical.Load() - 1, MaxPhysical: q.MaxPhysical(), FirstFile: q.firstFile}
	if q.noFiles {
		b.FirstFile = q.set.fileOf(b.Min)
	}
	return b
}

// fileOf is where the file of an entry begins.
func (s *Set) fileOf(at int64) int64 { return at / s.fileUnits * s.fileBytes }

// Trust takes the numbers of a queue as they were told, so that a start need not look at its files: whoever touches them first
// does, or Settle. false: there is no such queue, or the numbers cannot be those of one. Before Recover, which passes the queue over.
//
// Files may be damaged or gone all the same. What is missing is made, full of zeros, which reads come upon as damage. What a crash left
// behind the end is cleared before anything is written.
func (s *Set) Trust(topic string, id int32, b Bounds) bool {
	q := s.Lookup([]byte(topic), id)
	if q == nil || !s.possible(b) {
		return false
	}
	q.trusted, q.dirMade = true, true
	q.unsettled.Store(true)
	q.noFiles, q.firstFile, q.endFile = false, b.FirstFile, s.fileOf(b.Max-1)+s.fileBytes
	q.written, q.ring.from = b.Max, b.Max
	q.min.Store(b.Min)
	q.max.Store(b.Max)
	q.minPhysical.Store(b.MinPhysical + 1)
	q.maxPhysical.Store(b.MaxPhysical)
	return true
}

// possible says whether the numbers can be those of a queue: a flipped digit must not make it longer than its records can be many, nor have
// settle make files without end. A queue with blanks in it, which may have more entries than its records have room for, is looked at.
func (s *Set) possible(b Bounds) bool {
	switch {
	case b.Min < 0 || b.Min >= b.Max || b.MinPhysical < 0 || b.MaxPhysical <= b.MinPhysical || b.MaxPhysical > s.logEnd:
		return false
	case b.Max-b.Min > (b.MaxPhysical-b.MinPhysical)/int64(max(s.minRecord, 1)):
		return false
	}
	first := s.fileOf(b.Min)
	return b.FirstFile >= max(0, first-maxEarlierFiles*s.fileBytes) && b.FirstFile%s.fileBytes == 0 && b.FirstFile <= first
}

// maxEarlierFiles is how many files may be left of records that the log does not hold any more: they go with every round of retention.
const maxEarlierFiles = 1024

// Settle looks at the files of a queue that was trusted, if nobody has yet. Any goroutine; it may block on the disk.
func (q *Queue) Settle() error {
	if !q.unsettled.Load() {
		return nil
	}
	q.settling.Lock()
	defer q.settling.Unlock()
	if !q.unsettled.Load() || q.isDeleted() {
		return nil
	}
	if err := q.settle(); err != nil {
		return fmt.Errorf("look at consume queue %s/%d: %w", q.topic, q.id, err)
	}
	q.unsettled.Store(false)
	return nil
}

// settle sees to it that the files are there at their full size, and no others. settling is held, io perhaps not: a reader may be the
// first to look. Nobody else changes files meanwhile, since whoever wants to settles first, and firstFile, endFile and noFiles stay.
func (q *Queue) settle() error {
	q.mu.Lock()
	first, end := q.firstFile, q.endFile
	q.mu.Unlock()
	entries, err := q.set.fs.ReadDir(q.dirOf())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	whole := map[int64]bool{}
	for _, e := range entries {
		start, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil || e.IsDir() || len(e.Name()) != 20 || start < first {
			continue
		}
		if start >= end { // written after the queue's numbers were, and lost or to be written again
			if err := q.removeFile(start); err != nil {
				return err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		whole[start] = info.Size() == q.set.fileBytes
	}
	for start := first; start < end; start += q.set.fileBytes {
		if !whole[start] {
			if err := q.restore(start); err != nil {
				return err
			}
		}
	}
	return nil
}

// restore gives a file that is missing, or not of its full size, that size. What is lost is zeros then.
func (q *Queue) restore(start int64) error {
	key := fileKey{q, start}
	q.set.logger.Error("consume queue file is missing or not whole: rebuilt from the log as it is read", "file", key.path())
	if err := q.set.fs.MkdirAll(q.dirOf(), 0o755); err != nil {
		return err
	}
	f, err := q.set.fs.Open(key.path(), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil {
		err = f.Truncate(min(size-size%q.set.unitBytes, q.set.fileBytes))
	}
	if err == nil {
		err = f.Truncate(q.set.fileBytes)
	}
	q.set.markUnsynced(key)
	q.set.markNames(q.dirOf())
	return errors.Join(err, f.Close())
}
