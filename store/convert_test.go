package store

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

func batchItems(n int) (items []byte) {
	for i := range n {
		items = record.AppendBatchItem(items, &record.BatchItem{Body: fmt.Append(nil, i)})
	}
	return items
}

// appendWhole stores a batch as it is.
func appendWhole(s *Store, topic string, n int) (p Placed, err error) {
	for again := true; again; {
		p, _, err = s.AppendInner(message(topic, 0, "", "UNIQ_KEY", "u"), batchItems(n))
		if again = err == ErrFull; again {
			waitRoom(s)
		}
	}
	return p, err
}

// TestRecordMakesBatchQueue: a queue is one of batches from the first record on that says it is a whole batch, whatever the topic is
// known as, and what was in an ordinary one is served by it: now, after a restart, and after a crash, though the topic's kind
// becomes known in between, or never.
func TestRecordMakesBatchQueue(t *testing.T) {
	for before := range 4 {
		for _, later := range []bool{false, true} {
			f := disk.NewFaulty()
			o := smallOptions(f)
			var declared atomic.Bool
			o.BatchTopic = func([]byte) bool { return declared.Load() }
			s := mustOpen(t, o)
			singles := before * 40 // more than a file of the queue has
			end := int64(0)
			put := func() {
				for range singles {
					end = mustAppend(t, s, message("B", 0, "single")).QueueOffset + 1
				}
				settled(t, s)
				for range 3 {
					p, err := appendWhole(s, "B", 300)
					if err != nil {
						t.Fatal(err)
					}
					end = p.QueueOffset + 300
				}
				end = mustAppend(t, s, message("B", 0, "single")).QueueOffset + 1
				settled(t, s)
			}
			check := func(rounds int, when string) {
				t.Helper()
				want := (singles + 4) * rounds
				got := served(t, s)[at{"B", 0}]
				if low, high := s.MinOffset([]byte("B"), 0), s.MaxOffset([]byte("B"), 0); len(got) != want || low != 0 || high != end {
					t.Fatalf("%d before, known later %v, %s: %d records of %d in [%d, %d), which ends at %d", singles, later, when, len(got), want, low, high, end)
				}
				if gaps := s.Stats().Gaps; gaps != 0 {
					t.Fatalf("%d records count as rot", gaps)
				}
			}
			put()
			check(1, "at once")
			declared.Store(later)
			put()
			check(2, "later")
			closeStore(t, s)
			s = mustOpen(t, o)
			check(2, "after a restart")
			put()
			f.Stop()
			_ = s.Close(context.Background())
			o.FS = f.Crash(rand.New(rand.NewSource(int64(before))))
			s = mustOpen(t, o)
			check(3, "after a crash")
			closeStore(t, s)
		}
	}
}

// TestConvertCrash: a crash at any moment while a queue becomes one of batches loses nothing that was durable.
func TestConvertCrash(t *testing.T) {
	crashAt := func(n int) (ops int) {
		f := disk.NewFaulty()
		o := smallOptions(f)
		o.BatchTopic = func([]byte) bool { return false }
		s := mustOpen(t, o)
		must := map[int64]bool{}
		for range 50 {
			must[mustAppend(t, s, message("B", 0, "single")).QueueOffset] = true
		}
		closeStore(t, s)
		s = mustOpen(t, o)
		from := f.Ops()
		f.CrashAt(from + n)
		var last Placed
		for range 2 {
			if p, err := appendWhole(s, "B", 30); err == nil && s.Visible().Wait(t.Context(), p.End) == nil {
				must[p.QueueOffset], last = true, p
			}
		}
		for f.Ops() < from+n && s.DispatchBehindBytes() > 0 {
			time.Sleep(50 * time.Microsecond)
		}
		f.Stop()
		_ = s.Close(context.Background())
		ops = f.Ops() - from
		f = f.Crash(rand.New(rand.NewSource(int64(n))))
		o.FS = f
		if err := f.Remove("/store/ringmq/" + endsName); err != nil { // it would have the walk begin where the queue did
			t.Fatal(err)
		}
		s = mustOpen(t, o)
		defer closeStore(t, s)
		for range 2 {
			got := served(t, s)[at{"B", 0}]
			for offset := range must {
				if got[offset] == nil {
					t.Fatalf("crash at operation %d: no message at %d, the last one at %d, [%d, %d)", n, offset, last.QueueOffset, s.MinOffset([]byte("B"), 0), s.MaxOffset([]byte("B"), 0))
				}
			}
			p, err := appendWhole(s, "B", 2)
			if err != nil {
				t.Fatal(err)
			}
			must[p.QueueOffset] = true
			settled(t, s)
		}
		return ops
	}
	for n, ops := 1, 2; n <= ops+2; n++ {
		ops = max(ops, crashAt(n))
	}
}

// copyAll copies one store's log to another, as replication does.
func copyAll(t *testing.T, from, to *Store) {
	t.Helper()
	settled(t, from)
	for at, end := to.LogMax(), from.LogMax(); at < end; {
		r, err := from.Region(at, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, r.Bytes)
		if err := r.Read(b, 0); err != nil {
			t.Fatal(err)
		}
		r.Release()
		if err := to.AppendCopy(at, b); err != nil {
			t.Fatal(err)
		}
		to.CommitCopies()
		at += int64(len(b))
	}
	settled(t, to)
}

// TestBatchesAfterADeletion: a slave that has not heard that an ordinary topic was deleted and made again as one of batches serves the
// new one; and a batch of the past changes nothing of an ordinary queue.
func TestBatchesAfterADeletion(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	o.BatchTopic = func([]byte) bool { return false }
	master := openStore(t, o)
	f := disk.NewFaulty()
	o.FS = f
	slave := mustOpen(t, o)
	for range 40 {
		mustAppend(t, master, message("T", 0, "of a topic that was deleted"))
	}
	copyAll(t, master, slave)
	closeStore(t, slave)
	slave = mustOpen(t, o)
	if err := master.DeleteTopic("T"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := appendWhole(master, "T", 10); err != nil {
			t.Fatal(err)
		}
	}
	copyAll(t, master, slave)
	for _, when := range []string{"at once", "after a crash"} {
		got := served(t, slave)[at{"T", 0}]
		if len(got) != 3 || got[0] == nil || got[10] == nil || got[20] == nil || slave.MaxOffset([]byte("T"), 0) != 30 {
			t.Errorf("%s: %d batches, [%d, %d)", when, len(got), slave.MinOffset([]byte("T"), 0), slave.MaxOffset([]byte("T"), 0))
		}
		if when == "at once" {
			f.Stop()
			_ = slave.Close(context.Background())
			o.FS = f.Crash(rand.New(rand.NewSource(1)))
			slave = mustOpen(t, o)
		}
	}
	defer closeStore(t, slave)
	if p, err := appendWhole(slave, "T", 2); err != nil || p.QueueOffset != 30 {
		t.Errorf("the next batch is at %d, %v", p.QueueOffset, err)
	}
	for range 5 {
		mustAppend(t, slave, message("New", 0, "x"))
	}
	settled(t, slave)
	slave.dispatch.do(func() {
		old := &record.Record{Topic: []byte("New"), PhysicalOffset: 0, SysFlag: record.SysFlagInnerBatch}
		if q, err := slave.batchOf(old, new(recentQueues)); q != nil || err != nil {
			t.Error("an old batch takes the queue over:", err)
		}
	})
	if got := served(t, slave)[at{"New", 0}]; len(got) != 5 {
		t.Errorf("%d of 5 messages are left", len(got))
	}
}

// TestLeapThatIsProved: a record whose checksum holds is served however far its queue offset is ahead, one without is lost.
func TestLeapThatIsProved(t *testing.T) {
	for _, proved := range []bool{true, false} {
		o := smallOptions(disk.NewMemory())
		o.AppendPropCRC = proved
		s := openStore(t, o)
		mustAppend(t, s, message("T", 0, "first"))
		s.counters.set("T", 0, 1000)
		mustAppend(t, s, message("T", 0, strings.Repeat("x", 100)))
		settled(t, s)
		if got := served(t, s)[at{"T", 0}]; (got[1000] != nil) != proved || got[0] == nil {
			t.Errorf("proved %v: %d records are served", proved, len(got))
		}
	}
}

// TestPreparedBatchTakesNoOffsets: records that never get an entry leave no hole in their queue, and readers that take one message at a time
// come past holes that older logs have.
func TestPreparedBatchTakesNoOffsets(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	s := openStore(t, o)
	for _, flag := range []int32{record.SysFlagPrepared, record.SysFlagRollback} {
		for _, topic := range []string{"T", "B"} {
			before, err := appendWhole(s, topic, 5)
			if err != nil {
				t.Fatal(err)
			}
			m := message(topic, 0, "")
			m.SysFlag = flag
			if places, err := s.AppendBatch(m, batchItems(3), nil); err != nil || len(places) != 3 {
				t.Fatal(places, err)
			}
			if topic == "B" {
				s.counters.set(topic, 0, before.QueueOffset+8)
			}
			after, err := appendWhole(s, topic, 5)
			if err != nil || topic == "T" && after.QueueOffset != before.QueueOffset+5 {
				t.Fatal(topic, before.QueueOffset, after.QueueOffset, err)
			}
		}
	}
	settled(t, s)
	for _, topic := range []string{"T", "B"} {
		w := Want{Topic: []byte(topic), MaxMessages: 1}
		batches := 0
		for w.Offset < s.MaxOffset(w.Topic, 0) {
			_, f, err := s.Read(&w, nil)
			if err != nil || f.NextOffset <= w.Offset {
				t.Fatalf("stuck at %d: %v, next %d, %v", w.Offset, f.Status, f.NextOffset, err)
			}
			batches += f.Messages
			w.Offset = f.NextOffset
		}
		if batches != 4 {
			t.Errorf("%s: %d of 4 batches are served", topic, batches)
		}
	}
}
