package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// segmentAt returns the segment that holds an offset, nil if none does.
func (l *Log) segmentAt(offset int64) *segment {
	list := *l.segments.Load()
	i := sort.Search(len(list), func(i int) bool { return list[i].start > offset }) - 1
	if i < 0 || offset >= list[i].start+l.o.SegmentBytes {
		return nil
	}
	return list[i]
}

// ReadHot appends n bytes at offset to dst if all of them are before Local and in memory. Any goroutine, no I/O, no allocation
// beyond what dst needs. Between the blank and the end of a segment the bytes mean nothing.
func (l *Log) ReadHot(offset int64, n int, dst []byte) ([]byte, bool) {
	if n < 0 || offset < l.boot.Load() || offset+int64(n) > l.Local().Load() {
		return dst, false
	}
	return l.tail.read(offset, n, dst)
}

// HotFrom is an offset from which on records are in memory, or were a moment ago. Any goroutine.
func (l *Log) HotFrom() int64 {
	return max(l.boot.Load(), l.Visible().Load()-l.tail.size+l.tail.page)
}

// Place is a stretch of the log in its file, which stays as it is until Release.
type Place struct {
	File   disk.File
	Offset int64 // in File
	s      *segment
}

// Place finds n bytes at offset, which must lie in one segment. Any goroutine, no I/O. ErrGone if there is no such segment any more.
func (l *Log) Place(offset int64, n int) (Place, error) {
	s := l.segmentAt(offset)
	if s == nil || !s.acquire() {
		return Place{}, ErrGone
	}
	if offset+int64(n) > s.start+l.o.SegmentBytes {
		s.release()
		return Place{}, fmt.Errorf("commit log: %d bytes at %d reach over the end of their segment", n, offset)
	}
	return Place{File: s.file, Offset: offset - s.start, s: s}, nil
}

// Release gives the place back.
func (p Place) Release() { p.s.release() }

// ReadNow is ReadAt for what is in the page cache: disk.ErrWouldWait where not all of p is. Any goroutine, no allocation.
func (l *Log) ReadNow(offset int64, p []byte) error {
	at, err := l.Place(offset, len(p))
	if err != nil {
		return err
	}
	defer at.Release()
	_, err = at.File.ReadNow(p, at.Offset)
	return readError(err)
}

// Resident is how many of n bytes at offset, in one segment, are in the page cache; known is false where the kernel does not tell.
// Any goroutine, no allocation.
func (l *Log) Resident(offset int64, n int) (bytes int64, known bool) {
	at, err := l.Place(offset, n)
	if err != nil {
		return 0, false
	}
	defer at.Release()
	return at.File.Resident(at.Offset, int64(n))
}

// ReadAt fills p with the bytes at offset, which must lie in one segment. Any goroutine; it may wait for the disk. ErrGone if
// there is no such segment any more. What the disk cannot read is zeros: see Unreadable.
func (l *Log) ReadAt(offset int64, p []byte) error {
	at, err := l.Place(offset, len(p))
	if err != nil {
		return err
	}
	defer at.Release()
	return readError(l.read(at.s, p, at.Offset, false))
}

// ReadExact is ReadAt for readers here and there: nothing behind what they want is read with it. ReadAt of a few bytes would have the kernel
// read megabytes ahead, and mark a page there at which any later read, exact or not, makes it read on.
func (l *Log) ReadExact(offset int64, p []byte) error {
	at, err := l.Place(offset, len(p))
	if err != nil {
		return err
	}
	defer at.Release()
	return readError(l.read(at.s, p, at.Offset, true))
}

// readError tells a file that retention has closed from one that is damaged.
func readError(err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return ErrGone
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Verified says that the n bytes at offset were written in this run, as whole records, so that they need no check before they are
// served.
func (l *Log) Verified(offset int64, n int) bool {
	return offset >= l.boot.Load() && !l.Doubtful(offset, int64(n))
}

// StoreTime returns the store timestamp (ms) of the record that begins at an offset, or of a segment's first one, false if there is no record.
func (l *Log) StoreTime(at int64) (storedMs int64, ok bool) {
	var head [record.StoreTimestampBytes]byte
	if hot, ok := l.ReadHot(at, len(head), head[:0]); ok {
		copy(head[:], hot)
	} else if err := l.ReadExact(at, head[:]); err != nil {
		return 0, false
	}
	if _, magic := record.Header(head[:]); magic != record.MagicV1 && magic != record.MagicV2 {
		return 0, false
	}
	return record.StoreTimestamp(head[:]), true
}

// DeleteOldest gives up the first segment, never the last, and returns how many bytes that freed. The file becomes the next
// segment to be prepared, zeroed again before it is used, if none is in the making. A file that cannot be removed keeps the segment:
// without those behind it the next start would find a hole.
func (l *Log) DeleteOldest() (freed int64, err error) {
	l.deleting.Lock()
	defer l.deleting.Unlock()
	l.mu.Lock()
	list := *l.segments.Load()
	if len(list) < 2 || list[0].start+l.o.SegmentBytes > l.durable.Load() {
		l.mu.Unlock()
		return 0, nil
	}
	oldest := list[0]
	l.mu.Unlock()
	dispose, err := l.maker.recycle(oldest)
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	rest := append([]*segment(nil), (*l.segments.Load())[1:]...)
	l.segments.Store(&rest)
	l.mu.Unlock()
	// Its old name is gone for good before the file is zeroed for another life.
	err = l.o.FS.SyncDir(l.o.Dir)
	l.held.Add(l.o.SegmentBytes)
	oldest.retire(func() {
		l.held.Add(-l.o.SegmentBytes)
		dispose()
	})
	return l.o.SegmentBytes, err
}

// Held is how many bytes of segments are deleted and still take their space, because somebody reads them. Any goroutine.
func (l *Log) Held() int64 { return l.held.Load() }
