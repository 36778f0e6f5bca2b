package disk

import (
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// eachFS runs a test against the host and against the model of it.
func eachFS(t *testing.T, test func(t *testing.T, d FS, root string)) {
	t.Run("os", func(t *testing.T) { test(t, OS(), t.TempDir()) })
	t.Run("faulty", func(t *testing.T) { test(t, NewFaulty(), "/") })
}

func create(t *testing.T, d FS, name string) File {
	t.Helper()
	f, err := d.Open(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	eachFS(t, func(t *testing.T, d FS, root string) {
		dir := filepath.Join(root, "a", "b")
		must(t, d.MkdirAll(dir, 0o755))
		must(t, d.MkdirAll(dir, 0o755))
		f := create(t, d, filepath.Join(dir, "x"))
		must(t, f.Allocate(0, 3*4096))
		if _, err := f.WriteAt([]byte("hello"), 4094); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 7)
		if _, err := f.ReadAt(got, 4093); err != nil || string(got) != "\x00hello\x00" {
			t.Fatalf("%q %v", got, err)
		}
		must(t, f.ZeroRange(4095, 4096+3))
		if _, err := f.ReadAt(got, 4093); err != nil || string(got) != "\x00h\x00\x00\x00\x00\x00" {
			t.Fatalf("after zeroing: %q %v", got, err)
		}
		if n, err := f.ReadAt(got, 3*4096-2); n != 2 || err != io.EOF {
			t.Fatalf("at the end: %d %v", n, err)
		}
		must(t, f.Truncate(4095))
		if n, err := f.Size(); n != 4095 || err != nil {
			t.Fatal(n, err)
		}
		must(t, f.Datasync())
		must(t, f.Sync())
		must(t, f.SyncRange(0, 100))
		must(t, d.SyncDir(dir))
		if f.Name() != filepath.Join(dir, "x") {
			t.Error(f.Name())
		}
	})
}

func TestWriteInto(t *testing.T) {
	eachFS(t, func(t *testing.T, d FS, root string) {
		name := filepath.Join(root, "x")
		if err := d.WriteInto(name, []byte("no"), 0); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		f := create(t, d, name)
		must(t, d.WriteInto(name, []byte("there"), 3))
		must(t, d.WriteInto(name, nil, 100))
		got := make([]byte, 9)
		if n, err := f.ReadAt(got, 0); n != 8 || err != io.EOF || string(got[:n]) != "\x00\x00\x00there" {
			t.Fatalf("%q %v", got[:n], err)
		}
	})
}

func TestNames(t *testing.T) {
	eachFS(t, func(t *testing.T, d FS, root string) {
		name := func(s string) string { return filepath.Join(root, s) }
		if _, err := d.Open(name("none"), os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		create(t, d, name("b"))
		create(t, d, name("a"))
		if _, err := d.Open(name("a"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644); !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		must(t, d.MkdirAll(name("dir"), 0o755))
		create(t, d, name("dir/inside"))
		must(t, d.Rename(name("b"), name("dir/b")))
		must(t, d.Rename(name("dir"), name("moved")))
		list, err := d.ReadDir(name("moved"))
		must(t, err)
		if len(list) != 2 || list[0].Name() != "b" || list[1].Name() != "inside" || list[0].IsDir() {
			t.Fatal(list)
		}
		if err := d.Remove(name("moved")); err == nil {
			t.Error("a directory with files was removed")
		}
		must(t, d.Remove(name("a")))
		must(t, d.RemoveAll(name("moved")))
		must(t, d.RemoveAll(name("moved")))
		if _, err := d.Stat(name("moved/b")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		s, err := d.Space(root)
		if err != nil || s.TotalBytes < s.FreeBytes || s.FreeBytes <= 0 {
			t.Fatal(s, err)
		}
	})
}

func TestLock(t *testing.T) {
	eachFS(t, func(t *testing.T, d FS, root string) {
		l, err := d.Lock(filepath.Join(root, "lock"))
		must(t, err)
		if _, err := d.Lock(filepath.Join(root, "lock")); !errors.Is(err, ErrLocked) {
			t.Fatal(err)
		}
		must(t, l.Close())
		l, err = d.Lock(filepath.Join(root, "lock"))
		must(t, err)
		must(t, l.Close())
	})
}

// TestCrashKeepsWhatWasSynced: synced data and names survive every crash; each unsynced thing is seen both kept and lost.
func TestCrashKeepsWhatWasSynced(t *testing.T) {
	kept, lost, torn, named, unnamed := 0, 0, 0, 0, 0
	for seed := range int64(60) {
		d := NewFaulty()
		f := create(t, d, "/f")
		must(t, d.SyncDir("/"))
		synced, unsynced := make([]byte, 1024), make([]byte, 1024)
		for i := range synced {
			synced[i], unsynced[i] = 1, 2
		}
		if _, err := f.WriteAt(synced, 0); err != nil {
			t.Fatal(err)
		}
		must(t, f.Datasync())
		if _, err := f.WriteAt(unsynced, 0); err != nil {
			t.Fatal(err)
		}
		create(t, d, "/g")
		after := d.Crash(rand.New(rand.NewSource(seed)))
		if _, err := f.WriteAt(synced, 0); !errors.Is(err, ErrCrashed) {
			t.Fatal("the crashed machine goes on:", err)
		}
		g, err := after.Open("/f", os.O_RDWR, 0)
		must(t, err)
		got := make([]byte, 1024)
		if _, err := g.ReadAt(got, 0); err != nil {
			t.Fatal(err)
		}
		switch {
		case got[0] == 1 && got[512] == 1:
			lost++
		case got[0] == 2 && got[512] == 2:
			kept++
		case got[0]+got[512] == 3:
			torn++
		default:
			t.Fatalf("bytes that nobody wrote: %d %d", got[0], got[512])
		}
		if _, err := after.Stat("/g"); err == nil {
			named++
		} else {
			unnamed++
		}
	}
	if kept == 0 || lost == 0 || torn == 0 || named == 0 || unnamed == 0 {
		t.Fatalf("kept %d lost %d torn %d named %d unnamed %d", kept, lost, torn, named, unnamed)
	}
}

func TestFailuresAtTheNthOperation(t *testing.T) {
	d := NewFaulty()
	f := create(t, d, "/f")
	must(t, d.SyncDir("/"))
	if _, err := f.WriteAt([]byte("one"), 0); err != nil {
		t.Fatal(err)
	}
	d.FailAt(d.Ops()+1, syscall.EIO)
	if err := f.Datasync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	// As on Linux: the retried sync succeeds and has saved nothing.
	must(t, f.Datasync())
	after := d.Crash(rand.New(rand.NewSource(1)))
	g, err := after.Open("/f", os.O_RDWR, 0)
	must(t, err)
	if n, _ := g.Size(); n != 0 && n != 3 {
		t.Fatal(n)
	}
	b := make([]byte, 3)
	_, _ = g.ReadAt(b, 0)
	if string(b) == "one" {
		t.Fatal("data of a failed sync survived")
	}
	after.SetFree(10)
	if err := g.Allocate(0, 4096); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	after.CrashAt(after.Ops() + 1)
	if err := g.Truncate(0); !errors.Is(err, ErrCrashed) {
		t.Fatal(err)
	}
}

// TestFailedSyncIsToldToEach: as with Linux each open file hears of a failed write once, by its own sync, and one that is opened later does not.
func TestFailedSyncIsToldToEach(t *testing.T) {
	d := NewFaulty()
	a := create(t, d, "/x")
	b, err := d.Open("/x", os.O_RDWR, 0)
	must(t, err)
	if _, err := a.WriteAt([]byte{1}, 0); err != nil {
		t.Fatal(err)
	}
	d.FailAt(d.Ops()+1, syscall.EIO)
	for i, c := range []struct {
		f    File
		want error
	}{{a, syscall.EIO}, {a, nil}, {b, syscall.EIO}, {b, nil}, {a, nil}} {
		if err := c.f.Datasync(); !errors.Is(err, c.want) {
			t.Errorf("sync %d: %v", i, err)
		}
	}
	later, err := d.Open("/x", os.O_RDWR, 0)
	must(t, err)
	must(t, later.Datasync())
}
