package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestAppendCopy: what is not whole is not taken, and a blank may come in pieces.
func TestAppendCopy(t *testing.T) {
	master := openStore(t, smallOptions(disk.NewMemory()))
	for n := range 100 {
		mustAppend(t, master, message("T", 0, string(make([]byte, 100+n*37%2000))))
	}
	settled(t, master)
	end := master.LogMax()
	var all []byte
	for at := int64(0); at < end; {
		r, err := master.Region(at, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, r.Bytes)
		if err := r.Read(b, 0); err != nil {
			t.Fatal(err)
		}
		r.Release()
		all, at = append(all, b...), at+int64(len(b))
	}
	slave := openStore(t, smallOptions(disk.NewMemory()))
	size, _ := record.Header(all)
	for _, n := range []int{1, 7, 8, 90, int(size) - 1, int(size) + 7} {
		if err := slave.AppendCopy(0, all[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes of a record of %d: %v", n, size, err)
		}
	}
	if err := slave.AppendCopy(int64(size), all[size:2*size]); !errors.Is(err, ErrNotEnd) && !errors.Is(err, ErrMalformed) {
		t.Errorf("behind the end: %v", err)
	}
	segment := slave.SegmentBytes()
	for at := int64(0); at < end; {
		size, magic := record.Header(all[at:])
		n := int64(size)
		if magic == record.MagicBlank { // the last piece of a segment
			n = min(n, 13)
		} else if blank := slave.blankTo; at < blank {
			n = min(blank-at, 29)
		}
		if at/segment != (at+n-1)/segment {
			t.Fatalf("%d bytes at %d", n, at)
		}
		err := slave.AppendCopy(at, all[at:at+n])
		slave.CommitCopies()
		if errors.Is(err, ErrFull) {
			waitRoom(slave)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		at += n
	}
	settled(t, slave)
	if slave.LogMax() != end || slave.MaxOffset([]byte("T"), 0) != 100 || len(slave.Gaps()) != 0 {
		t.Errorf("the log ends at %d of %d, %d messages, gaps %v", slave.LogMax(), end, slave.MaxOffset([]byte("T"), 0), slave.Gaps())
	}
}

// TestNoMessagesBeforeCopies: while copies have not reached their queues, a store that takes messages would give their offsets twice.
func TestNoMessagesBeforeCopies(t *testing.T) {
	s := openStore(t, smallOptions(disk.NewMemory()))
	s.copied.Store(s.dispatch.at.Load() + 1)
	if _, err := s.Append(message("T", 0, "x")); !errors.Is(err, ErrNotWritable) {
		t.Errorf("%v", err)
	}
	s.copied.Store(0)
	mustAppend(t, s, message("T", 0, "x"))
}

func openStore(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func FuzzMeasureCopy(f *testing.F) {
	f.Add([]byte{0, 0, 0, 8, 0xCB, 0xD4, 0x31, 0x94, 1, 2, 3}, int64(56))
	f.Add(make([]byte, 200), int64(4000))
	f.Fuzz(func(t *testing.T, b []byte, offset int64) {
		if offset < 0 || offset > 1<<40 || len(b) > 4096 {
			return
		}
		s := &Store{o: Options{SegmentBytes: 4096}}
		_, blankTo, err := s.measureCopy(offset, b)
		if err == nil && blankTo > offset-offset%4096+4096 {
			t.Errorf("a blank to %d in bytes at %d", blankTo, offset)
		}
	})
}

// TestOffsetsGoOnBehindCopies: whoever commits a copied record, and however soon it is in its queue, the next message of the queue comes
// behind it.
func TestOffsetsGoOnBehindCopies(t *testing.T) {
	master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() { // a batch is always about to begin
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				slave.CommitCopies()
			}
		}
	}()
	for n := range 300 {
		p := mustAppend(t, master, message("T", 0, "x"))
		settled(t, master)
		r, err := master.Region(slave.LogMax(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, r.Bytes)
		if err := r.Read(b, 0); err != nil {
			t.Fatal(err)
		}
		r.Release()
		if err := slave.AppendCopy(slave.LogMax(), b); err != nil {
			t.Fatal(err)
		}
		if p.End != slave.LogMax() {
			continue // the blank of a segment
		}
		settled(t, slave)
		if next := slave.counters.find([]byte("T"), 0).next.Load(); next != int64(n)+1 {
			t.Fatalf("after %d copies the next queue offset is %d", n+1, next)
		}
	}
	close(stop)
	<-ended
}

// regionOf returns the log of a store from an offset on, to the end of its segment.
func regionOf(t *testing.T, s *Store, at int64) []byte {
	t.Helper()
	r, err := s.Region(at, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	b := make([]byte, r.Bytes)
	if err := r.Read(b, 0); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOpaqueRefused: bytes that were not taken are not doubted, however often they were offered.
func TestOpaqueRefused(t *testing.T) {
	s := openStore(t, smallOptions(disk.NewMemory()))
	p := mustAppend(t, s, message("T", 0, "x"))
	for range 3 {
		if err := s.AppendOpaque(p.End+5, make([]byte, 100)); !errors.Is(err, ErrNotEnd) {
			t.Fatal(err)
		}
	}
	if s.log.Doubtful(0, 1<<40) {
		t.Error("what was refused is doubted")
	}
	if err := s.AppendOpaque(p.End, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if s.log.Doubtful(p.End-1, 1) || !s.log.Doubtful(p.End, 1) || !s.log.Doubtful(p.End+99, 1) || s.log.Doubtful(p.End+100, 1) {
		t.Error("something else than what was taken is doubted")
	}
	s.CommitCopies()
	settled(t, s)
}

// TestDoubtedWholeRecords: a stretch of doubt over whole records, as it comes about behind a full list, takes no record from its queue.
func TestDoubtedWholeRecords(t *testing.T) {
	master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
	var at []int64
	for range 9 {
		at = append(at, mustAppend(t, master, message("T", 0, "whole")).PhysicalOffset)
	}
	settled(t, master)
	b := regionOf(t, master, 0)
	bad := b[at[4]:at[5]]
	bad[len(bad)/2] ^= 1
	slave.log.Doubt(0, int64(len(b)))
	if err := errors.Join(slave.AppendCopy(0, b[:at[4]]), slave.AppendOpaque(at[4], bad), slave.AppendCopy(at[5], b[at[5]:])); err != nil {
		t.Fatal(err)
	}
	slave.CommitCopies()
	settled(t, slave)
	if g := slave.Gaps(); len(g) != 1 || g[0].From != at[4] || g[0].To != at[5] {
		t.Errorf("gaps %v, the record at %d is damaged", g, at[4])
	}
	if n := len(read(t, slave, "T", 0)); n != 8 || slave.MaxOffset([]byte("T"), 0) != 9 {
		t.Errorf("%d of 8 whole messages are there, up to %d", n, slave.MaxOffset([]byte("T"), 0))
	}
}

// read returns the bodies of a queue.
func read(t *testing.T, s *Store, topic string, queue int32) (list []string) {
	t.Helper()
	for at, end := int64(0), s.MaxOffset([]byte(topic), queue); at < end; {
		raw, f, err := s.Read(&Want{Topic: []byte(topic), QueueID: queue, Offset: at, MaxMessages: 32}, nil)
		if err != nil || f.NextOffset <= at {
			t.Fatalf("read at %d: goes on at %d, %v", at, f.NextOffset, err)
		}
		list, at = append(list, bodies(t, raw)...), f.NextOffset
	}
	return list
}

// blankOf is the beginning of a blank of so many bytes.
func blankOf(bytes int64) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(bytes)), record.MagicBlank)
}

// TestFalseBlanks: damage that looks like a segment's blank takes no record behind it along.
func TestFalseBlanks(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	for name, size := range map[string]func(at int64) int64{
		"of the record's size":   func(int64) int64 { return 200 },
		"to the segment's end":   func(at int64) int64 { return o.SegmentBytes - at },
		"over the segment's end": func(at int64) int64 { return o.SegmentBytes - at + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
			var at []int64
			for range 4 {
				at = append(at, mustAppend(t, master, message("T", 0, "whole")).PhysicalOffset)
			}
			settled(t, master)
			b := regionOf(t, master, 0)
			copy(b[at[1]:], blankOf(size(at[1])))
			if err := errors.Join(slave.AppendCopy(0, b[:at[1]]), slave.AppendOpaque(at[1], b[at[1]:at[2]]), slave.AppendCopy(at[2], b[at[2]:])); err != nil {
				t.Fatal(err)
			}
			slave.CommitCopies()
			settled(t, slave)
			if g := slave.Gaps(); len(g) != 1 || g[0].From != at[1] || g[0].To != at[2] {
				t.Errorf("gaps %v, %d to %d is damaged", g, at[1], at[2])
			}
			if n := len(read(t, slave, "T", 0)); n != 3 {
				t.Errorf("%d of 3 whole messages are there", n)
			}
		})
	}
}

// TestDoubtedBlank: a stretch of doubt over a segment's blank makes no gap of it.
func TestDoubtedBlank(t *testing.T) {
	master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
	for master.LogMax() < master.SegmentBytes() {
		mustAppend(t, master, message("T", 0, strings.Repeat("x", 1000)))
	}
	settled(t, master)
	slave.log.Doubt(0, master.LogMax())
	for at := int64(0); at < master.LogMax(); at = slave.LogMax() {
		err := slave.AppendCopy(at, regionOf(t, master, at))
		slave.CommitCopies()
		if errors.Is(err, ErrFull) { // the next segment is in the making
			waitRoom(slave)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	settled(t, slave)
	if g := slave.Gaps(); len(g) != 0 || slave.MaxOffset([]byte("T"), 0) != master.MaxOffset([]byte("T"), 0) {
		t.Errorf("%d gaps, messages up to %d of %d", len(g), slave.MaxOffset([]byte("T"), 0), master.MaxOffset([]byte("T"), 0))
	}
}

// TestDispatchedIsVisible: the dispatcher stays before what is not visible yet, be it a record, a blank or damage.
func TestDispatchedIsVisible(t *testing.T) {
	master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
	var last Placed // of the first segment
	for p := (Placed{}); p.End <= master.SegmentBytes(); p = mustAppend(t, master, message("T", 0, strings.Repeat("x", 1000))) {
		last = p
	}
	settled(t, master)
	b := regionOf(t, master, 0)
	first, _ := record.Header(b)
	damaged := int64(first)
	size, _ := record.Header(b[damaged:])
	b[damaged+100] ^= 1
	behind := damaged + int64(size)
	if err := errors.Join(slave.AppendCopy(0, b[:damaged]), slave.AppendOpaque(damaged, b[damaged:behind]), slave.AppendCopy(behind, b[behind:])); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{damaged - 1, damaged, damaged + 1, behind - 1, behind, last.End - 1, last.End, last.End + 3, last.End + 20, master.SegmentBytes()} {
		slave.Confirm(limit)
		slave.CommitCopies()
		if err := slave.Visible().Wait(t.Context(), limit); err != nil {
			t.Fatal(err)
		}
		slave.dispatch.do(func() {}) // a round is over, and
		slave.dispatch.do(slave.dispatch.advance)
		if at := slave.dispatch.at.Load(); at > limit || limit-at >= int64(size) {
			t.Errorf("visible to %d, dispatched to %d", limit, at)
		}
	}
	if g := slave.Gaps(); len(g) != 1 || g[0].From != damaged || g[0].To != behind {
		t.Errorf("gaps %v, %d to %d is damaged", g, damaged, behind)
	}
}

// TestRebaseInABlank: a log that ends inside of a blank has nothing left to dispatch, and can be given up.
func TestRebaseInABlank(t *testing.T) {
	master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
	var last Placed
	for p := (Placed{}); p.End <= master.SegmentBytes(); p = mustAppend(t, master, message("T", 0, strings.Repeat("x", 1000))) {
		last = p
	}
	settled(t, master)
	if err := slave.AppendCopy(0, regionOf(t, master, 0)[:last.End+10]); err != nil {
		t.Fatal(err)
	}
	slave.CommitCopies()
	settled(t, slave)
	if err := slave.Rebase(2 * slave.SegmentBytes()); err != nil {
		t.Error(err)
	}
	if at := slave.dispatch.at.Load(); at != 2*slave.SegmentBytes() {
		t.Errorf("dispatched to %d", at)
	}
}

// TestHealWhatIsInMemory: what was healed is served, also where the damaged bytes are still in memory.
func TestHealWhatIsInMemory(t *testing.T) {
	master, slave := openStore(t, smallOptions(disk.NewMemory())), openStore(t, smallOptions(disk.NewMemory()))
	var at []int64
	for range 4 {
		at = append(at, mustAppend(t, master, message("T", 0, "whole")).PhysicalOffset)
	}
	settled(t, master)
	b := regionOf(t, master, 0)
	good := bytes.Clone(b[at[1]:at[2]])
	b[at[2]-40] ^= 1
	if err := errors.Join(slave.AppendCopy(0, b[:at[1]]), slave.AppendOpaque(at[1], b[at[1]:at[2]]), slave.AppendCopy(at[2], b[at[2]:])); err != nil {
		t.Fatal(err)
	}
	slave.CommitCopies()
	settled(t, slave)
	if err := slave.Heal(at[1], good); err != nil {
		t.Fatal(err)
	}
	raw, _, ok := slave.ReadHot(&Want{Topic: []byte("T"), MaxMessages: 32}, nil)
	if want := regionOf(t, master, 0); ok && !bytes.Equal(raw, want) || !ok {
		t.Errorf("%v, served from memory: %d bytes of %d, equal: %v", ok, len(raw), len(want), bytes.Equal(raw, want))
	}
	if n := len(read(t, slave, "T", 0)); n != 4 {
		t.Errorf("%d of 4 messages are there", n)
	}
}
