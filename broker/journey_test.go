package broker

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestEveryMessageComesOnceInItsOrder has producers with many sends in flight and consumers that hold pulls on every queue. Nobody looks after
// held pulls: a consumer that was not woken by what came would wait for longer than the test.
func TestEveryMessageComesOnceInItsOrder(t *testing.T) {
	for _, flush := range []string{"ASYNC_FLUSH", "SYNC_FLUSH"} {
		t.Run(flush, func(t *testing.T) { journey(t, "flushDiskType="+flush) })
	}
}

// journey is all of them, with a broker of these settings.
func journey(t *testing.T, settings ...string) {
	const queues, perQueue, inFlight = 4, 2000, 16
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.holdsEvery = 1 << 30 }, settings...)
	first := r.dial()
	want(t, first.call(sendTo("Journey", 0, "", "0")), 0, "")
	var all sync.WaitGroup
	for q := range queues {
		c := r.dial()
		all.Go(func() { consume(t, c, q, perQueue) })
		p := r.wire()
		all.Go(func() { produce(p, q, perQueue, inFlight) })
	}
	all.Wait()
	r.heldNow(0)
}

// produce sends the numbers of a queue, some at once and some alone, so that consumers are caught waiting and busy.
func produce(w *wire, queue, count, inFlight int) {
	next := 0
	if queue == 0 {
		next = 1 // sent already
	}
	for next < count {
		n := min(1+next%inFlight, count-next)
		var frames []byte
		for i := range n {
			frames = append(frames, encodedAs(int32(next+i), sendTo("Journey", queue, "", strconv.Itoa(next+i)))...)
		}
		w.exchange(frames, n)
		next += n
	}
}

func consume(t *testing.T, c *client, queue, count int) {
	offset := int64(0)
	for offset < int64(count) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		a, err := c.Call(ctx, pullOf("G"+strconv.Itoa(queue), "Journey", queue, offset, "*", 10*time.Minute))
		cancel()
		if err != nil || a.Code != remoting.RespSuccess {
			t.Errorf("queue %d at %d: %v %v", queue, offset, a, err)
			return
		}
		for _, body := range bodies(t, a) {
			if body != fmt.Sprint(offset) {
				t.Errorf("queue %d: %s at %d", queue, body, offset)
				return
			}
			offset++
		}
	}
}
