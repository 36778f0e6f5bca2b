package queue_test

import (
	"sync"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// TestPutBesideAStalledFlush: while files cannot be written, a queue takes many times the entries that it keeps for readers,
// without a wait and within the bound; afterwards all are there and the memory goes back.
func TestPutBesideAStalledFlush(t *testing.T) {
	const hot, total, limit = 64, 20_000, 2 << 20
	d := disk.NewFaulty()
	s := open(t, d, func(o *queue.Options) { o.HotEntries, o.BufferBytes, o.FileBytes = hot, limit, 1<<16 })
	q := s.Queue("t", 0)
	put(t, q, 0, hot)
	gate, reached := make(chan struct{}), make(chan struct{}, 1)
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	d.OnOp(func(_ int, kind, _ string) {
		if kind == "write" {
			select {
			case reached <- struct{}{}:
			default:
			}
			<-gate
		}
	})
	flushed := make(chan error, 1)
	go func() { flushed <- s.Flush() }()
	<-reached
	done := make(chan struct{})
	go func() { defer close(done); put(t, q, hot, total) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("Put waits for the disk")
	}
	if n := s.Stalls(); n != 0 {
		t.Errorf("the writer wrote files %d times", n)
	}
	if n := s.BufferedBytes(); n < (total-hot)*record.QueueUnitBytes || n > limit {
		t.Errorf("%d bytes are held, the bound is %d", n, limit)
	}
	expect(t, q, 0, total, 0)
	release()
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	for range 16 {
		flush(t, s)
	}
	if n := s.BufferedBytes(); n > hot*record.QueueUnitBytes {
		t.Errorf("%d bytes are still held", n)
	}
	expect(t, q, 0, total, 0)
	put(t, q, total, total+hot)
	expect(t, q, total-hot, total+hot, 0)
	flush(t, s)
	expect(t, open(t, d, func(o *queue.Options) { o.FileBytes = 1 << 16 }).Lookup([]byte("t"), 0), 0, total+hot, 0)
}

// TestPressingQueuesAreWritten: a queue that is half full says so, and what is written then need not be by the writer.
func TestPressingQueuesAreWritten(t *testing.T) {
	s := open(t, disk.NewMemory(), func(o *queue.Options) { o.HotEntries, o.BufferBytes = 64, 256*20 })
	q := s.Queue("t", 0)
	for at := int64(0); at < 10_000; at++ {
		put(t, q, at, at+1)
		select {
		case <-s.Wake():
			if err := s.WritePressing(); err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	if n := s.Stalls(); n != 0 {
		t.Errorf("the writer wrote files %d times", n)
	}
	if n := s.BufferedBytes(); n > 64*20 {
		t.Errorf("%d bytes are held by a queue that is written in time", n)
	}
	expect(t, q, 0, 10_000, 0)
}
