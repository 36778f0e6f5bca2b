package store

import (
	"fmt"
	"sync"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestCounters: every queue has one counter while its topic lives, whoever looks for it beside a growing table and
// deletions, and a dead one is never found again.
func TestCounters(t *testing.T) {
	var c counters
	c.init()
	const topics, queues = 200, 8
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range topics * queues {
				topic := []byte(fmt.Sprint("topic", (i/queues+w*50)%topics))
				n := c.get(topic, int32(i%queues))
				for n.dead.Load() {
					n = c.get(topic, int32(i%queues))
				}
				n.next.Add(1)
			}
		})
	}
	wg.Go(func() {
		for i := range 50 {
			topic := fmt.Sprint("gone", i)
			n := c.get([]byte(topic), 1)
			c.kill(topic)
			if !n.dead.Load() || c.get([]byte(topic), 1) == n {
				t.Error("a counter outlived its topic")
			}
			if now := c.get([]byte(topic), 1); !now.dead.Load() {
				t.Error("a topic that is being deleted has a counter")
			}
			c.kill(topic)
			c.release(topic, nil)
			c.release(topic, nil)
		}
	})
	wg.Wait()
	if c.count != topics*queues || len(c.dying) != 0 {
		t.Errorf("%d counters", c.count)
	}
	if sum := c.total(); sum.messages != 4*topics*queues {
		t.Errorf("%d messages were counted", sum.messages)
	}
	c.each(func(e *counterNode) {
		if e.n.next.Load() != 4 || c.find([]byte(e.key.topic), e.key.id) != e.n {
			t.Errorf("%v: %d", e.key, e.n.next.Load())
		}
	})
}

// TestPutStats: what was stored is counted once, queued or not, in topics that are there and that were deleted.
func TestPutStats(t *testing.T) {
	o := roundOptions()
	s := mustOpen(t, o)
	bytes := int64(0)
	for i := range 12 {
		m := message(fmt.Sprint("T", i%2), 0, "b")
		if i < 2 {
			m.SysFlag = record.SysFlagPrepared
		}
		bytes += int64(mustAppend(t, s, m).Size)
	}
	places, err := s.AppendBatch(message("T0", 1, ""), batchOf(5, "b"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range places {
		bytes += int64(p.Size)
	}
	for range 2 {
		if st := s.Stats(); st.PutMessages != 17 || st.PutBytes != bytes {
			t.Errorf("%d messages of %d bytes, want 17 of %d", st.PutMessages, st.PutBytes, bytes)
		}
		if err := s.DeleteTopic("T0"); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	o.FS = disk.NewMemory()
	s = mustOpen(t, o)
	defer closeStore(t, s)
	if st := s.Stats(); st.PutMessages != 0 || st.PutBytes != 0 {
		t.Errorf("a store just opened has taken %d messages", st.PutMessages)
	}
}
