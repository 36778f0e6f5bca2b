package broker

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// holds keeps pulls that found nothing until their queue has more, or their time is over. Any goroutine.
type holds struct {
	b     *Broker
	count atomic.Int64
	bytes *netpoll.Budget // of the pulls held
	mu    sync.Mutex
	byKey map[holdKey][]*heldPull
}

type holdKey struct {
	topic string
	queue int32
}

// holdFor says whether a pull may be held, and how long.
type holdFor struct {
	allowed bool
	timeout time.Duration
}

// heldPull is a pull that waits. It is run again exactly once, on its connection's loop.
type heldPull struct {
	key    holdKey
	c      *netpoll.Conn
	header remoting.PullHeader
	answer pullAnswer
	codes  []int32 // of the tags it wants; with answer.filters
	bytes  int     // taken from holds.bytes
	timer  *time.Timer
	gone   bool // taken out of the table; guarded by holds.mu
}

// readyPulls are held pulls that their loop is to run again.
type readyPulls struct {
	mu   sync.Mutex
	list []*heldPull
	work []*heldPull
}

func newHolds(b *Broker) *holds {
	return &holds{b: b, bytes: netpoll.NewBudget(maxHeldBytes), byKey: map[holdKey][]*heldPull{}}
}

// mayHold says whether and how long a pull may be held.
func (b *Broker) mayHold(h *remoting.PullHeader) holdFor {
	if h.SysFlag&remoting.PullSuspend == 0 || b.closing.Load() {
		return holdFor{}
	}
	const longest = 10 * time.Minute
	timeout := time.Duration(min(max(h.SuspendTimeoutMillis, 0), longest.Milliseconds())) * time.Millisecond
	if f := b.inForce.get(); !f.longPolling {
		timeout = f.shortPolling
	}
	return holdFor{allowed: true, timeout: timeout}
}

// Bounds of what is held; a pull beyond them is answered at once, as one that found nothing and may not wait.
const (
	maxHeldPerConn = 1 << 16
	maxHeldBytes   = 64 << 20 // all connections together
)

// heldBytes is about what a pull takes in memory while it waits.
func heldBytes(h *remoting.PullHeader, codes []int32) int {
	return int(unsafe.Sizeof(heldPull{})) + len(h.ConsumerGroup) + 2*len(h.Topic) + len(h.Subscription) + len(h.ExpressionType) + 4*len(codes)
}

// add holds a pull. On the connection's loop.
func (hs *holds) add(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, hold holdFor, codes []int32) {
	state := c.State().(*connState)
	if state.held == nil {
		state.held = map[*heldPull]struct{}{}
	}
	p := &heldPull{key: holdKey{string(h.Topic), h.QueueID}, c: c, header: cloneHeader(h), answer: *a}
	if a.filters {
		p.codes = append(p.codes, codes...)
	}
	p.bytes = heldBytes(h, p.codes)
	if len(state.held) >= maxHeldPerConn || !hs.bytes.Take(p.bytes) {
		hs.b.loop(c.Loop()).again(p)
		return
	}
	state.held[p] = struct{}{}
	hs.mu.Lock()
	hs.byKey[p.key] = append(hs.byKey[p.key], p)
	hs.count.Add(1)
	p.timer = time.AfterFunc(hold.timeout, func() { hs.wake(p) })
	hs.mu.Unlock()
	// What arrived between the read and now has woken nobody.
	if hs.b.store.MaxOffset(p.header.Topic, p.header.QueueID) > p.header.QueueOffset {
		hs.wake(p)
	}
}

// wake takes a pull out of the table and has its loop run it. Once per pull, whoever comes first.
func (hs *holds) wake(p *heldPull) {
	hs.mu.Lock()
	taken := hs.take(p)
	hs.mu.Unlock()
	if taken {
		hs.run(p)
	}
}

// take removes p from the table; false if it is not there any more.
func (hs *holds) take(p *heldPull) bool {
	if p.gone {
		return false
	}
	p.gone = true
	hs.count.Add(-1)
	hs.bytes.Give(p.bytes)
	list := hs.byKey[p.key]
	for i := range list {
		if list[i] == p {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			list = list[:len(list)-1]
			break
		}
	}
	if len(list) == 0 {
		delete(hs.byKey, p.key)
	} else {
		hs.byKey[p.key] = list
	}
	return true
}

func (hs *holds) run(p *heldPull) {
	p.timer.Stop()
	l := hs.b.loop(p.c.Loop())
	l.ready.mu.Lock()
	l.ready.list = append(l.ready.list, p)
	l.ready.mu.Unlock()
	hs.b.net.Wake(l.index)
}

// arrived is told of every visible queue entry, by the dispatcher.
func (hs *holds) arrived(a *store.Arrival) {
	if hs.count.Load() == 0 {
		return
	}
	hs.mu.Lock()
	var woken []*heldPull
	for _, p := range hs.byKey[holdKey{a.Topic, a.QueueID}] {
		if a.QueueOffset+int64(max(a.BatchNum, 1)) > p.header.QueueOffset && p.wants(a.TagsCode) {
			woken = append(woken, p)
		}
	}
	for _, p := range woken {
		hs.take(p)
	}
	hs.mu.Unlock()
	for _, p := range woken {
		hs.run(p)
	}
}

func (p *heldPull) wants(tagsCode int64) bool {
	if !p.answer.filters {
		return true
	}
	f := tagFilter{codes: p.codes}
	return f.wanted(tagsCode)
}

// checkAll runs pulls whose queue has grown by entries they do not want, so that their offset moves on.
func (hs *holds) checkAll() {
	short := !hs.b.inForce.get().longPolling
	hs.wakeIf(func(p *heldPull) bool {
		return short || hs.b.store.MaxOffset(p.header.Topic, p.header.QueueID) > p.header.QueueOffset
	})
}

// answerAll runs every held pull, at shutdown.
func (hs *holds) answerAll() { hs.wakeIf(func(*heldPull) bool { return true }) }

// wakeGroup runs the pulls of a group and topic, whose progress was set anew.
func (hs *holds) wakeGroup(group, topic string) {
	hs.wakeIf(func(p *heldPull) bool { return p.key.topic == topic && string(p.header.ConsumerGroup) == group })
}

// wakeIf runs the pulls that fn picks.
func (hs *holds) wakeIf(fn func(p *heldPull) bool) {
	hs.mu.Lock()
	var all []*heldPull
	for _, list := range hs.byKey {
		for _, p := range list {
			if fn(p) {
				all = append(all, p)
			}
		}
	}
	hs.mu.Unlock()
	for _, p := range all {
		hs.wake(p)
	}
}

// closed forgets the pulls of a connection. On its loop.
func (hs *holds) closed(c *netpoll.Conn) {
	state := c.State().(*connState)
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for p := range state.held {
		if hs.take(p) {
			p.timer.Stop()
		}
	}
	state.held = nil
}

// again queues a pull for the loop itself.
func (l *loopState) again(p *heldPull) {
	l.ready.mu.Lock()
	l.ready.list = append(l.ready.list, p)
	l.ready.mu.Unlock()
	l.b.net.Wake(l.index)
}

// runReady runs the pulls that were woken. They answer whatever they find: a pull is held once. On the loop.
func (l *loopState) runReady() {
	r := &l.ready
	r.mu.Lock()
	r.list, r.work = r.work[:0], r.list
	r.mu.Unlock()
	for i, p := range r.work {
		r.work[i] = nil
		if p.c.IsClosed() {
			continue
		}
		if state, ok := p.c.State().(*connState); ok {
			delete(state.held, p)
		}
		l.pull = p.header
		l.tags.codes = append(l.tags.codes[:0], p.codes...)
		l.b.runPull(p.c, l, &p.answer, holdFor{})
	}
}
