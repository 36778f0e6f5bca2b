package store

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// counter holds the next queue offset of one queue. next and bytes are written only under the append lock (between the log's
// Reserve and Publish), so offsets are handed out in the order of the log, without a gap.
type counter struct {
	next  atomic.Int64
	bytes atomic.Int64 // of the records stored since the store was opened
	begin atomic.Int64 // next when the store was opened
	// dead is set when the topic has been deleted: who took the counter before must fetch the new one.
	dead atomic.Bool
}

// advance counts messages of one record or batch, of size bytes. The append lock is held.
func (n *counter) advance(next, size int64) {
	n.next.Store(next)
	n.bytes.Store(n.bytes.Load() + size)
}

type queueKey struct {
	topic string
	id    int32
}

// counters is the queue offset table. Finding takes no lock, since every message does it; changes take mu. Lock order: this
// table before the append lock.
type counters struct {
	seed  maphash.Seed
	table atomic.Pointer[[]counterChain] // a power of two long; replaced when it gets too short

	mu      sync.Mutex
	count   int
	retired []*counter     // dead ones that may just be written for the last time
	past    stored         // of those before
	dying   map[string]int // topics that are being deleted, how often at once
	closed  *counter       // dead; what those topics get
}

// counterChain is the newest of the counters that share a place.
type counterChain = atomic.Pointer[counterNode]

type counterNode struct {
	key    queueKey
	n      *counter
	behind counterChain
}

// stored is what has been put into the log since the store was opened.
type stored struct{ messages, bytes int64 }

const firstCounters = 64

func (c *counters) init() {
	c.seed = maphash.MakeSeed()
	c.dying, c.closed = map[string]int{}, &counter{}
	c.closed.dead.Store(true)
	table := make([]counterChain, firstCounters)
	c.table.Store(&table)
}

func (c *counters) place(table []counterChain, topic []byte, id int32) *counterChain {
	h := maphash.Bytes(c.seed, topic) + uint64(uint32(id))*0x9E3779B97F4A7C15
	return &table[(h^h>>32)&uint64(len(table)-1)]
}

// get finds the counter of a queue, or makes it, beginning at 0; one that is dead while the topic is being deleted. Finding does
// not allocate.
func (c *counters) get(topic []byte, id int32) *counter {
	if n := c.find(topic, id); n != nil {
		return n
	}
	return c.make(topic, id)
}

func (c *counters) find(topic []byte, id int32) *counter {
	for e := c.place(*c.table.Load(), topic, id).Load(); e != nil; e = e.behind.Load() {
		if e.key.id == id && e.key.topic == string(topic) {
			return e.n
		}
	}
	return nil
}

func (c *counters) make(topic []byte, id int32) *counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.find(topic, id); n != nil {
		return n
	}
	if c.dying[string(topic)] > 0 {
		return c.closed
	}
	if c.count >= len(*c.table.Load()) {
		c.lengthen()
	}
	c.count++
	n := &counter{}
	c.enter(*c.table.Load(), queueKey{string(topic), id}, n)
	return n
}

func (c *counters) enter(table []counterChain, key queueKey, n *counter) {
	first := c.place(table, []byte(key.topic), key.id)
	e := &counterNode{key: key, n: n}
	e.behind.Store(first.Load())
	first.Store(e)
}

// lengthen makes a table of twice the length. Whoever still looks into the old one finds what was there. mu is held.
func (c *counters) lengthen() {
	table := make([]counterChain, 2*len(*c.table.Load()))
	c.each(func(e *counterNode) { c.enter(table, e.key, e.n) })
	c.table.Store(&table)
}

func (c *counters) each(fn func(e *counterNode)) {
	table := *c.table.Load()
	for i := range table {
		for e := table[i].Load(); e != nil; e = e.behind.Load() {
			fn(e)
		}
	}
}

// set says where a queue goes on, before the first message; of several answers the highest holds: no offset is given twice.
func (c *counters) set(topic string, id int32, next int64) {
	n := c.get([]byte(topic), id)
	next = max(next, n.next.Load())
	n.next.Store(next)
	n.begin.Store(next)
}

// restart lets a queue that begins anew go on at 0. While no messages are taken.
func (c *counters) restart(topic string, id int32) {
	n := c.get([]byte(topic), id)
	n.next.Store(0)
	n.begin.Store(0)
}

// kill retires the counters of a topic and returns them. The topic has none until release.
func (c *counters) kill(topic string) (killed []*counterNode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dying[topic]++
	for _, n := range c.retired { // nobody has the append lock since those died
		c.past.add(n)
	}
	c.retired = c.retired[:0]
	table := *c.table.Load()
	for i := range table {
		for at := &table[i]; at.Load() != nil; {
			e := at.Load()
			if e.key.topic != topic {
				at = &e.behind
				continue
			}
			e.n.dead.Store(true)
			at.Store(e.behind.Load())
			c.retired = append(c.retired, e.n)
			killed = append(killed, e)
			c.count--
		}
	}
	return killed
}

// release lets a topic have counters again: new ones, or, where it was not deleted after all, such as go on from those that kill
// returned. Nobody has the append lock since then.
func (c *counters) release(topic string, back []*counterNode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range back {
		if c.find([]byte(topic), e.key.id) != nil {
			continue // another deletion failed too
		}
		n := &counter{}
		n.next.Store(e.n.next.Load())
		n.begin.Store(e.n.next.Load())
		c.count++
		c.enter(*c.table.Load(), e.key, n)
	}
	if c.dying[topic]--; c.dying[topic] == 0 {
		delete(c.dying, topic)
	}
}

func (s *stored) add(n *counter) {
	s.messages += n.next.Load() - n.begin.Load()
	s.bytes += n.bytes.Load()
}

// total is what all queues took since the store was opened.
func (c *counters) total() stored {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := c.past
	for _, n := range c.retired {
		sum.add(n)
	}
	c.each(func(e *counterNode) { sum.add(e.n) })
	return sum
}
