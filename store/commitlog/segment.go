package commitlog

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"ringmq/store/disk"
)

// segment is one file of the log. Whoever reads holds a reference; a retired segment is disposed of when the last one is
// given back, so that nobody reads a file that is being zeroed for another life.
type segment struct {
	start   int64
	file    disk.File
	refs    atomic.Int64 // 1 while it belongs to the log
	dispose func()
}

// SegmentInfo describes one segment.
type SegmentInfo struct {
	Start int64
	Bytes int64
}

func newSegment(start int64, file disk.File) *segment {
	s := &segment{start: start, file: file}
	s.refs.Store(1)
	return s
}

func (s *segment) acquire() bool {
	for {
		n := s.refs.Load()
		if n == 0 {
			return false
		}
		if s.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *segment) release() {
	if s.refs.Add(-1) == 0 {
		s.dispose()
	}
}

// retire takes the log's own reference back; dispose runs once the last reader is gone.
func (s *segment) retire(dispose func()) {
	s.dispose = dispose
	s.release()
}

// segmentName is the start offset in 20 digits.
func segmentName(start int64) string { return fmt.Sprintf("%020d", start) }

func parseSegmentName(name string) (int64, bool) {
	if len(name) != 20 {
		return 0, false
	}
	var n int64
	for _, ch := range []byte(name) {
		if ch < '0' || ch > '9' || n > (1<<63-1)/10-1 {
			return 0, false
		}
		n = n*10 + int64(ch-'0')
	}
	return n, true
}

// loadSegments opens what lies in the log's directory.
func (l *Log) loadSegments() ([]*segment, error) {
	entries, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("commit log: %w", err)
	}
	var list []*segment
	for i, e := range entries {
		if e.IsDir() {
			continue
		}
		start, ok := parseSegmentName(e.Name())
		if !ok {
			return nil, fmt.Errorf("commit log: %s is not named as a segment", filepath.Join(l.o.Dir, e.Name()))
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if info.Size() == 0 && i == len(entries)-1 {
			if err := l.o.FS.Remove(filepath.Join(l.o.Dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		s, err := l.openSegment(start, info.Size())
		if err != nil {
			return nil, err
		}
		if len(list) > 0 && start != list[len(list)-1].start+l.o.SegmentBytes {
			return nil, fmt.Errorf("commit log: segment %s does not follow %s with segments of %d bytes", e.Name(), segmentName(list[len(list)-1].start), l.o.SegmentBytes)
		}
		list = append(list, s)
	}
	return list, nil
}

// openSegment opens one file. One that is too short is padded with zeros, which recovery takes for a lost piece or an end; one
// that is too long means that the configured size is not the log's.
func (l *Log) openSegment(start, size int64) (*segment, error) {
	name := filepath.Join(l.o.Dir, segmentName(start))
	if size > l.o.SegmentBytes || start%l.o.SegmentBytes != 0 {
		return nil, fmt.Errorf("commit log: %s has %d bytes, segments are configured with %d (mappedFileSizeCommitLog)", name, size, l.o.SegmentBytes)
	}
	f, err := l.o.FS.Open(name, os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if size < l.o.SegmentBytes {
		l.logger.Warn("commit log: segment is too short, padded with zeros", "segment", name, "bytes", size, "wanted", l.o.SegmentBytes)
		if err := f.Truncate(l.o.SegmentBytes); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
	}
	return newSegment(start, f), nil
}
