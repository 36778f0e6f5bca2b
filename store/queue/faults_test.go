package queue_test

import (
	"errors"
	"io/fs"
	"sync/atomic"
	"syscall"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
)

// fullFS refuses every write while it is full.
type fullFS struct {
	disk.FS
	full atomic.Bool
}

type fullFile struct {
	disk.File
	fs *fullFS
}

func (d *fullFS) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := d.FS.Open(name, flag, perm)
	return fullFile{f, d}, err
}

func (f fullFile) WriteAt(b []byte, off int64) (int, error) {
	if f.fs.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.WriteAt(b, off)
}

func TestDiskFull(t *testing.T) {
	d := &fullFS{FS: disk.NewMemory()}
	s := open(t, d, func(o *queue.Options) { o.BufferBytes = 64 * 20 })
	q := s.Queue("t", 0)
	put(t, q, 0, 10)
	flush(t, s)
	d.full.Store(true)
	var refused int64
	for i := int64(10); ; i++ {
		if err := q.Put(i, unit(i)); err != nil {
			refused = i
			break
		}
		if i > 1000 {
			t.Fatal("memory has no end")
		}
	}
	if refused < 20 {
		t.Errorf("only %d entries were kept in memory", refused-10)
	}
	if err := s.Flush(); err == nil {
		t.Error("flush on a full disk")
	}
	expect(t, q, 0, refused, 0)
	d.full.Store(false)
	put(t, q, refused, refused+100)
	expect(t, q, 0, refused+100, 0)
	flush(t, s)
	expect(t, open(t, d, nil).Lookup([]byte("t"), 0), 0, refused+100, 0)
}

func TestFailedSyncIsForEver(t *testing.T) {
	d := disk.NewFaulty()
	s := open(t, d, nil)
	put(t, s.Queue("t", 0), 0, 10)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no")
	d.FailAt(d.Ops()+1, failed)
	for range 2 {
		if err := s.Sync(); !errors.Is(err, failed) {
			t.Errorf("sync: %v", err)
		}
	}
}
