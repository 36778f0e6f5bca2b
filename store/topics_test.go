package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"syscall"
	"testing"

	"ringmq/store/disk"
)

// TestDeletionThatFails: a topic that could not be deleted goes on where it was, messages that come meanwhile are refused and not
// acknowledged into nothing, and the next try deletes it.
func TestDeletionThatFails(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	for range 10 {
		mustAppend(t, s, message("T", 0, "old"))
	}
	settled(t, s)
	meanwhile := 0
	f.OnOp(func(op int, kind, name string) {
		if !strings.Contains(name, gravesName) || meanwhile > 0 {
			return
		}
		for _, append := range []func() error{
			func() error { _, err := s.Append(message("T", 0, "meanwhile")); return err },
			func() error { _, err := s.Append(message("T", 1, "meanwhile")); return err },
		} {
			if err := append(); !errors.Is(err, ErrNotWritable) {
				t.Error("while the topic is deleted:", err)
			}
		}
		mustAppend(t, s, message("Other", 0, "meanwhile"))
		meanwhile++
		f.FailAt(op, syscall.ENOSPC)
	})
	if err := s.DeleteTopic("T"); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if p := mustAppend(t, s, message("T", 0, "new")); p.QueueOffset != 10 {
		t.Errorf("the queue goes on at %d", p.QueueOffset)
	}
	if p := mustAppend(t, s, message("T", 1, "new")); p.QueueOffset != 0 {
		t.Errorf("another queue begins at %d", p.QueueOffset)
	}
	settled(t, s)
	if raw, found, err := s.Read(&Want{Topic: []byte("T"), Offset: 9, MaxMessages: 32}, nil); err != nil || found.Max != 11 || fmt.Sprint(bodies(t, raw)) != "[old new]" {
		t.Error(found, bodies(t, raw), err)
	}
	if got := s.counters.total().messages; got != 13 {
		t.Error(got, "messages are counted")
	}
	if err := s.DeleteTopic("T"); err != nil || meanwhile != 1 {
		t.Fatal(err, meanwhile)
	}
	if p := mustAppend(t, s, message("T", 0, "anew")); p.QueueOffset != 0 {
		t.Errorf("the new topic begins at %d", p.QueueOffset)
	}
	settled(t, s)
	f.Stop()
	_ = s.Close(context.Background())
	o.FS = f.Crash(rand.New(rand.NewSource(1)))
	s = mustOpen(t, o)
	if raw, found, err := s.Read(&Want{Topic: []byte("T"), MaxMessages: 32}, nil); err != nil || found.Max != 1 || fmt.Sprint(bodies(t, raw)) != "[anew]" {
		t.Error("after a crash:", found, bodies(t, raw), err)
	}
	closeStore(t, s)
}

// TestDeletionInterrupted: queues that come back, since the power went or their files could not be removed after the topic was buried, do
// not take the place of those that a topic of the same name got later.
func TestDeletionInterrupted(t *testing.T) {
	for _, c := range []struct {
		name  string
		batch bool
		parts bool // the new topic's queues reach their files, too
		old   int
	}{{"ordinary", false, false, 10}, {"batches", true, false, 10}, {"ordinary, written", false, true, 130}, {"batches, written", true, true, 130}} {
		t.Run(c.name, func(t *testing.T) {
			f := disk.NewFaulty()
			o := smallOptions(f)
			o.QueueFileBytes, o.BatchQueueBytes = 40*20, 40*46
			o.BatchTopic = func([]byte) bool { return c.batch }
			s := mustOpen(t, o)
			for i := range c.old {
				mustAppend(t, s, message("T", int32(i%2), "old"))
			}
			mustAppend(t, s, message("Other", 0, "other"))
			moveEnds(t, s)
			refused := 0
			f.OnOp(func(op int, kind, name string) {
				if kind == "remove" && strings.Contains(name, "consumequeue/T") {
					f.FailAt(op, syscall.EIO)
					refused++
				}
			})
			if err := s.DeleteTopic("T"); !errors.Is(err, syscall.EIO) {
				t.Fatal(err, refused)
			}
			if c.parts {
				f.OnOp(nil)
			}
			for i := range 5 {
				if p := mustAppend(t, s, message("T", 0, fmt.Sprint("new", i))); p.QueueOffset != int64(i) {
					t.Fatalf("%+v", p)
				}
			}
			settled(t, s)
			if c.parts {
				moveEnds(t, s)
			}
			f.OnOp(nil)
			f.Stop()
			_ = s.Close(context.Background())
			for round := range 2 {
				f = f.Crash(rand.New(rand.NewSource(1)))
				o.FS = f
				s = mustOpen(t, o)
				if got := served(t, s); len(got[at{"T", 0}]) != 5 || len(got[at{"T", 1}]) != 0 || len(got[at{"Other", 0}]) != 1 {
					t.Errorf("round %d: %d of 5 new messages are there, %d of the deleted queue", round, len(got[at{"T", 0}]), len(got[at{"T", 1}]))
				}
				if low, high := s.MinOffset([]byte("T"), 0), s.MaxOffset([]byte("T"), 0); low != 0 || high != 5 {
					t.Errorf("round %d: [%d, %d)", round, low, high)
				}
				f.Stop()
				_ = s.Close(context.Background())
			}
		})
	}
}

// TestQueueBothSidesOfAGrave: of a queue that has entries of a deleted topic before those of the topic made again, as older versions left
// them, only the new ones are served.
func TestQueueBothSidesOfAGrave(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	for range 10 {
		mustAppend(t, s, message("T", 0, "old"))
	}
	end := s.log.Max()
	for range 5 {
		mustAppend(t, s, message("T", 0, "new"))
	}
	settled(t, s)
	closeStore(t, s)
	g := graves{fs: f, dir: "/store/ringmq"}
	if err := g.bury("T", end, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = mustOpen(t, o)
		if got := served(t, s)[at{"T", 0}]; len(got) != 5 || s.MinOffset([]byte("T"), 0) != 10 || s.MaxOffset([]byte("T"), 0) != 15 {
			t.Errorf("%d messages in [%d, %d)", len(got), s.MinOffset([]byte("T"), 0), s.MaxOffset([]byte("T"), 0))
		}
		closeStore(t, s)
	}
}
