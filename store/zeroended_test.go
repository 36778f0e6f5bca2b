package store

import (
	"errors"
	"strings"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestZeroEndedProperties: what was acknowledged is served after a restart, in whatever byte the properties end that a client sent, and
// whether a checksum of the record has a place or not.
func TestZeroEndedProperties(t *testing.T) {
	zeroEnded := func(n int) []byte { return []byte("k\x01" + strings.Repeat("v", n-3) + "\x00") }
	for _, crc := range []bool{true, false} {
		o := smallOptions(disk.NewMemory())
		o.SegmentBytes, o.TailBytes, o.MaxMessageBytes, o.AppendPropCRC = 1<<20, 1<<20, 256<<10, crc
		s := mustOpen(t, o)
		var items []byte
		lengths := []int{20, 32_746, 32_747, 32_748, 32_766} // of which the last three leave no room for a checksum
		for _, n := range lengths {
			items = record.AppendBatchItem(items, &record.BatchItem{Body: []byte("item"), Properties: zeroEnded(n)})
		}
		if _, err := s.AppendBatch(message("T", 0, ""), items, nil); err != nil {
			t.Fatal(err)
		}
		for _, n := range lengths {
			m := message("T", 0, "single")
			m.Properties = zeroEnded(n)
			mustAppend(t, s, m)
		}
		m := message("T", 0, "too long")
		m.Properties = zeroEnded(32_767)
		if _, err := s.Append(m); !errors.Is(err, ErrTooLarge) {
			t.Errorf("checksums=%v: properties that cannot be closed: %v", crc, err)
		}
		settled(t, s)
		closeStore(t, s)
		s = mustOpen(t, o)
		if n := len(served(t, s)[at{"T", 0}]); n != 2*len(lengths) || len(s.Gaps()) != 0 {
			t.Errorf("checksums=%v: %d of %d messages are served, gaps %v", crc, n, 2*len(lengths), s.Gaps())
		}
		closeStore(t, s)
	}
}
