package disk

import (
	"errors"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestSyncAll(t *testing.T) {
	eachFS(t, func(t *testing.T, d FS, root string) {
		f := create(t, d, filepath.Join(root, "x"))
		if _, err := f.WriteAt([]byte("hello"), 0); err != nil {
			t.Fatal(err)
		}
		dir, err := d.Open(root, os.O_RDONLY, 0)
		must(t, err)
		defer func() { must(t, dir.Close()) }()
		if err := dir.SyncAll(); errors.Is(err, ErrNoSyncAll) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		if list, err := d.ReadDir(root); err != nil || len(list) != 1 {
			t.Errorf("%v %v: it left something behind", list, err)
		}
	})
}

// written is a Faulty with two files in a new folder, of which nothing is durable, and the folder above.
func written(t *testing.T) (*Faulty, File) {
	t.Helper()
	d := NewFaulty()
	must(t, d.MkdirAll("/a/b", 0o755))
	for _, name := range []string{"/a/b/x", "/a/b/y"} {
		if _, err := create(t, d, name).WriteAt([]byte(name), 0); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := d.Open("/a", os.O_RDONLY, 0)
	must(t, err)
	return d, dir
}

// whole says whether both files are there in full.
func whole(d *Faulty) bool {
	for _, name := range []string{"/a/b/x", "/a/b/y"} {
		f, err := d.Open(name, os.O_RDONLY, 0)
		if err != nil {
			return false
		}
		got := make([]byte, len(name))
		if _, err := f.ReadAt(got, 0); err != nil || string(got) != name {
			return false
		}
	}
	return true
}

// TestSyncAllCrash: data and names of all files survive it, whatever the luck; without it, or when it fails, some luck loses them.
func TestSyncAllCrash(t *testing.T) {
	for what, c := range map[string]struct {
		fails error
		again bool // another one that does not fail
		must  bool // survive
	}{
		"done":            {must: true},
		"failed":          {fails: syscall.EIO},
		"failed and done": {fails: syscall.EIO, again: true}, // the pages count as clean
		"none":            {fails: ErrNoSyncAll},
		"none and done":   {fails: ErrNoSyncAll, again: true, must: true},
	} {
		lost := 0
		for seed := range int64(64) {
			d, dir := written(t)
			if c.fails != nil {
				d.FailAt(d.Ops()+1, c.fails)
			}
			if err := dir.SyncAll(); !errors.Is(err, c.fails) {
				t.Fatalf("%s: %v", what, err)
			}
			if c.again {
				must(t, dir.SyncAll())
			}
			if !whole(d.Crash(rand.New(rand.NewSource(seed)))) {
				lost++
			}
		}
		if c.must != (lost == 0) {
			t.Errorf("%s: %d of 64 crashes lost a file", what, lost)
		}
	}
	d, dir := written(t)
	d.Stop()
	if err := dir.SyncAll(); !errors.Is(err, ErrCrashed) {
		t.Error(err)
	}
	var path *fs.PathError
	d, dir = written(t)
	d.FailAt(d.Ops()+1, syscall.EIO)
	if err := dir.SyncAll(); !errors.As(err, &path) || path.Path != "/a" {
		t.Error(err)
	}
}
