package commitlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"ringmq/store/disk"
	"ringmq/store/record"
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

// segmentFile is a file of the log's directory before it is opened.
type segmentFile struct{ start, size int64 }

// loadSegments opens what lies in the log's directory. Nothing is changed before everything is known to fit.
func (l *Log) loadSegments() ([]*segment, error) {
	files, empty, err := l.listSegments()
	if err != nil {
		return nil, err
	}
	if err := l.checkSegments(files); err != nil {
		return nil, err
	}
	if empty != "" {
		if err := l.o.FS.Remove(empty); err != nil {
			return nil, err
		}
	}
	var list []*segment
	for _, f := range files {
		s, err := l.openSegment(f)
		if err != nil {
			return nil, errors.Join(err, closeSegments(list))
		}
		list = append(list, s)
	}
	return list, nil
}

// listSegments lists the files by name; empty is the last one if it is empty, which is as good as none.
func (l *Log) listSegments() (files []segmentFile, empty string, err error) {
	entries, err := l.o.FS.ReadDir(l.o.Dir)
	if err != nil {
		return nil, "", fmt.Errorf("commit log: %w", err)
	}
	for i, e := range entries {
		if e.IsDir() {
			continue
		}
		name := filepath.Join(l.o.Dir, e.Name())
		start, ok := record.ParseFileName(e.Name())
		if !ok {
			return nil, "", fmt.Errorf("commit log: %s is not named as a segment", name)
		}
		info, err := e.Info()
		if err != nil {
			return nil, "", err
		}
		if info.Size() == 0 && i == len(entries)-1 {
			empty = name
			continue
		}
		files = append(files, segmentFile{start, info.Size()})
	}
	return files, empty, nil
}

// checkSegments says whether the files can be a log of segments of the configured size: their names tell. One that
// is shorter was left so by a crash, unless it has the size that this log was written with before.
func (l *Log) checkSegments(files []segmentFile) error {
	size, written := l.o.SegmentBytes, l.readMark().SegmentBytes
	for i, f := range files {
		name := filepath.Join(l.o.Dir, record.FileName(f.start))
		switch {
		case f.size > size, f.start%size != 0, f.size > 0 && f.size != size && f.size == written:
			return fmt.Errorf("commit log: %s has %d bytes, segments are configured with %d (mappedFileSizeCommitLog)", name, f.size, size)
		case i > 0 && f.start != files[i-1].start+size:
			return fmt.Errorf("commit log: segment %s does not follow %s with segments of %d bytes; empty files in the place of those that are missing give their messages up and serve the others",
				name, record.FileName(files[i-1].start), size)
		}
	}
	return nil
}

// openSegment opens one file. One that is too short is padded with zeros, which recovery takes for a lost piece or an end.
func (l *Log) openSegment(file segmentFile) (*segment, error) {
	name := filepath.Join(l.o.Dir, record.FileName(file.start))
	f, err := l.o.FS.Open(name, os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if file.size < l.o.SegmentBytes {
		l.logger.Warn("commit log: segment is too short, padded with zeros", "segment", name, "bytes", file.size, "wanted", l.o.SegmentBytes)
		if err := f.Truncate(l.o.SegmentBytes); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if err := f.Sync(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return newSegment(file.start, f), nil
}

func closeSegments(list []*segment) (err error) {
	for _, s := range list {
		err = errors.Join(err, s.file.Close())
	}
	return err
}
