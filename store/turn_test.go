package store

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store/disk"
)

// TestATurnIsCommittedAtItsEnd: appends of a turn are not written by themselves, whatever their kind, and all of them by End.
func TestATurnIsCommittedAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, smallOptions(disk.NewMemory()))
		defer closeStore(t, s)
		turn := s.NewTurn(func() int { return NoBell })
		for i := range 3 {
			if _, err := turn.Append(message("T", 0, string(rune('a'+i)))); err != nil {
				t.Fatal(err)
			}
		}
		places, err := turn.AppendBatch(message("T", 0, ""), batchOf(2, "d"), nil)
		if err != nil {
			t.Fatal(err)
		}
		end := places[len(places)-1].End
		synctest.Wait()
		if got := s.Durable().Load(); got != 0 {
			t.Fatal("committed before its end:", got)
		}
		turn.End()
		if err := s.Durable().Wait(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		turn.End()  // of a turn without appends
		turn.Rung() // by mistake
	})
}

// TestTheDispatcherRestsWhileNobodyWaits: then records are dispatched late, but they are; whoever begins to wait ends the rest.
func TestTheDispatcherRestsWhileNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, smallOptions(disk.NewMemory()))
		defer closeStore(t, s)
		var waiting atomic.Bool
		s.WhenWaited(waiting.Load)
		mustAppend(t, s, message("T", 0, "first"))
		synctest.Wait()
		if s.MaxOffset([]byte("T"), 0) != 1 {
			t.Fatal("the first record had to wait")
		}
		mustAppend(t, s, message("T", 0, "second"))
		synctest.Wait()
		if s.MaxOffset([]byte("T"), 0) != 1 {
			t.Fatal("no rest")
		}
		time.Sleep(2 * restTime)
		synctest.Wait()
		if s.MaxOffset([]byte("T"), 0) != 2 {
			t.Fatal("the rest has no end")
		}
		mustAppend(t, s, message("T", 0, "third"))
		synctest.Wait()
		waiting.Store(true)
		s.Hurry()
		synctest.Wait()
		if s.MaxOffset([]byte("T"), 0) != 3 {
			t.Fatal("who waits was not hurried for")
		}
		mustAppend(t, s, message("T", 0, "fourth"))
		synctest.Wait()
		if s.MaxOffset([]byte("T"), 0) != 4 {
			t.Fatal("it rests while somebody waits")
		}
	})
}
