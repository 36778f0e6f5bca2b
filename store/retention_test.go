package store

import (
	"strings"
	"sync/atomic"
	"testing"

	"ringmq/store/disk"
)

// TestQueuesFollowALongRetention: while segments are deleted faster than one round allows, which may go on for as long as producers
// are fast, the minimum that clients see follows, and queue files go too.
func TestQueuesFollowALongRetention(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	o.Retention.DeleteIntervalMs, o.Retention.MaxSegmentsPerRound = 1, 2
	s := mustOpen(t, o)
	defer closeStore(t, s)
	for range 160 { // ten segments
		mustAppend(t, s, message("T", 0, strings.Repeat("x", 4000)))
	}
	settled(t, s)
	var gone, late atomic.Int64
	f.OnOp(func(_ int, kind, name string) {
		if (kind == "rename" || kind == "remove") && strings.Contains(name, "/commitlog/") && gone.Add(1) == 4 && s.MinOffset([]byte("T"), 0) == 0 {
			late.Add(1)
		}
	})
	s.SetRetention(Retention{CommitLogMaxBytes: 3 * o.SegmentBytes, DeleteIntervalMs: 1, MaxSegmentsPerRound: 2})
	if _, err := s.clean(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	f.OnOp(nil)
	if gone.Load() < 4 || late.Load() != 0 {
		t.Errorf("%d segments went; the minimum did not follow: %d", gone.Load(), late.Load())
	}
	if _, found, err := s.Read(&Want{Topic: []byte("T"), Offset: s.MinOffset([]byte("T"), 0), MaxMessages: 1}, nil); err != nil || found.Status != StatusFound {
		t.Error(found.Status, err)
	}
}
