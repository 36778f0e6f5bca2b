package commitlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

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

// ReadAt fills p with the bytes at offset, which must lie in one segment. Any goroutine; it may wait for the disk. ErrGone if
// there is no such segment any more.
func (l *Log) ReadAt(offset int64, p []byte) error {
	s := l.segmentAt(offset)
	if s == nil || !s.acquire() {
		return ErrGone
	}
	defer s.release()
	if offset+int64(len(p)) > s.start+l.o.SegmentBytes {
		return fmt.Errorf("commit log: %d bytes at %d reach over the end of their segment", len(p), offset)
	}
	_, err := s.file.ReadAt(p, offset-s.start)
	if errors.Is(err, fs.ErrClosed) {
		return ErrGone
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Verified says that the n bytes at offset were written in this run, as whole records, so that they need no check before they are
// served.
func (l *Log) Verified(offset int64, n int) bool {
	return offset >= l.boot.Load() && !l.Doubtful(offset, int64(n))
}

// FirstRecord returns the store timestamp (ms) of the first record of a segment, false if there is no record.
func (l *Log) FirstRecord(start int64) (storedMs int64, ok bool) {
	var head [record.StoreTimestampBytes]byte
	if hot, ok := l.ReadHot(start, len(head), head[:0]); ok {
		copy(head[:], hot)
	} else if err := l.ReadAt(start, head[:]); err != nil {
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
	oldest.retire(dispose)
	return l.o.SegmentBytes, err
}
