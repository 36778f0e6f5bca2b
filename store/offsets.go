package store

import (
	"sync"
	"sync/atomic"
)

// counter holds the next queue offset of one queue. next is written only under the append lock (between the log's
// Reserve and Publish), so offsets are handed out in the order of the log, without a gap.
type counter struct {
	next atomic.Int64
	// dead is set when the topic has been deleted: who took the counter before must fetch the new one.
	dead atomic.Bool
}

type queueKey struct {
	topic string
	id    int32
}

// counters is the queue offset table. Lock order: this table before the append lock.
type counters struct {
	mu sync.RWMutex
	m  map[queueKey]*counter
}

// get finds the counter of a queue, or makes it, beginning at 0. Finding does not allocate.
func (c *counters) get(topic []byte, id int32) *counter {
	c.mu.RLock()
	n := c.m[queueKey{string(topic), id}]
	c.mu.RUnlock()
	if n != nil {
		return n
	}
	return c.make(topic, id)
}

func (c *counters) make(topic []byte, id int32) *counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := queueKey{string(topic), id}
	n := c.m[key]
	if n == nil {
		n = &counter{}
		c.m[key] = n
	}
	return n
}

func (c *counters) set(topic string, id int32, next int64) {
	n := c.get([]byte(topic), id)
	n.next.Store(next)
}

// kill retires the counters of a topic; the next message of it begins at 0 again.
func (c *counters) kill(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, n := range c.m {
		if key.topic == topic {
			n.dead.Store(true)
			delete(c.m, key)
		}
	}
}
