package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// copyFrom copies a master's log from where the slave's ends, up to an offset, singly: record by record, each waited for. It stops at an error of
// the slave's disk.
func copyFrom(master, slave *Store, to int64, singly bool) error {
	for at := slave.LogMax(); at < to; at = slave.LogMax() {
		r, err := master.Region(at, min(8<<10, slave.CopyBytes()))
		if err != nil {
			return err
		}
		b := make([]byte, r.Bytes)
		err = r.Read(b, 0)
		r.Release()
		if err != nil {
			return err
		}
		if b = wholeRecords(b, at, slave.blankTo, singly); len(b) == 0 {
			return fmt.Errorf("no whole record at %d", at)
		}
		for {
			err = slave.AppendCopy(at, b)
			slave.CommitCopies()
			if !errors.Is(err, ErrFull) {
				break
			}
			waitRoom(slave)
		}
		if err == nil && singly {
			err = slave.Visible().Wait(context.Background(), slave.LogMax())
		}
		if err != nil {
			return err
		}
	}
	return slave.Visible().Wait(context.Background(), slave.LogMax())
}

// wholeRecords is b without the last record where that is not whole; what follows the last one of a segment may come in pieces.
func wholeRecords(b []byte, at, blankTo int64, one bool) []byte {
	n := 0
	for len(b)-n >= record.BlankBytes {
		size, magic := record.Header(b[n:])
		if at+int64(n) < blankTo || magic == record.MagicBlank {
			return b
		}
		if n+int(size) > len(b) {
			break
		}
		n += int(size)
		if one {
			break
		}
	}
	return b[:n]
}

func sameServed(t *testing.T, what string, master, slave *Store) {
	t.Helper()
	want, got := served(t, master), served(t, slave)
	for q, records := range want {
		low, high := master.MinOffset([]byte(q.topic), q.queue), master.MaxOffset([]byte(q.topic), q.queue)
		if l, h := slave.MinOffset([]byte(q.topic), q.queue), slave.MaxOffset([]byte(q.topic), q.queue); l != low || h != high || len(got[q]) != len(records) {
			t.Errorf("%s: %v: %d records in [%d, %d), the master has %d in [%d, %d)", what, q, len(got[q]), l, h, len(records), low, high)
			continue
		}
		for offset, raw := range records {
			if string(got[q][offset]) != string(raw) {
				t.Errorf("%s: %v: another record at %d", what, q, offset)
			}
		}
	}
}

// madeAgain is a master with topics that were deleted and made again: with fewer messages than before, with as many, with more, twice, and with
// batches.
func madeAgain(t *testing.T, f disk.FS, crc bool) *Store {
	o := batchOptions(f)
	o.AppendPropCRC = crc
	s := openStore(t, o)
	put := func(topic, text string, n int) {
		for i := range n {
			for q := range int32(2) {
				mustAppend(t, s, message(topic, q, text+fmt.Sprint(i)))
			}
		}
	}
	for i, topic := range []string{"Fewer", "Same", "More", "Twice"} {
		put(topic, "old", 40)
		settled(t, s)
		if err := s.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		put(topic, "new", []int{7, 40, 60, 21}[i])
	}
	settled(t, s)
	if err := s.DeleteTopic("Twice"); err != nil {
		t.Fatal(err)
	}
	put("Twice", strings.Repeat("newest", 5), 3)
	put("Stays", "all", 30)
	for _, n := range []int{30, 3} {
		settled(t, s)
		if err := s.DeleteTopic("B"); err != nil {
			t.Fatal(err)
		}
		for range n {
			appendInner(t, s, "B", 5)
		}
	}
	put("Stays", "all", 30)
	settled(t, s)
	return s
}

// TestSlaveOfTopicsMadeAgain: a slave that hears of no deletion serves what its master serves, also after a restart, with its queues gone,
// and when it takes messages itself. Also where records have no checksum of their own.
func TestSlaveOfTopicsMadeAgain(t *testing.T) {
	for _, crc := range []bool{true, false} {
		master := madeAgain(t, disk.NewMemory(), crc)
		f := disk.NewMemory()
		o := batchOptions(f)
		slave := mustOpen(t, o)
		for at := int64(20_000); at < master.LogMax(); at += 20_000 {
			if err := copyFrom(master, slave, at, false); err != nil {
				t.Fatal(err)
			}
			settled(t, slave) // where it has entries in files, a queue has them to lose
			if at%40_000 == 0 {
				closeStore(t, slave)
				slave = mustOpen(t, o)
			}
		}
		if err := copyFrom(master, slave, master.LogMax(), false); err != nil {
			t.Fatal(err)
		}
		settled(t, slave)
		sameServed(t, "copied", master, slave)
		if p := mustAppend(t, slave, message("Fewer", 1, "its own")); p.QueueOffset != 7 {
			t.Errorf("it goes on at %d, with 7 messages there", p.QueueOffset)
		}
		if p := appendInner(t, slave, "B", 5); p.QueueOffset != 15 {
			t.Errorf("it goes on with batches at %d, with 15 messages there", p.QueueOffset)
		}
		mustAppend(t, master, message("Fewer", 1, "its own"))
		appendInner(t, master, "B", 5)
		settled(t, master)
		for _, gone := range []string{"", "/store/consumequeue", "/store/batchconsumequeue", "/store/ringmq/queues.json"} {
			settled(t, slave)
			closeStore(t, slave)
			if gone != "" {
				if err := f.RemoveAll(gone); err != nil {
					t.Fatal(err)
				}
			}
			slave = mustOpen(t, o)
			for q, n := range map[at]int{{"Fewer", 1}: 8, {"Fewer", 0}: 7, {"Same", 0}: 40, {"More", 1}: 60, {"Twice", 0}: 3, {"Stays", 1}: 60} {
				if got := served(t, slave)[q]; len(got) != n || slave.MaxOffset([]byte(q.topic), q.queue) != int64(n) || slave.MinOffset([]byte(q.topic), q.queue) != 0 {
					t.Errorf("checksums %v, without %q: %d messages of %v, not %d", crc, gone, len(got), q, n)
				}
			}
			if low, high := slave.MinOffset([]byte("B"), 0), slave.MaxOffset([]byte("B"), 0); low != 0 || high != 20 {
				t.Errorf("without %q: batches in [%d, %d)", gone, low, high)
			}
		}
		closeStore(t, slave)
	}
}

// TestSlaveOfTopicsMadeAgainCrashes: the same where the slave's machine loses its power at any moment, and twice more in and after a start.
func TestSlaveOfTopicsMadeAgainCrashes(t *testing.T) {
	step := 23
	if raceEnabled || testing.Short() {
		step = 101
	}
	for op, all := 1, 1<<30; op < all; op += step {
		synctest.Test(t, func(t *testing.T) { // the checkpoint is moved by a clock
			master := madeAgain(t, disk.NewMemory(), true)
			rng := rand.New(rand.NewSource(int64(op)))
			f := disk.NewFaulty()
			o := batchOptions(f)
			follow := func() {
				o.FS = f
				s, err := Open(o)
				if err != nil {
					return
				}
				for at := min(s.LogMax()+9_000, master.LogMax()); copyFrom(master, s, at, true) == nil && at < master.LogMax(); at = min(at+9_000, master.LogMax()) {
					time.Sleep(time.Duration(rng.Intn(3)) * 5 * time.Second) // sometimes the checkpoint moves
				}
				f.Stop()
				_ = s.Close(context.Background())
			}
			if op > 1 {
				f.CrashAt(op)
			}
			if follow(); op == 1 {
				all = f.Ops()
			}
			for range 2 {
				f = f.Crash(rng)
				f.CrashAt(1 + rng.Intn(300))
				follow()
			}
			o.FS = f.Crash(rng)
			s := mustOpen(t, o)
			if err := copyFrom(master, s, master.LogMax(), true); err != nil {
				t.Fatal(err)
			}
			settled(t, s)
			sameServed(t, fmt.Sprint("crash at ", op), master, s)
			closeStore(t, s)
		})
		if t.Failed() {
			return
		}
	}
}

// TestOffsetsGivenAgain: of a master that had lost the end of a queue when it became one, a slave keeps what comes before, and takes what is new.
func TestOffsetsGivenAgain(t *testing.T) {
	for _, topic := range []string{"T", "B"} {
		master := openStore(t, batchOptions(disk.NewMemory()))
		o := batchOptions(disk.NewMemory())
		slave := mustOpen(t, o)
		for range 8 {
			if topic == "B" {
				appendInner(t, master, "B", 5)
			} else {
				for range 5 {
					mustAppend(t, master, message("T", 0, "before"))
				}
			}
		}
		settled(t, master)
		if err := copyFrom(master, slave, master.LogMax(), false); err != nil {
			t.Fatal(err)
		}
		settled(t, slave)
		// What comes next says 35, 36, ... instead of 40, 41, ...
		for offset := int64(35); offset < 40; offset++ {
			p := mustAppend(t, master, message(topic, 0, "after"))
			settled(t, master)
			b := make([]byte, p.End-p.PhysicalOffset)
			if err := master.log.ReadAt(p.PhysicalOffset, b); err != nil {
				t.Fatal(err)
			}
			const queueOffsetAt = 20
			binary.BigEndian.PutUint64(b[queueOffsetAt:], uint64(offset))
			if !record.SealCRC(b) {
				t.Fatal("no checksum")
			}
			if err := slave.AppendCopy(p.PhysicalOffset, b); err != nil {
				t.Fatal(err)
			}
			slave.CommitCopies()
			settled(t, slave)
		}
		for range 2 {
			var got []string
			for at := int64(0); at < 40; {
				raw, f, err := slave.Read(&Want{Topic: []byte(topic), Offset: at, MaxMessages: 32}, nil)
				if err != nil || f.NextOffset <= at {
					t.Fatalf("at %d: %v, %v", at, f.Status, err)
				}
				got, at = append(got, bodies(t, raw)...), f.NextOffset
			}
			if n := len(got); n != map[string]int{"T": 40, "B": 12}[topic] || got[n-1] != "after" || got[n-5] != "after" || got[n-6] == "after" {
				t.Errorf("%s: %d records", topic, n)
			}
			if low, high := slave.MinOffset([]byte(topic), 0), slave.MaxOffset([]byte(topic), 0); low != 0 || high != 40 {
				t.Errorf("%s: [%d, %d)", topic, low, high)
			}
			closeStore(t, slave)
			slave = mustOpen(t, o)
		}
		if p := mustAppend(t, slave, message(topic, 0, "its own")); p.QueueOffset != 40 {
			t.Errorf("%s goes on at %d", topic, p.QueueOffset)
		}
		settled(t, slave)
		closeStore(t, slave)
	}
}

// TestUnprovedOffset: a record without a checksum of its own, whose queue offset one flipped bit made another one's, takes nothing away.
func TestUnprovedOffset(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	o.AppendPropCRC = false
	master := openStore(t, o)
	for i := range 21 {
		mustAppend(t, master, message("T", 0, fmt.Sprint(i)))
	}
	settled(t, master)
	b := make([]byte, master.LogMax())
	if err := master.log.ReadAt(0, b); err != nil {
		t.Fatal(err)
	}
	var last []byte
	for at := 0; at < len(b); at += len(last) {
		size, _ := record.Header(b[at:])
		last = b[at : at+int(size)]
	}
	const queueOffsetAt = 20
	binary.BigEndian.PutUint64(last[queueOffsetAt:], 4) // 20 it was
	slave := openStore(t, smallOptions(disk.NewMemory()))
	if err := slave.AppendCopy(0, b); err != nil {
		t.Fatal(err)
	}
	slave.CommitCopies()
	settled(t, slave)
	if got := served(t, slave)[at{"T", 0}]; len(got) != 20 || slave.MaxOffset([]byte("T"), 0) != 20 {
		t.Errorf("%d messages up to %d", len(got), slave.MaxOffset([]byte("T"), 0))
	}
}

// TestBlanksGiveWay: where only blanks hold the place of a record, it takes it, and nothing begins anew.
func TestBlanksGiveWay(t *testing.T) {
	master, f := openStore(t, smallOptions(disk.NewMemory())), disk.NewMemory()
	var third int64
	for i := range 10 {
		if p := mustAppend(t, master, message("T", 0, fmt.Sprint(i))); i == 2 {
			third = p.End
		}
	}
	settled(t, master)
	slave := mustOpen(t, smallOptions(f))
	if err := copyFrom(master, slave, third, true); err != nil {
		t.Fatal(err)
	}
	settled(t, slave)
	var err error
	if !slave.dispatch.do(func() { err = slave.queues.Queue("T", 0).Skip(8) }) || err != nil {
		t.Fatal(err)
	}
	if err := copyFrom(master, slave, master.LogMax(), false); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		settled(t, slave)
		sameServed(t, "blanks", master, slave)
		closeStore(t, slave)
		slave = mustOpen(t, smallOptions(f))
	}
	closeStore(t, slave)
}

// TestBuryCopies: what a master deleted goes from its slave, whenever the slave hears of it, and nothing else; also from a queue that the topic made
// again has not used yet. Graves that lie beyond the copy wait, and none swallows what a slave that became the master stores.
func TestBuryCopies(t *testing.T) {
	master := openStore(t, batchOptions(disk.NewMemory()))
	for _, topic := range []string{"Gone", "Again"} {
		for i := range 20 {
			mustAppend(t, master, message(topic, int32(i%2), "old"))
		}
	}
	appendInner(t, master, "B", 5)
	mustAppend(t, master, message("Stays", 0, "x"))
	settled(t, master)
	before := master.LogMax()
	for _, topic := range []string{"Gone", "Again", "B"} {
		if err := master.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
	}
	mustAppend(t, master, message("Again", 1, "new"))
	settled(t, master)
	edition, graves := master.Graves()
	if len(graves) != 3 || graves["Gone"] != before {
		t.Fatal(graves)
	}
	f := disk.NewMemory()
	slave := mustOpen(t, batchOptions(f))
	bury := func(later int) {
		t.Helper()
		left, err := slave.BuryCopies(graves)
		if err != nil || len(left) != later {
			t.Fatalf("%d graves wait, not %d: %v", len(left), later, err)
		}
	}
	if err := copyFrom(master, slave, before-1000, true); err != nil {
		t.Fatal(err)
	}
	settled(t, slave)
	bury(3)
	if len(served(t, slave)[at{"Gone", 0}]) == 0 {
		t.Error("what lies beyond the copy was buried")
	}
	if err := copyFrom(master, slave, master.LogMax(), false); err != nil {
		t.Fatal(err)
	}
	settled(t, slave)
	bury(0)
	for range 2 {
		sameServed(t, "buried", master, slave)
		if high := slave.MaxOffset([]byte("Again"), 0); high != 0 {
			t.Errorf("a queue without new messages goes up to %d", high)
		}
		if topics := slave.QueueTopics(); slices.Contains(topics, "Gone") || slices.Contains(topics, "B") {
			t.Error(topics)
		}
		closeStore(t, slave)
		slave = mustOpen(t, batchOptions(f))
		bury(0)
	}
	for _, m := range []struct {
		topic string
		queue int32
		want  int64
	}{{"Gone", 0, 0}, {"Again", 0, 0}, {"Again", 1, 1}, {"Stays", 0, 1}} {
		if p := mustAppend(t, slave, message(m.topic, m.queue, "its own")); p.QueueOffset != m.want {
			t.Errorf("%v goes on at %d", m, p.QueueOffset)
		}
	}
	if p := appendInner(t, slave, "B", 5); p.QueueOffset != 0 {
		t.Errorf("batches go on at %d", p.QueueOffset)
	}
	settled(t, slave)
	if got := served(t, slave); len(got[at{"Gone", 0}]) != 1 || len(got[at{"Again", 1}]) != 2 || len(got[at{"Stays", 0}]) != 2 {
		t.Errorf("%d, %d and %d messages", len(got[at{"Gone", 0}]), len(got[at{"Again", 1}]), len(got[at{"Stays", 0}]))
	}
	closeStore(t, slave)
	if again, _ := master.Graves(); again != edition {
		t.Error("another edition of the same graves")
	}
}

// TestMadeAgainOfTheOtherKind: a topic that is made again with batches, or without.
func TestMadeAgainOfTheOtherKind(t *testing.T) {
	for _, batches := range []bool{true, false} {
		var declared atomic.Bool
		declared.Store(!batches)
		o := smallOptions(disk.NewMemory())
		o.BatchTopic = func(topic []byte) bool { return string(topic) == "B" && declared.Load() }
		master := openStore(t, o)
		f := disk.NewMemory()
		o.FS = f
		slave := mustOpen(t, o)
		put := func(n int) {
			for range n {
				if declared.Load() {
					appendInner(t, master, "B", 5)
				} else {
					mustAppend(t, master, message("B", 0, "single"))
				}
			}
			settled(t, master)
			if err := copyFrom(master, slave, master.LogMax(), false); err != nil {
				t.Fatal(err)
			}
			settled(t, slave)
		}
		put(30)
		if err := master.DeleteTopic("B"); err != nil {
			t.Fatal(err)
		}
		declared.Store(batches)
		put(3)
		for _, what := range []string{"copied", "started", "started again"} {
			sameServed(t, what, master, slave)
			if (slave.batchFor([]byte("B"), 0, false) != nil) != batches {
				t.Errorf("%s: made again with batches %v, kept otherwise", what, batches)
			}
			closeStore(t, slave)
			slave = mustOpen(t, o)
		}
		closeStore(t, slave)
	}
}
