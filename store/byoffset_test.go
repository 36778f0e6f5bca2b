package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// TestRecordsInBodiesAreNoGaps: whoever sends messages that look like damaged records, and asks for these by their offsets, does not fill
// the list of what is lost; what is lost in truth is found so, in queues of both kinds.
func TestRecordsInBodiesAreNoGaps(t *testing.T) {
	const bodyAt = 88 // of a record, with its hosts' addresses in four bytes each
	for _, batches := range []bool{false, true} {
		t.Run(fmt.Sprint("batches=", batches), func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			o.BatchTopic = func([]byte) bool { return batches }
			s := mustOpen(t, o)
			first := mustAppend(t, s, message("T", 0, "like this"))
			settled(t, s)
			pattern, err := s.MessageByOffset(first.PhysicalOffset, nil)
			if err != nil {
				t.Fatal(err)
			}
			pattern[bodyAt] ^= 1
			var body []byte
			var fakes []int64
			for range 30 {
				at := first.PhysicalOffset + int64(first.Size) + bodyAt + int64(len(body))
				fakes = append(fakes, at)
				body = append(body, pattern...)
				binary.BigEndian.PutUint64(body[len(body)-len(pattern)+20:], uint64(len(fakes)%2)) // an offset in the queue that there is
				binary.BigEndian.PutUint64(body[len(body)-len(pattern)+28:], uint64(at))
			}
			outer := mustAppend(t, s, message("T", 0, string(body)))
			if outer.PhysicalOffset != fakes[0]-bodyAt {
				t.Fatal("predicted", fakes[0]-bodyAt, "and it is", outer.PhysicalOffset)
			}
			var hit Placed
			for i := range 100 {
				p := mustAppend(t, s, message("T", 0, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000))))
				if i == 10 {
					hit = p
				}
			}
			settled(t, s)
			for _, at := range fakes {
				if _, err := s.MessageByOffset(at, nil); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("no damaged record is seen at %d: %v", at, err)
				}
			}
			if g := s.Gaps(); len(g) != 0 {
				t.Errorf("gaps: %v", g)
			}
			closeStore(t, s)
			if err := f.FlipBit(segmentFile(o, 0), hit.PhysicalOffset+500, 3); err != nil {
				t.Fatal(err)
			}
			s = mustOpen(t, o)
			defer closeStore(t, s)
			if g := s.Gaps(); len(g) != 0 {
				t.Fatalf("found before anybody looked: %v", g)
			}
			if _, err := s.MessageByOffset(hit.PhysicalOffset, nil); !errors.Is(err, ErrCorrupt) {
				t.Errorf("by offset: %v", err)
			}
			if g := s.Gaps(); len(g) != 1 || g[0].From != hit.PhysicalOffset || g[0].To != hit.PhysicalOffset+int64(hit.Size) {
				t.Errorf("gaps: %v", g)
			}
		})
	}
}
