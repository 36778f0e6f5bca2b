package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"sort"
)

// logFiles answers what the commit log holds at an offset, for comparing other files with it.
type logFiles struct {
	files []numbered
	open  *os.File // of the file last asked
	index int
	buf   []byte
}

// openLog takes the directory given, or else looks for "commitlog" beside a parent of dir. There may be none: nil.
func openLog(given, dir string) (*logFiles, error) {
	if given == "" {
		up, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		for range 4 {
			up = filepath.Dir(up)
			if c := filepath.Join(up, "commitlog"); exists(c) {
				given = c
				break
			}
		}
	}
	if given == "" {
		return nil, nil
	}
	files, err := numberedFiles(given)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	return &logFiles{files: files, index: -1}, nil
}

// at returns up to n bytes at an offset, fewer where the file ends. known is false for offsets before the first file: they may
// have been there. The bytes are valid until the next call.
func (l *logFiles) at(offset int64, n int) (b []byte, known bool, err error) {
	i := sort.Search(len(l.files), func(i int) bool { return l.files[i].first > offset }) - 1
	if i < 0 {
		return nil, false, nil
	}
	f := l.files[i]
	n = int(min(int64(n), f.first+f.size-offset))
	if n <= 0 {
		return nil, true, nil
	}
	if l.index != i {
		if err := l.close(); err != nil {
			return nil, true, err
		}
		if l.open, err = os.Open(f.path); err != nil {
			return nil, true, err
		}
		l.index = i
	}
	if cap(l.buf) < n {
		l.buf = make([]byte, n)
	}
	b = l.buf[:n]
	_, err = l.open.ReadAt(b, offset-f.first)
	return b, true, err
}

func (l *logFiles) close() error {
	if l == nil || l.open == nil {
		return nil
	}
	err := l.open.Close()
	l.open, l.index = nil, -1
	return err
}

// queueOffset is the number in its queue that a record's first 28 bytes hold.
func queueOffset(head []byte) int64 { return int64(binary.BigEndian.Uint64(head[20:])) }
