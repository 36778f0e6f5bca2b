package queue_test

import (
	"math/rand"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
)

// TestVeryManyBusyQueues: entries that come evenly to more queues than there is memory for long rings of are written many at a time, not by the
// writer, and memory stays as it is.
func TestVeryManyBusyQueues(t *testing.T) {
	const queues, limit = 200, 200 * 32 * 20
	s := open(t, disk.NewMemory(), func(o *queue.Options) { o.HotEntries, o.BufferBytes, o.FileBytes = 2048, limit, 1<<16 })
	rng := rand.New(rand.NewSource(1))
	next, flushes, most := [queues]int64{}, 0, int64(0)
	for range queues * 1000 {
		id := rng.Intn(queues)
		put(t, s.Queue("t", int32(id)), next[id], next[id]+1)
		next[id]++
		select {
		case <-s.Wake():
			if err := s.WritePressing(); err != nil {
				t.Fatal(err)
			}
			flushes++
		default:
		}
		most = max(most, s.BufferedBytes())
	}
	if n := s.Stalls(); n != 0 {
		t.Errorf("the writer wrote files %d times", n)
	}
	if most > limit*7/10 {
		t.Errorf("%d bytes were held, the bound is %d", most, limit)
	}
	if least, high := 50, 200; flushes < least || flushes > high { // 1,000 entries each, at about 8 a time
		t.Errorf("%d flushes", flushes)
	}
	for id, n := range next {
		expect(t, s.Queue("t", int32(id)), 0, n, 0)
	}
}

// TestIdleQueuesGiveWay: where others do not use theirs, a busy queue gets a long ring for its readers all the same.
func TestIdleQueuesGiveWay(t *testing.T) {
	const limit, hot = 64 << 10, 256
	s := open(t, disk.NewMemory(), func(o *queue.Options) { o.HotEntries, o.BufferBytes, o.FileBytes = hot, limit, 1<<16 })
	for id := range int32(200) {
		put(t, s.Queue("idle", id), 0, 8)
	}
	flush(t, s)
	q := s.Queue("busy", 0)
	for at := int64(0); at < 4*hot; at++ {
		put(t, q, at, at+1)
		if at%10 == 9 {
			flush(t, s)
		}
	}
	if _, ok := q.ReadHot(3*hot+1, nil); !ok {
		t.Error("a busy queue has no long ring beside idle ones")
	}
	if held := s.BufferedBytes(); held > limit {
		t.Errorf("%d bytes are held", held)
	}
}
