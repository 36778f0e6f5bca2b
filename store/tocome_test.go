package store

import (
	"testing"

	"ringmq/store/disk"
)

// TestReaderOfACopyWaits: who has read from a slave what this master stored and may not show yet is not sent back to where it has been
// before; beyond what was ever stored there is nothing to wait for.
func TestReaderOfACopyWaits(t *testing.T) {
	s := mustOpen(t, smallOptions(disk.NewFaulty()))
	defer closeStore(t, s)
	for range 3 {
		mustAppend(t, s, message("A", 0, "shown"))
	}
	settled(t, s)
	s.Confirm(s.LogMax())
	for range 2 {
		mustAppend(t, s, message("A", 0, "waits for a copy"))
		mustAppend(t, s, message("B", 0, "its queue too"))
	}
	for _, c := range []struct {
		topic  string
		offset int64
		status Status
		next   int64
	}{
		{"A", 3, StatusOffsetOverflowOne, 3}, {"A", 4, StatusOffsetOverflowOne, 4}, {"A", 5, StatusOffsetOverflowOne, 5}, {"A", 6, StatusOffsetOverflowBadly, 3},
		{"B", 0, StatusNoMatchedLogicQueue, 0}, {"B", 2, StatusOffsetOverflowOne, 2}, {"B", 3, StatusNoMatchedLogicQueue, 0},
	} {
		w := Want{Topic: []byte(c.topic), Offset: c.offset, MaxMessages: 1}
		if _, f, err := s.Read(&w, nil); err != nil || f.Status != c.status || f.NextOffset != c.next {
			t.Errorf("%s at %d: %v, status %v, next %d", c.topic, c.offset, err, f.Status, f.NextOffset)
		}
		if _, f, ok := s.ReadHot(&w, nil); !ok || f.Status != c.status || f.NextOffset != c.next {
			t.Errorf("%s at %d on the loop: %v, status %v, next %d", c.topic, c.offset, ok, f.Status, f.NextOffset)
		}
	}
}
