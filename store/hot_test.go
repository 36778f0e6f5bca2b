package store

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// benchDispatch stores short messages of eight queues, with or without keys, and waits until all are in their queues.
func benchDispatch(b *testing.B, indexed bool) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush, o.IndexEnabled = false, indexed
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	m := message("T", 0, "a short body", "UNIQ_KEY", "7F00000122D94E0E2F2A6DAEF39104F1", "KEYS", "one two")
	const id = "0123456789ABCDEF"
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		m.QueueID = int32(i % 8)
		for k, at := i, 40; at > 24; at, k = at-1, k/16 {
			m.Properties[at] = id[k%16]
		}
		for {
			_, err := s.Append(m)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrFull) {
				b.Fatal(err)
			}
			waitRoom(s)
		}
	}
	settled(b, s)
}

func BenchmarkDispatch(b *testing.B)        { benchDispatch(b, false) }
func BenchmarkDispatchIndexed(b *testing.B) { benchDispatch(b, true) }

// BenchmarkReadHotBesideAppend pulls while a producer appends without a pause.
func BenchmarkReadHotBesideAppend(b *testing.B) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	m := kilobyte("T")
	for range 128 {
		if _, err := s.Append(m); err != nil {
			b.Fatal(err)
		}
	}
	settled(b, s)
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := message("U", 0, "a short body"); !stop.Load(); {
			if _, err := s.Append(m); errors.Is(err, ErrFull) {
				waitRoom(s)
			}
		}
	}()
	dst := make([]byte, 0, 256<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		topic := []byte("T")
		w := Want{Topic: topic, MaxMessages: 32, Offset: max(0, s.MaxOffset(topic, 0)-64)}
		if _, _, ok := s.ReadHot(&w, dst); !ok {
			// The producer has overtaken the tail: pull something newer.
			b.StopTimer()
			for range 64 {
				if _, err := s.Append(m); errors.Is(err, ErrFull) {
					waitRoom(s)
				}
			}
			settledAtLeast(b, s, s.LogMax())
			b.StartTimer()
		}
	}
	b.StopTimer()
	stop.Store(true)
	<-done
}

// BenchmarkReadCold pulls 32 messages that lie in a row in the file.
func BenchmarkReadCold(b *testing.B) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	m := kilobyte("T")
	for range 4096 {
		if _, err := s.Append(m); err != nil {
			b.Fatal(err)
		}
	}
	settled(b, s)
	if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if s, err = Open(o); err != nil { // nothing of it is in memory now
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	w := Want{Topic: []byte("T"), MaxMessages: 32, Offset: 100}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, f, err := s.Read(&w, nil); err != nil || f.Messages != 32 {
			b.Fatal(f, err)
		}
	}
}

// BenchmarkAppendParallel appends short messages of eight queues from several goroutines.
func BenchmarkAppendParallel(b *testing.B) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	var next atomic.Int32
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		m := message("T", next.Add(1)%8, "a short body")
		for pb.Next() {
			if _, err := s.Append(m); errors.Is(err, ErrFull) {
				waitRoom(s)
			}
		}
	})
}

// BenchmarkAppendBatch stores batches of 32 short messages.
func BenchmarkAppendBatch(b *testing.B) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	m := message("T", 0, "")
	items := batchOf(32, "a short body")
	var places []Placed
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if places, err = s.AppendBatch(m, items, places[:0]); errors.Is(err, ErrFull) {
			waitRoom(s)
		}
	}
}

// batchOf is the body of a batch of n messages.
func batchOf(n int, body string) (items []byte) {
	properties := record.AppendProperty(nil, "UNIQ_KEY", "7F00000122D94E0E2F2A6DAEF39104F1")
	for range n {
		items = record.AppendBatchItem(items, &record.BatchItem{Body: []byte(body), Properties: properties})
	}
	return items
}

// settledAtLeast waits until everything before an offset is in its queue.
func settledAtLeast(b *testing.B, s *Store, at int64) {
	b.Helper()
	for s.dispatch.at.Load() < at {
		if b.Context().Err() != nil {
			b.Fatal("the dispatcher does not come to its end")
		}
		time.Sleep(50 * time.Microsecond)
	}
}

// benchScan walks over records of the tail as the dispatcher does: copied in chunks, found and parsed.
func benchScan(b *testing.B, body string) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	m := message("T", 0, body, "UNIQ_KEY", "7F00000122D94E0E2F2A6DAEF39104F1", "TAGS", "TagA")
	for range 4096 {
		if _, err := s.Append(m); err != nil {
			b.Fatal(err)
		}
	}
	settled(b, s)
	scan, limit, at := s.newScanner(), s.Visible().Load(), int64(0)
	var r record.Record
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		raw, after, err := scan.next(at, limit)
		if err != nil || r.Parse(raw) != nil {
			b.Fatal(err)
		}
		if at = after; at >= limit {
			at = 0
		}
	}
}

func BenchmarkScanShort(b *testing.B)    { benchScan(b, "a short body") }
func BenchmarkScanKilobyte(b *testing.B) { benchScan(b, strings.Repeat("x", 1024)) }
