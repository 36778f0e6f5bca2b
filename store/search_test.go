package store

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
)

// timedStore is a store of n messages in T-0, each stored a second after the one before, none of which is in memory.
func timedStore(t *testing.T, o Options, n int) (s *Store, places []Placed, storedMs func(i int) int64) {
	t.Helper()
	var now atomic.Int64
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli()
	now.Store(began)
	o.Clock = func() time.Time { return time.UnixMilli(now.Load()) }
	s = mustOpen(t, o)
	for range n {
		places = append(places, mustAppend(t, s, message("T", 0, strings.Repeat("x", 200))))
		now.Add(1000)
	}
	settled(t, s)
	closeStore(t, s)
	return mustOpen(t, o), places, func(i int) int64 { return began + 1000*int64(i) }
}

// TestStoreTimeFrom: records that are lost are passed over, so many of them and no more; what cannot be read now is read the next time.
func TestStoreTimeFrom(t *testing.T) {
	const n, lost, behind = 1200, 50, 50 + scanUnits
	f := disk.NewFaulty()
	o := smallOptions(f)
	s, places, storedMs := timedStore(t, o, n)
	defer func() { closeStore(t, s) }()
	check := func(from, want int64) {
		t.Helper()
		if got := s.StoreTimeFrom([]byte("T"), 0, from); got != want {
			t.Errorf("from %d on the first was stored at %d, want %d", from, got, want)
		}
	}
	for _, p := range places[lost : behind+1] {
		if err := f.FlipBit(segmentFile(o, p.PhysicalOffset), p.PhysicalOffset%o.SegmentBytes+5, 1); err != nil {
			t.Fatal(err)
		}
	}
	check(-1, storedMs(0))
	check(lost-1, storedMs(lost-1))
	check(lost, -1)
	check(lost+2, storedMs(behind+1))
	check(n-1, storedMs(n-1))
	check(n, -1)
	if got := s.StoreTimeAt([]byte("T"), 0, lost+2); got != -1 {
		t.Errorf("a lost record was stored at %d", got)
	}
	if got := s.EarliestTime([]byte("T"), 0); got != storedMs(0) {
		t.Errorf("the first message was stored at %d, want %d", got, storedMs(0))
	}
	if got := s.StoreTimeFrom([]byte("None"), 0, 0); got != -1 {
		t.Errorf("in a queue that is not there a message was stored at %d", got)
	}
	f.FailReads(errors.New("not now"))
	check(0, -1)
	f.FailReads(nil)
	check(0, storedMs(0))
}

// TestStoreTimeFromOfBatches: a batch has one time for all its messages.
func TestStoreTimeFromOfBatches(t *testing.T) {
	o := batchOptions(disk.NewFaulty())
	var now atomic.Int64
	now.Store(1_700_000_000_000)
	o.Clock = func() time.Time { return time.UnixMilli(now.Load()) }
	s := mustOpen(t, o)
	defer closeStore(t, s)
	if got := s.EarliestTime([]byte("B"), 0); got != -1 {
		t.Errorf("a batch was stored at %d, there is none", got)
	}
	for range 3 {
		appendInner(t, s, "B", 5)
		now.Add(1000)
	}
	settled(t, s)
	for from, want := range map[int64]int64{-1: 0, 0: 0, 4: 0, 5: 1000, 14: 2000} {
		if got := s.StoreTimeFrom([]byte("B"), 0, from); got != 1_700_000_000_000+want {
			t.Errorf("from %d on the first was stored at %d", from, got)
		}
	}
	if got := s.StoreTimeFrom([]byte("B"), 0, 15); got != -1 {
		t.Errorf("behind the end a batch was stored at %d", got)
	}
	if got := s.EarliestTime([]byte("B"), 0); got != 1_700_000_000_000 {
		t.Errorf("the first batch was stored at %d", got)
	}
}

// TestEarliestMessageTimeIsKept: who asks for it does not wait for the disk, at first, later and after segments were deleted.
func TestEarliestMessageTimeIsKept(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s, places, storedMs := timedStore(t, o, 1000)
	defer func() { closeStore(t, s) }()
	check := func(want int64) {
		t.Helper()
		f.FailReads(errors.New("not now"))
		defer f.FailReads(nil)
		for range 2 {
			if got := s.EarliestMessageTime(); got != want {
				t.Errorf("the first message of the log was stored at %d, want %d", got, want)
			}
		}
	}
	check(storedMs(0))
	s.SetRetention(Retention{CommitLogMaxBytes: 2 * o.SegmentBytes, DeleteIntervalMs: 1})
	if _, err := s.clean(t.Context(), false); err != nil || s.LogMin() == 0 {
		t.Fatalf("the log begins at %d: %v", s.LogMin(), err)
	}
	for i, p := range places {
		if p.PhysicalOffset >= s.LogMin() {
			check(storedMs(i))
			return
		}
	}
	t.Fatal("nothing is left of the log")
}
