package store

import (
	"strings"
	"testing"

	"ringmq/store/disk"
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
