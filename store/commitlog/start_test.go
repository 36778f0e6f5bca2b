package commitlog

import (
	"context"
	"errors"
	"io"
	"math/rand"
	"path/filepath"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestACutLeavesNothing: wherever the power goes while a log is cut, the same cut made again leaves zeros to the end of the segment, on the
// platter too.
func TestACutLeavesNothing(t *testing.T) {
	const keep = 20
	for crashAt, done := 1, false; !done; crashAt++ {
		fs := disk.NewFaulty()
		o := options(fs, "/s")
		o.SegmentBytes, o.UnsyncedBytes = 1<<20, 1 // several times as far as a log reaches unsynced
		makeDirs(t, o)
		l, _, _, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		var starts []int64
		for n := range 3000 {
			start, _, err := put(l, n)
			if err != nil {
				t.Fatal(err)
			}
			starts = append(starts, start)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if starts[len(starts)-1] < starts[keep]+l.reach() {
			t.Fatalf("a log of %d bytes is too short", starts[len(starts)-1])
		}
		at := starts[keep]
		fs.CrashAt(fs.Ops() + crashAt)
		rng := rand.New(rand.NewSource(int64(crashAt)))
		fs, err = cutAndCrash(o, fs, at, rng)
		if done = err == nil; !done {
			if !errors.Is(err, disk.ErrCrashed) {
				t.Fatal(err)
			}
			o.FS = fs
			if fs, err = cutAndCrash(o, fs, at, rng); err != nil {
				t.Fatalf("crash at %d: %v", crashAt, err)
			}
		}
		f, err := fs.Open(filepath.Join(o.Dir, record.FileName(0)), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, o.SegmentBytes)
		if _, err := f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		for i, c := range b[at:] {
			if c != 0 {
				t.Fatalf("crash at %d: byte %d behind the cut is left", crashAt, i)
			}
		}
	}
}

// cutAndCrash opens the log, cuts it, and takes the power away.
func cutAndCrash(o Options, fs *disk.Faulty, at int64, rng *rand.Rand) (*disk.Faulty, error) {
	l, err := Open(o)
	if err != nil {
		return fs.Crash(rng), err
	}
	if _, err = l.Walk(0, Visitor{}); err == nil {
		err = l.Start(at, true)
	}
	after := fs.Crash(rng)
	_ = l.Close(context.Background()) // of a disk that is gone
	return after, err
}
