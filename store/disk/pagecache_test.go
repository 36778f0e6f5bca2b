package disk

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// filled is a file of n bytes of a pattern, on disk.
func filled(t *testing.T, d FS, name string, n int) (File, []byte) {
	t.Helper()
	f := create(t, d, name)
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i / 7)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
	must(t, f.Sync())
	return f, b
}

// chill takes a file out of the page cache.
func chill(t *testing.T, d FS, f File) {
	t.Helper()
	if m, ok := d.(*Faulty); ok {
		m.SetCold(func(string, int64, int64) bool { return true })
		return
	}
	for range 100 { // pages that another processor has just put there stay at first
		must(t, unix.Fadvise(f.(*osFile).fd, 0, 0, unix.FADV_DONTNEED))
		if n, known := f.Resident(0, 1<<20); known && n == 0 {
			return
		}
	}
	t.Skip("the page cache of this file system cannot be emptied")
}

// TestPageCache: what is in memory comes at once and is told to be there; what is not comes with ErrWouldWait, and by a read that
// waits.
func TestPageCache(t *testing.T) {
	eachFS(t, func(t *testing.T, d FS, root string) {
		const size = 64 << 10
		f, want := filled(t, d, filepath.Join(root, "x"), size)
		got := make([]byte, 10_000)
		if n, err := f.ReadNow(got, 5000); n != len(got) || err != nil || !bytes.Equal(got, want[5000:15000]) {
			t.Fatalf("of what was just written: %d %v", n, err)
		}
		if n, known := f.Resident(5000, 10_000); n != 10_000 || !known {
			t.Fatalf("of what was just written: %d %v", n, known)
		}
		if n, known := f.Resident(5000, 0); n != 0 || !known {
			t.Fatalf("of nothing: %d %v", n, known)
		}
		if n, err := f.ReadNow(got, size-100); n != 100 || err != io.EOF {
			t.Fatalf("over the end: %d %v", n, err)
		}
		// The kernel has the disk read what such a read does not find, and where the thread loses its processor at that moment it is there when
		// the kernel looks again.
		for try := 0; ; try++ {
			chill(t, d, f)
			n, err := f.ReadNow(got, 5000)
			if n == 0 && errors.Is(err, ErrWouldWait) {
				break
			}
			if try == 10 || err != nil || n != len(got) {
				t.Fatalf("of what is cold: %d %v", n, err)
			}
		}
		chill(t, d, f)
		if n, err := f.ReadExact(got, 5000, true); n != len(got) || err != nil || !bytes.Equal(got, want[5000:15000]) {
			t.Fatalf("once: %d %v", n, err)
		}
		if n, err := f.ReadExact(got, size-100, true); n != 100 || err != io.EOF {
			t.Fatalf("once, over the end: %d %v", n, err)
		}
	})
}

// TestWithoutTheKernelsHelp: where the kernel or the file system refuses, reads go the ordinary way, and nobody says that they
// would not wait.
func TestWithoutTheKernelsHelp(t *testing.T) {
	d := OS()
	file, want := filled(t, d, filepath.Join(t.TempDir(), "x"), 64<<10)
	f := file.(*osFile)
	f.can.noNow.Store(true)
	f.can.noOnce.Store(true)
	f.can.noStat.Store(true)
	got := make([]byte, 10_000)
	if n, err := f.ReadNow(got, 0); n != 0 || err != ErrWouldWait {
		t.Errorf("at once: %d %v", n, err)
	}
	if n, err := f.ReadExact(got, 3, true); n != len(got) || err != nil || !bytes.Equal(got, want[3:10003]) {
		t.Errorf("once: %d %v", n, err)
	}
	if n, known := f.Resident(4000, 10_000); n != 10_000 || !known {
		t.Errorf("by mincore: %d %v", n, known)
	}
	f.can.noMapped.Store(true)
	if _, known := f.Resident(0, 10_000); known {
		t.Error("known without any way to know")
	}
}

// TestReadOnceLeavesNothing: where the kernel can do it, pages that were brought in for one read are gone after it, and those that
// were there stay.
func TestReadOnceLeavesNothing(t *testing.T) {
	d := OS()
	file, _ := filled(t, d, filepath.Join(t.TempDir(), "x"), 1<<20)
	chill(t, d, file)
	got := make([]byte, 256<<10)
	if _, err := file.ReadAt(got[:4096], 900<<10); err != nil {
		t.Fatal(err)
	}
	kept, _ := file.Resident(900<<10, 4096)
	if _, err := file.ReadExact(got, 256<<10, true); err != nil {
		t.Fatal(err)
	}
	if file.(*osFile).can.noOnce.Load() {
		t.Skip("not here")
	}
	if n, known := file.Resident(0, 800<<10); n > 0 || !known {
		t.Errorf("%d bytes stayed", n)
	}
	if _, err := file.ReadExact(got[:100<<10], 300<<10, false); err != nil {
		t.Fatal(err)
	}
	if n, _ := file.Resident(0, 800<<10); n != 100<<10 {
		t.Errorf("%d bytes are kept of 100 KiB that were to be", n)
	}
	if n, _ := file.Resident(900<<10, 4096); n != kept || n != 4096 {
		t.Errorf("of what another had read %d of %d bytes stayed", n, kept)
	}
}

// TestExactReadsBringNothingElse: not when they wait for the disk, and not when what they want is there.
func TestExactReadsBringNothingElse(t *testing.T) {
	d := OS()
	file, _ := filled(t, d, filepath.Join(t.TempDir(), "x"), 4<<20)
	chill(t, d, file)
	b := make([]byte, 64<<10)
	for _, at := range []int64{0, 64 << 10, 128 << 10} {
		if _, err := file.ReadExact(b, at, false); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []int64{0, 64 << 10, 128 << 10} {
		if _, err := file.ReadNow(b, at); err != nil {
			t.Fatal(err)
		}
	}
	if n, _ := file.Resident(0, 4<<20); n != 3*64<<10 {
		t.Errorf("%d bytes are in the page cache, %d were asked for", n, 3*64<<10)
	}
}

// TestReadNowAllocatesNothing: it is for event loops.
func TestReadNowAllocatesNothing(t *testing.T) {
	file, _ := filled(t, OS(), filepath.Join(t.TempDir(), "x"), 64<<10)
	b := make([]byte, 10_000)
	if n := testing.AllocsPerRun(100, func() {
		_, known := file.Resident(0, 64<<10)
		if _, err := file.ReadNow(b, 0); err != nil || !known {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestRingReadsOnce: both engines do it, with and without the kernel's help.
func TestRingReadsOnce(t *testing.T) {
	d := OS()
	file, want := filled(t, d, filepath.Join(t.TempDir(), "x"), 256<<10)
	for _, refuses := range []bool{false, true} {
		file.(*osFile).can.noOnce.Store(refuses)
		for _, r := range []Ring{NewReadRing(EngineAuto, d, 4), NewReadRing(EnginePwrite, d, 4), NewReadRing(EngineAuto, NewMemory(), 4)} {
			chill(t, d, file)
			a, b := &Op{Kind: OpRead, File: file, Buf: make([]byte, 64<<10), Offset: 4096, Exact: true, Once: true}, &Op{Kind: OpRead, File: file, Buf: make([]byte, 1000), Offset: 256<<10 - 500, Exact: true, Once: true}
			must(t, r.Submit([]*Op{a, b}))
			done, err := r.Wait(2, nil)
			must(t, err)
			if len(done) != 2 || a.Err != nil || !bytes.Equal(a.Buf, want[4096:4096+64<<10]) {
				t.Errorf("%s: %d done, %d bytes, %v", r.Name(), len(done), a.N, a.Err)
			}
			if b.Err != io.ErrUnexpectedEOF && b.Err != io.ErrShortWrite || b.N != 500 {
				t.Errorf("%s, over the end: %d bytes, %v", r.Name(), b.N, b.Err)
			}
			must(t, r.Close())
		}
	}
}

// TestDropCached: the pages that a range lies in are read from the disk next, and no others.
func TestDropCached(t *testing.T) {
	f, want := filled(t, OS(), filepath.Join(t.TempDir(), "x"), 64<<10)
	defer f.Close()
	chill(t, OS(), f) // where that can be
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	for try := 0; ; try++ {
		must(t, f.DropCached(5000, 100))
		if n, known := f.Resident(5000, 100); !known || n == 0 {
			break
		}
		if try == 100 {
			t.Fatal("it is still there")
		}
	}
	if n, known := f.Resident(0, 4096); known && n != 4096 {
		t.Errorf("of the page before %d bytes are left", n)
	}
	if _, err := f.ReadExact(got[:100], 5000, false); err != nil || !bytes.Equal(got[:100], want[5000:5100]) {
		t.Errorf("%v, %x", err, got[:100])
	}
}

// TestDropCachedDirty: what a disk of tests was not told to keep yet stays, and what it lost is found out.
func TestDropCachedDirty(t *testing.T) {
	d := NewFaulty()
	f, _ := filled(t, d, "/x", 8192)
	write := func(b byte) {
		if _, err := f.WriteAt([]byte{b}, 5000); err != nil {
			t.Fatal(err)
		}
	}
	read := func() byte {
		must(t, f.DropCached(5000, 1))
		var b [1]byte
		if _, err := f.ReadAt(b[:], 5000); err != nil {
			t.Fatal(err)
		}
		return b[0]
	}
	write(1)
	must(t, f.Sync())
	if write(2); read() != 2 {
		t.Error("what was not synced is gone")
	}
	d.Lie(true)
	must(t, f.Datasync())
	if read() != 1 {
		t.Error("what was lost is still there")
	}
}

// TestFailuresThatPass: one call that fails for a reason of its own is not taken for a kernel that cannot do it.
func TestFailuresThatPass(t *testing.T) {
	f, _ := filled(t, OS(), filepath.Join(t.TempDir(), "x"), 8192)
	defer f.Close()
	if f.Resident(0, 4096); f.(*osFile).can.noStat.Load() {
		t.Skip("this kernel has no cachestat")
	}
	bad := &osFile{File: f.(*osFile).File, fd: -1}
	if _, known := bad.Resident(0, 4096); known || bad.can.noStat.Load() || bad.can.noMapped.Load() {
		t.Errorf("known: %v; given up: cachestat %v, mincore %v", known, bad.can.noStat.Load(), bad.can.noMapped.Load())
	}
}
