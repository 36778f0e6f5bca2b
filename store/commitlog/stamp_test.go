package commitlog

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// summer is a moment of a year, in ms.
func summer(year int) int64 {
	return time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// TestTimestampsFollowAClockThatStaysBehind: they stand still while the clock is behind, for an hour of that clock, and follow it then. Where a
// machine's clock begins that has none of its own they never go.
func TestTimestampsFollowAClockThatStaysBehind(t *testing.T) {
	const minute = int64(time.Minute / time.Millisecond)
	type look struct{ now, want int64 }
	for name, c := range map[string][]look{
		"years ahead": {{summer(2038), summer(2038)}, {summer(2027), summer(2038)}, {summer(2027) + 59*minute, summer(2038)},
			{summer(2027) + 60*minute, summer(2027) + 60*minute}, {summer(2027) + 61*minute, summer(2027) + 61*minute}},
		"half an hour ahead": {{summer(2027) + 30*minute, summer(2027) + 30*minute}, {summer(2027), summer(2027) + 30*minute},
			{summer(2027) + 29*minute, summer(2027) + 30*minute}, {summer(2027) + 31*minute, summer(2027) + 31*minute}},
		"set back twice": {{summer(2038), summer(2038)}, {summer(2028), summer(2038)}, {summer(2027), summer(2038)},
			{summer(2027) + 59*minute, summer(2038)}, {summer(2027) + 60*minute, summer(2027) + 60*minute}},
		"behind, right, and behind again": {{summer(2027), summer(2027)}, {summer(2027) - 50*minute, summer(2027)},
			{summer(2027) + 30*minute, summer(2027) + 30*minute}, {summer(2027) + 10*minute, summer(2027) + 30*minute}},
		"no clock of its own": {{summer(2027), summer(2027)}, {0, summer(2027)}, {summer(1970), summer(2027)}, {summer(1971), summer(2027)}, {summer(2028), summer(2028)}},
	} {
		t.Run(name, func(t *testing.T) {
			var now atomic.Int64
			_, l := faultyLog(t, func(o *Options) { o.Clock = now.Load })
			for i, k := range c {
				now.Store(k.now)
				slot, err := l.Reserve(100)
				if err != nil {
					t.Fatal(err)
				}
				l.Abandon(slot)
				if slot.StoreTimestamp != k.want {
					t.Errorf("look %d: the clock says %v, the timestamp %v", i, time.UnixMilli(k.now).UTC(), time.UnixMilli(slot.StoreTimestamp).UTC())
				}
			}
		})
	}
}

// TestDamageWhereTimestampsFell: a record behind damage is not given up for being older than one that was stored ahead of the clock, in a log of
// ours; and whoever opens the log goes on from its last record.
func TestDamageWhereTimestampsFell(t *testing.T) {
	for name, c := range map[string]struct {
		known   bool // the mark, which lies before the damage
		now     int64
		belongs bool
	}{
		"the clock was ahead":                 {true, summer(2027), true},
		"it was not":                          {true, summer(2039), false},
		"it was, and others may have written": {false, summer(2027), false},
	} {
		t.Run(name, func(t *testing.T) {
			fs := disk.NewMemory()
			o := options(fs, "/s")
			o.Clock = func() int64 { return c.now }
			makeDirs(t, o)
			file := make([]byte, o.SegmentBytes)
			at := int64(0)
			var starts []int64
			for n, stamp := range []int64{summer(2038), summer(2038), summer(2027) - 1000, summer(2027) - 900} {
				r := message(3 * n)
				r.StoreTimestamp, r.PhysicalOffset = stamp, at
				b := record.Append(file[at:at:len(file)], &r, true)
				if record.SealCRC(b); n == 1 {
					b[90] ^= 1 // in its body
				}
				starts, at = append(starts, at), at+int64(len(b))
			}
			writeAt(t, fs, filepath.Join(o.Dir, record.FileName(0)), file, 0)
			l, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close(context.Background())
			l.mark = mark{known: c.known, Durable: starts[1]}
			result, err := l.Walk(0, Visitor{})
			if err != nil {
				t.Fatal(err)
			}
			if !c.belongs {
				if result.End != starts[1] {
					t.Errorf("the log ends at %d, the damage is at %d", result.End, starts[1])
				}
				return
			}
			if result.End != at || result.Records != 3 {
				t.Fatalf("%+v; the log ends at %d", result, at)
			}
			if err := l.Start(result.End, false); err != nil {
				t.Fatal(err)
			}
			slot, err := l.Reserve(100)
			if err != nil {
				t.Fatal(err)
			}
			if l.Abandon(slot); slot.StoreTimestamp != c.now {
				t.Errorf("the next timestamp is %v", time.UnixMilli(slot.StoreTimestamp).UTC())
			}
		})
	}
}
