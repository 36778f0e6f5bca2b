package queue_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
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
	for _, from := range []int{0, 1} { // file by file, as a whole
		d := disk.NewFaulty()
		s := open(t, d, func(o *queue.Options) { o.SyncAllFrom = from })
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
}

// syncs counts the kinds of syncs that a disk is asked for.
func syncs(d *disk.Faulty) func(kind string) int64 {
	var all, data, names atomic.Int64
	of := map[string]*atomic.Int64{"syncall": &all, "datasync": &data, "syncdir": &names}
	d.OnOp(func(_ int, kind, _ string) {
		if n := of[kind]; n != nil {
			n.Add(1)
		}
	})
	return func(kind string) int64 { return of[kind].Swap(0) }
}

// TestManyFilesAreSyncedAtOnce: one sync for all of them, where there are many and the file system can do it.
func TestManyFilesAreSyncedAtOnce(t *testing.T) {
	d := disk.NewFaulty()
	s := open(t, d, func(o *queue.Options) { o.SyncAllFrom = 20 })
	many := func() {
		for id := range int32(20) {
			q := s.Queue("t", id)
			put(t, q, q.Max(), q.Max()+1)
		}
	}
	count := syncs(d)
	many()
	flush(t, s)
	if all, data, names := count("syncall"), count("datasync"), count("syncdir"); all != 1 || data+names != 0 {
		t.Errorf("many: %d syncs of all, %d of files, %d of folders", all, data, names)
	}
	put(t, s.Queue("t", 3), 1, 2)
	flush(t, s)
	if all, data, names := count("syncall"), count("datasync"), count("syncdir"); all != 0 || data != 1 || names != 0 {
		t.Errorf("one: %d syncs of all, %d of files, %d of folders", all, data, names)
	}
	many()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	d.FailAt(d.Ops()+1, disk.ErrNoSyncAll)
	for range 2 {
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if data := count("datasync"); data != 20 {
			t.Errorf("where the file system cannot: %d syncs of files", data)
		}
		many()
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if all := count("syncall"); all != 1 {
		t.Errorf("it was asked again: %d", all)
	}
	again := d.Crash(rand.New(rand.NewSource(1)))
	s = open(t, again, nil)
	for id := range int32(20) {
		if q := s.Lookup([]byte("t"), id); q == nil || q.Max() < 3 {
			t.Fatalf("queue %d lost entries that were synced", id)
		}
	}
}

// TestTailsAreClearedAtOnce: after a crash the first write of many queues makes zeros of what lies behind their ends, durably, and syncs
// once for all of them.
func TestTailsAreClearedAtOnce(t *testing.T) {
	d := disk.NewFaulty()
	s := open(t, d, nil)
	for id := range int32(20) {
		put(t, s.Queue("t", id), 0, 10)
	}
	flush(t, s)
	// What a crash may leave: entries behind a gap.
	for id := range int32(20) {
		f, err := d.Open(fmt.Sprintf("/store/consumequeue/t/%d/%020d", id, 0), 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		stale := unit(13)
		if _, err := f.WriteAt(stale.Append(nil), 20*13); err != nil || f.Datasync() != nil {
			t.Fatal(err)
		}
	}
	options := func(o *queue.Options) { o.SyncAllFrom, o.DurableTo = 20, 1 }
	s = open(t, d, options)
	count := syncs(d)
	for id := range int32(20) {
		put(t, s.Queue("t", id), 10, 13)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if all, data := count("syncall"), count("datasync"); all != 1 || data != 0 {
		t.Errorf("%d syncs of all, %d of files", all, data)
	}
	for seed := range int64(20) {
		s := open(t, d.Crash(rand.New(rand.NewSource(seed))), options)
		for id := range int32(20) {
			if high := s.Lookup([]byte("t"), id).Max(); high > 13 {
				t.Fatalf("seed %d: queue %d has %d entries: a cut one came back", seed, id, high)
			}
		}
	}
}
