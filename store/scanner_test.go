package store

import (
	"errors"
	"strings"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestResyncOverSegments: behind damage at the end of a segment the search goes on in the next one, from the disk too.
func TestResyncOverSegments(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	s := mustOpen(t, o)
	var last, first int64 // of the first segment, of the second
	for first == 0 {
		p := mustAppend(t, s, message("T", 0, strings.Repeat("x", 1000)))
		if p.PhysicalOffset >= o.SegmentBytes {
			first = p.PhysicalOffset
		} else {
			last = p.PhysicalOffset
		}
	}
	for range 100 { // so much that a search looks at more than one window
		mustAppend(t, s, message("T", 0, strings.Repeat("x", 1000)))
	}
	settled(t, s)
	closeStore(t, s)
	s = mustOpen(t, o)
	defer closeStore(t, s)
	scan, limit := s.newScanner(), s.Visible().Load()
	if at := scan.resync(last, limit); at != first {
		t.Errorf("behind the last record of the first segment, at %d, %d was found, not %d", last, at, first)
	}
	if at := scan.resync(last-1, limit); at != last {
		t.Errorf("before the record at %d, %d was found", last, at)
	}
}

// TestScanFalseBlank: a record that was damaged so that it looks like a blank of another size than what is left of its segment is damage, for
// whoever goes through the log.
func TestScanFalseBlank(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	var at []int64
	for range 4 {
		at = append(at, mustAppend(t, s, message("T", 0, "x")).PhysicalOffset)
	}
	settled(t, s)
	closeStore(t, s)
	if err := f.WriteInto("/store/commitlog/"+record.FileName(0), blankOf(at[2]-at[1]), at[1]); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, o)
	defer closeStore(t, s)
	scan, limit := s.newScanner(), s.Visible().Load()
	if raw, after, err := scan.next(at[1], limit); !errors.Is(err, errBroken) {
		t.Errorf("%d bytes, the next at %d, %v", len(raw), after, err)
	}
	if next := scan.resync(at[1], limit); next != at[2] {
		t.Errorf("behind it goes on at %d, not %d", next, at[2])
	}
}
