package commitlog

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// sizes of the files in the log's directory.
func sizes(t *testing.T, o Options) string {
	t.Helper()
	entries, err := o.FS.ReadDir(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var s string
	for _, e := range entries {
		i, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprint(e.Name(), " ", i.Size(), "\n")
	}
	return s
}

// TestWrongSegmentSize: a log opened with another segment size is refused and left as it is, whether it has one segment or
// several, so that the right size opens it afterwards.
func TestWrongSegmentSize(t *testing.T) {
	for _, segments := range []int64{1, 4} {
		o := options(disk.NewMemory(), "/s")
		makeDirs(t, o)
		l, _, _, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; l.Max() < segments*o.SegmentBytes-2048; n++ {
			if _, end, err := put(l, n); err != nil {
				t.Fatal(err)
			} else if err := l.Visible().Wait(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if segments == 1 { // the one prepared behind it
			if err := o.FS.Remove(filepath.Join(o.Dir, record.FileName(o.SegmentBytes))); err != nil {
				t.Log(err)
			}
		}
		before := sizes(t, o)
		wrong := o
		for _, wrong.SegmentBytes = range []int64{1 << 20, 2048} {
			if l, err := Open(wrong); err == nil {
				t.Errorf("%d segments of %d opened with %d", segments, o.SegmentBytes, wrong.SegmentBytes)
				_ = l.Close(t.Context())
			}
			if after := sizes(t, o); after != before {
				t.Errorf("%d segments were\n%sand are\n%s", segments, before, after)
			}
		}
		l, _, _, err = open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// openFiles counts the files of a file system that are open.
type openFiles struct {
	disk.FS
	n atomic.Int64
}

type openFile struct {
	disk.File
	of *openFiles
}

func (f *openFiles) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	file, err := f.FS.Open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	f.n.Add(1)
	return &openFile{file, f}, nil
}

func (f *openFile) Close() error {
	f.of.n.Add(-1)
	return f.File.Close()
}

// TestFailedOpenLeavesNothingOpen: wherever opening a log fails, its files are closed.
func TestFailedOpenLeavesNothingOpen(t *testing.T) {
	d := disk.NewFaulty()
	files := &openFiles{FS: d}
	o := options(files, "/s")
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; l.Max() < 3*o.SegmentBytes; n++ {
		if _, _, err := put(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := files.n.Load(); n != 0 {
		t.Fatalf("%d files are open after the end", n)
	}
	d.OnOp(func(op int, _, _ string) { d.FailAt(op, syscall.EIO) })
	if l, err := Open(o); err == nil {
		_ = l.Close(t.Context())
		t.Fatal("nothing failed")
	} else if files.n.Load() != 0 {
		t.Errorf("%d files are open after %v", files.n.Load(), err)
	}
}
