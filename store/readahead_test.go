package store

import (
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"ringmq/store/disk"
)

// countingFS counts what is read from the files of the commit log.
type countingFS struct {
	disk.FS
	reads, bytes atomic.Int64
}

type countingFile struct {
	disk.File
	fs *countingFS
}

func (c *countingFS) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := c.FS.Open(name, flag, perm)
	if err == nil && strings.Contains(name, "/commitlog/") {
		return countingFile{f, c}, nil
	}
	return f, err
}

func (f countingFile) ReadAt(b []byte, off int64) (int, error) {
	f.fs.reads.Add(1)
	f.fs.bytes.Add(int64(len(b)))
	return f.File.ReadAt(b, off)
}

// TestColdReadsTogether: records that lie close together come with one read of the log, those far apart with one each, and
// never is more than four times read of what is answered; the answers are the same.
func TestColdReadsTogether(t *testing.T) {
	for _, queues := range []int{1, 2, 3, 8} {
		c := &countingFS{FS: disk.NewMemory()}
		o := smallOptions(c)
		o.SegmentBytes, o.IndexEnabled = 1<<20, false
		s := mustOpen(t, o)
		const each = 100
		for i := range each * queues {
			m := message("T", int32(i%queues), fmt.Sprintf("%d %s", i/queues, strings.Repeat("x", 900)), "TAGS", "AB"[i/queues%2:][:1])
			mustAppend(t, s, m)
		}
		settled(t, s)
		closeStore(t, s)
		s = mustOpen(t, o)
		for _, w := range []Want{{MaxMessages: 32}, {MaxMessages: 3}, {MaxMessages: 32, Match: func(code int64) bool { return code == 'A' }}} {
			step := 1
			if w.Match != nil {
				step = 2
			}
			w.Topic = []byte("T")
			c.reads.Store(0)
			c.bytes.Store(0)
			next, answered, pulls := 0, int64(0), int64(0)
			for w.Offset < each {
				raw, f, err := s.Read(&w, nil)
				if err != nil {
					t.Fatal(err)
				}
				pulls++
				answered += int64(len(raw))
				for _, b := range bodies(t, raw) {
					if !strings.HasPrefix(b, fmt.Sprint(next, " ")) {
						t.Fatalf("%d queues: message %d is %.10s", queues, next, b)
					}
					next += step
				}
				w.Offset = f.NextOffset
			}
			if next != each {
				t.Fatalf("%d queues: read up to %d", queues, next)
			}
			reads, bytes := c.reads.Load(), c.bytes.Load()
			if bytes > spanWaste*answered {
				t.Errorf("%d queues, %+v: %d bytes were read for %d", queues, w, bytes, answered)
			}
			if close := queues*step <= spanWaste-1; close && reads > 2*pulls {
				t.Errorf("%d queues, %+v: %d reads in %d pulls", queues, w, reads, pulls)
			}
		}
		closeStore(t, s)
	}
}
