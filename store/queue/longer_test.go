package queue_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

const longBytes = 46

// longEntry is the entry of a record of 100 bytes with what stands behind its unit.
func longEntry(at int64) (record.QueueUnit, []byte) {
	rest := binary.BigEndian.AppendUint64(nil, uint64(at+1))
	for len(rest) < longBytes-record.QueueUnitBytes {
		rest = append(rest, byte(at)|1)
	}
	return record.QueueUnit{Offset: 1000 + 100*at, Size: 100, TagsCode: at}, rest
}

func checkLong(t *testing.T, q *queue.Queue, from, to int64) {
	t.Helper()
	b := make([]byte, (to-from+3)*longBytes)
	n, err := q.ReadBytes(from, b)
	if err != nil || int64(n) != to-from || q.Max() != to {
		t.Fatalf("%d entries of %d, the queue ends at %d: %v", n, to-from, q.Max(), err)
	}
	for at := from; at < to; at++ {
		u, rest := longEntry(at)
		if e := b[(at-from)*longBytes:][:longBytes]; record.ParseQueueUnit(e) != u || !bytes.Equal(e[record.QueueUnitBytes:], rest) {
			t.Fatalf("entry %d is % x", at, e)
		}
	}
}

// TestLongerEntries: a Set of entries longer than a unit keeps all of each, in memory and in files, over starts, cuts and retention.
func TestLongerEntries(t *testing.T) {
	o := queue.Options{Dir: "/s/batchconsumequeue", FS: disk.NewMemory(), UnitBytes: longBytes, FileBytes: 10 * longBytes, HotEntries: 16, MinRecord: record.MinRecordBytes, DurableTo: 1 << 40}
	open := func() (*queue.Set, *queue.Queue) {
		t.Helper()
		s, err := queue.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Recover(); err != nil {
			t.Fatal(err)
		}
		return s, s.Queue("B", 0)
	}
	s, q := open()
	put := func(from, to int64) {
		t.Helper()
		for at := from; at < to; at++ {
			u, rest := longEntry(at)
			if err := q.PutWith(at, u, rest); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(0, 95)
	checkLong(t, q, 0, 95)
	for range 2 {
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := s.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, q = open()
		checkLong(t, q, 0, 95)
		put(90, 95) // again
		if err := q.Truncate(1000 + 100*72); err != nil {
			t.Fatal(err)
		}
		checkLong(t, q, 0, 72)
		put(72, 95)
		checkLong(t, q, 68, 95)
	}
	if err := q.CorrectMin(1000 + 100*35); err != nil {
		t.Fatal(err)
	}
	if files, err := q.DeleteBefore(1000 + 100*35); err != nil || files != 3 || q.Min() != 35 {
		t.Fatal(files, q.Min(), err)
	}
	checkLong(t, q, 30, 95)
	if n, err := q.ReadBytes(29, make([]byte, longBytes)); n != 0 || err != nil {
		t.Error("an entry that is gone:", n, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
