package commitlog

import (
	"context"
	"path/filepath"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestWhatBelongsBehindDamage: below the known mark every whole record that lies where it says does, whatever it says else. Elsewhere it is not
// older than what was before, and further in its queue unless its checksum proves it.
func TestWhatBelongsBehindDamage(t *testing.T) {
	for name, c := range map[string]struct {
		mark, proved bool
		stamp, queue int64 // of the second of three records; the first one has 1000 and 10
		belongs      bool
	}{
		"next":                     {false, false, 1001, 11, true},
		"older":                    {false, true, 999, 11, false},
		"older, durable":           {true, false, 999, 11, true},
		"offset again":             {false, false, 1001, 3, false},
		"offset again, proved":     {false, true, 1001, 3, true},
		"offset again, durable":    {true, false, 1001, 3, true},
		"the same offset":          {false, false, 1001, 10, false},
		"all of it wrong, durable": {true, false, 1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disk.NewMemory()
			o := options(fs, "/s")
			makeDirs(t, o)
			file := make([]byte, o.SegmentBytes)
			at := int64(0)
			write := func(stamp, queue int64, whole bool) (start int64) {
				r := message(0)
				r.StoreTimestamp, r.QueueOffset, r.PhysicalOffset = stamp, queue, at
				b := record.Append(file[at:at:len(file)], &r, c.proved)
				if c.proved {
					record.SealCRC(b)
				}
				if !whole {
					b[90] ^= 1 // in its body
				}
				at += int64(len(b))
				return at - int64(len(b))
			}
			write(1000, 10, true)
			bad := write(1000, 11, false)
			second := write(c.stamp, c.queue, true)
			writeAt(t, fs, filepath.Join(o.Dir, record.FileName(0)), file, 0)
			l, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close(context.Background())
			if c.mark {
				l.mark = mark{known: true, Durable: at}
			}
			result, err := l.Walk(0, Visitor{})
			if err != nil {
				t.Fatal(err)
			}
			want := bad
			if c.belongs {
				want = at
			}
			if result.End != want || c.belongs && (len(result.Gaps) != 1 || result.Gaps[0].To != second) {
				t.Errorf("the log ends at %d of %d, gaps %v, the damage is at %d", result.End, at, result.Gaps, bad)
			}
		})
	}
}

// TestLogEndsNoSoonerThanDurable: a log whose end is damaged goes on where it was durable, whether its mark is believed otherwise or not; one
// that was torn behind that ends before.
func TestLogEndsNoSoonerThanDurable(t *testing.T) {
	for name, c := range map[string]struct {
		believed bool
		durable  int // that many of the 50 records
	}{
		"all":             {true, 50},
		"all, no belief":  {false, 50},
		"some":            {true, 45},
		"some, no belief": {false, 45},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disk.NewMemory()
			o := options(fs, "/s")
			o.SegmentBytes = 64 << 10
			starts, end := longLog(t, o, 50)
			bounds := append(starts, end)
			damaged := starts[40]
			writeAt(t, fs, filepath.Join(o.Dir, record.FileName(0)), make([]byte, end-damaged), damaged)
			l, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.saveMark(mark{Durable: bounds[c.durable]}, true); err != nil {
				t.Fatal(err)
			}
			if l.mark = l.loadMark(); !c.believed {
				l.mark = mark{}
			}
			result, err := l.Walk(0, Visitor{})
			if err != nil || result.Records != 40 || result.End != bounds[c.durable] || len(result.Gaps) != 1 || result.Gaps[0] != (Gap{damaged, result.End, Rot}) {
				t.Errorf("%+v, %v; the damage begins at %d", result, err, damaged)
			}
			if err := l.Start(damaged, false); err == nil {
				t.Error("it was cut")
			}
			if err := l.Close(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
