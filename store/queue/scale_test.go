package queue_test

import (
	"fmt"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
)

// BenchmarkManyQueues is one round of a store with very many queues of few entries: an entry each, written; and a start.
func BenchmarkManyQueues(b *testing.B) {
	const queues = 100_000
	options := queue.Options{Dir: b.TempDir() + "/consumequeue", FS: disk.OS()}
	s, err := queue.Open(options)
	if err != nil {
		b.Fatal(err)
	}
	next := int64(0)
	round := func(b *testing.B, s *queue.Set) {
		for i := range queues {
			q := s.Queue(fmt.Sprint("topic-", i/8), int32(i%8))
			if err := q.Put(q.Max(), unit(next)); err != nil {
				b.Fatal(err)
			}
			next++
		}
		if err := s.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("create", func(b *testing.B) {
		if next > 0 {
			b.Skip("once")
		}
		round(b, s)
	})
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			round(b, s)
		}
	})
	b.Run("sync", func(b *testing.B) {
		for b.Loop() {
			if err := s.Sync(); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			round(b, s)
			b.StartTimer()
		}
	})
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			again, err := queue.Open(options)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := again.Recover(); err != nil {
				b.Fatal(err)
			}
			_ = again.Close()
		}
	})
	b.ReportMetric(float64(s.BufferedBytes())/(1<<20), "MiB")
	_ = s.Close()
}
