package store

import (
	"testing"
	"time"

	"ringmq/store/disk"
)

func roundOptions() Options {
	o := smallOptions(disk.NewMemory())
	o.SegmentBytes, o.TailBytes, o.MaxMessageBytes = 4<<20, 4<<20, 256<<10
	return o
}

// TestOnRound: the end of a round comes behind its last arrival, on the same goroutine, once for all that became visible
// together.
func TestOnRound(t *testing.T) {
	s := mustOpen(t, roundOptions())
	defer closeStore(t, s)
	const batches, items = 20, 32
	arrived, open, rounds := 0, 0, 0 // the dispatcher's alone: the race detector watches
	done := make(chan [2]int, 1)
	s.OnArrive(func(*Arrival) { arrived++; open++ })
	s.OnRound(func() {
		if open == 0 {
			t.Error("a round without an arrival")
		}
		rounds, open = rounds+1, 0
		if arrived == batches*items {
			done <- [2]int{arrived, rounds}
		}
	})
	body := batchOf(items, "b")
	for range batches {
		if _, err := s.AppendBatch(message("T", 0, ""), body, nil); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case got := <-done:
		if got[1] > batches {
			t.Errorf("%d rounds for %d batches", got[1], batches)
		}
	case <-time.After(patience):
		t.Fatal("the last arrivals had no end of a round")
	}
}

// TestOnRoundIsBounded: much that is visible at once is not one round.
func TestOnRoundIsBounded(t *testing.T) {
	s := mustOpen(t, roundOptions())
	defer closeStore(t, s)
	open, most := 0, 0
	s.OnArrive(func(*Arrival) { open++ })
	s.OnRound(func() { most, open = max(most, open), 0 })
	if _, err := s.AppendBatch(message("T", 0, ""), batchOf(300, ""), nil); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	s.dispatch.do(func() {
		if most != roundRecords {
			t.Errorf("the largest round had %d arrivals", most)
		}
	})
}
