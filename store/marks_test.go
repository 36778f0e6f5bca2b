package store

import (
	"os"
	"testing"
	"time"

	"ringmq/store/disk"
)

// TestMarksOfALongLog: what a checkpoint's move writes does not grow with the log. The newest segments' times are in it.
func TestMarksOfALongLog(t *testing.T) {
	f := disk.NewMemory()
	o := smallOptions(f)
	o.FlushIntervalMs = time.Hour.Milliseconds() // the checkpoint moves when this test says so
	s := mustOpen(t, o)
	mustAppend(t, s, message("T", 0, "a"))
	settled(t, s)
	const segments = 50_000
	d := s.dispatch
	d.mu.Lock()
	for i := range int64(segments) {
		d.sealed[i*o.SegmentBytes] = 1_800_000_000_000 + i
	}
	d.mu.Unlock()
	end := segments * o.SegmentBytes
	if err := s.moveCheckpoint(place{from: end + 100, to: end + 200, storeTime: 1_800_000_100_000}); err != nil {
		t.Fatal(err)
	}
	b, err := readWhole(f, "/store/ringmq/"+marksName, maxMarksBytes)
	if err != nil || len(b) > 100*maxSealed {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	c, err := openCheckpoint(f, "/store", o.Logger)
	if err != nil {
		t.Fatal(err)
	}
	kept := c.current.Sealed
	for _, i := range []int64{segments - 1, segments - maxSealed + 1} {
		if kept[i*o.SegmentBytes] != 1_800_000_000_000+i {
			t.Errorf("of %d times that of segment %d is %d", len(kept), i, kept[i*o.SegmentBytes])
		}
	}
	d.mu.Lock()
	clear(d.sealed)
	d.mu.Unlock()
	closeStore(t, s)
	closeStore(t, mustOpen(t, o))
}

// TestFilesThatAreTooLong: a file of state that is longer than any that this program writes stops no start.
func TestFilesThatAreTooLong(t *testing.T) {
	for name, limit := range map[string]int64{marksName: maxMarksBytes, gravesName: maxDocumentBytes} {
		t.Run(name, func(t *testing.T) {
			o := filled(t)
			if err := os.Truncate(o.Root+"/ringmq/"+name, limit+1); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, o)
			if n := len(served(t, s)[at{"A", 0}]); n != 30 {
				t.Errorf("%d messages are served", n)
			}
			if p := mustAppend(t, s, message("A", 0, "next")); p.QueueOffset != 30 {
				t.Errorf("the next queue offset is %d", p.QueueOffset)
			}
			settled(t, s)
			closeStore(t, s)
			closeStore(t, mustOpen(t, o))
		})
	}
}
