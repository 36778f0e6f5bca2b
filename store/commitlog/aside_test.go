package commitlog

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// longLog is the closed log of n messages, and where it ends.
func longLog(t *testing.T, o Options, n int) (starts []int64, end int64) {
	t.Helper()
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var start int64
		if start, end, err = put(l, i); err != nil {
			t.Fatal(err)
		}
		starts = append(starts, start)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return starts, end
}

func writeAt(t *testing.T, fs disk.FS, name string, b []byte, at int64) {
	t.Helper()
	f, err := fs.Open(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

// TestSegmentsThatHoldSomethingAreSetAside: what a start takes out of the log it removes where there is nothing in it, and sets aside
// otherwise, twice too. An ordinary start sets nothing aside.
func TestSegmentsThatHoldSomethingAreSetAside(t *testing.T) {
	for name, c := range map[string]struct {
		mark  bool // is left
		at    int64
		b     byte
		aside int
	}{
		"the prepared next one":     {true, 0, 0, 0},
		"the same in another's log": {false, 0, 0, 0},
		"bytes at its beginning":    {false, 100, 7, 1},
		"bytes in its middle":       {false, 40_000, 7, 1},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disk.NewMemory()
			o := options(fs, "/s")
			o.SegmentBytes = 64 << 10
			_, end := longLog(t, o, 300)
			next := filepath.Join(o.Dir, record.FileName(end-end%o.SegmentBytes+o.SegmentBytes))
			for round := 1; round <= 2; round++ {
				f, err := fs.Open(next, os.O_RDWR|os.O_CREATE, 0o644)
				if err != nil {
					t.Fatal(err)
				}
				if err := f.Truncate(o.SegmentBytes); err != nil {
					t.Fatal(err)
				}
				_ = f.Close()
				writeAt(t, fs, next, []byte{c.b}, c.at)
				if !c.mark {
					if err := fs.Remove(filepath.Join(o.StateDir, markName)); err != nil {
						t.Fatal(err)
					}
				}
				l, _, result, err := open(o)
				if err != nil || result.End != end {
					t.Fatalf("end %d of %d, %v", result.End, end, err)
				}
				if err := l.Close(context.Background()); err != nil {
					t.Fatal(err)
				}
				kept, _ := fs.ReadDir(filepath.Join(o.StateDir, asideDir))
				if len(kept) != round*c.aside {
					t.Errorf("round %d: %d files are aside: %v", round, len(kept), kept)
				}
			}
		})
	}
}

// TestLogGoesOnFarBehindDamage: a log of which a stretch is gone that is longer than all that is searched for goes on where a later segment
// begins with what belongs there.
func TestLogGoesOnFarBehindDamage(t *testing.T) {
	fs := disk.NewMemory()
	o := options(fs, "/s")
	o.TailBytes, o.UnsyncedBytes = 4096, 1
	starts, end := longLog(t, o, 400)
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	segments := 2 + l.reach()/o.SegmentBytes
	if err := l.saveMark(mark{Durable: o.SegmentBytes}, true); err != nil { // one that is long out of date
		t.Fatal(err)
	}
	_ = l.Close(context.Background())
	want := 0
	for _, s := range starts {
		if k := s / o.SegmentBytes; k < 1 || k > segments {
			want++
		}
	}
	if want < 100 || end < (segments+3)*o.SegmentBytes {
		t.Fatalf("no test: %d messages, end %d, %d segments", want, end, segments)
	}
	for k := int64(1); k <= segments; k++ {
		writeAt(t, fs, filepath.Join(o.Dir, record.FileName(k*o.SegmentBytes)), make([]byte, o.SegmentBytes), 0)
	}
	l, found, result, err := open(o)
	if err != nil || len(found) != want || result.End != end {
		t.Fatalf("%d of %d records, end %d of %d, %v", len(found), want, result.End, end, err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestStartCutsNothingDurable: a log does not start before what it knows to be durable, and loses nothing by the attempt.
func TestStartCutsNothingDurable(t *testing.T) {
	fs := disk.NewMemory()
	o := options(fs, "/s")
	starts, end := longLog(t, o, 100)
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(starts[20], false); err == nil {
		t.Error("it was cut")
	}
	_ = l.Close(context.Background())
	l, found, result, err := open(o)
	if err != nil || len(found) != len(starts) || result.End != end {
		t.Fatalf("%d of %d records, end %d of %d, %v", len(found), len(starts), result.End, end, err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
