package store

import (
	"syscall"
	"testing"

	"ringmq/store/disk"
)

// benchPull pulls 32 messages of a kilobyte at a time, by turns from eight queues that lie interleaved in the log, again and again from
// the beginning; so many messages are in the log. open opens the store once more where nothing is to be in its memory.
func benchPull(b *testing.B, messages int, again bool, pull func(s *Store, w *Want, dst []byte) (Found, bool)) {
	const queues = 8
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush, o.TailBytes = false, 24<<20
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	m := kilobyte("T")
	for i := range messages {
		m.QueueID = int32(i % queues)
		for {
			_, err := s.Append(m)
			if err == nil {
				break
			}
			waitRoom(s)
		}
	}
	settled(b, s)
	if again {
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
		if s, err = Open(o); err != nil {
			b.Fatal(err)
		}
	}
	defer s.Close(b.Context())
	dst := make([]byte, 0, 256<<10)
	w := Want{Topic: []byte("T"), MaxMessages: 32}
	got, before := 0, usedNs(b)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		w.QueueID = int32(i % queues)
		f, ok := pull(s, &w, dst)
		if !ok || f.Messages == 0 {
			b.Fatal(f, ok)
		}
		got += f.Messages
		if w.QueueID == queues-1 {
			if w.Offset = f.NextOffset; w.Offset+32 > int64(messages/queues) {
				w.Offset = 0
			}
		}
	}
	b.ReportMetric(float64(usedNs(b)-before)/float64(got), "cpu-ns/message")
}

// usedNs is what this process has used of the processors: less at the mercy of others than wall time.
func usedNs(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkPullHot has everything in the tail.
func BenchmarkPullHot(b *testing.B) {
	benchPull(b, 10_000, false, func(s *Store, w *Want, dst []byte) (Found, bool) {
		_, f, ok := s.ReadHot(w, dst)
		return f, ok
	})
}

// BenchmarkPullWorker reads what is in the page cache as a worker does.
func BenchmarkPullWorker(b *testing.B) {
	benchPull(b, 100_000, false, func(s *Store, w *Want, dst []byte) (Found, bool) {
		_, f, err := s.Read(w, dst)
		return f, err == nil
	})
}

// BenchmarkPullWorkerUnchecked is as BenchmarkPullWorker, of messages that this process did not write.
func BenchmarkPullWorkerUnchecked(b *testing.B) {
	benchPull(b, 100_000, true, func(s *Store, w *Want, dst []byte) (Found, bool) {
		_, f, err := s.Read(w, dst)
		return f, err == nil
	})
}

// BenchmarkPullWarm reads what is in the page cache as a loop does.
func BenchmarkPullWarm(b *testing.B) { benchPull(b, 100_000, false, pullWarm) }

// BenchmarkPullWarmUnchecked is as BenchmarkPullWarm, of messages that this process did not write.
func BenchmarkPullWarmUnchecked(b *testing.B) { benchPull(b, 100_000, true, pullWarm) }

func pullWarm(s *Store, w *Want, dst []byte) (Found, bool) {
	budget := 4 << 20
	w.Warm = &budget
	_, f, ok := s.ReadHot(w, dst)
	if !ok { // a file of the queue that is not open yet
		var err error
		_, f, err = s.Read(w, dst)
		ok = err == nil
	}
	return f, ok
}
