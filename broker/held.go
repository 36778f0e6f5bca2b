package broker

import (
	"sync"
	"time"
	"unsafe"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// heldPull is a pull that waits. It is run again exactly once, on its connection's loop, which keeps it for the next one then.
type heldPull struct {
	c      *netpoll.Conn
	header remoting.PullHeader // its bytes are in memory
	memory []byte
	answer pullAnswer
	codes  []int32 // of the tags it wants; with answer.filters
	bytes  int     // taken from holds.bytes while it is in the table
	until  time.Duration
	hold   holdFor

	// under holds.mu
	queue *queueHolds // nil: not in the table
	slot  int         // in queue.list
	place int         // in holds.deadline
	seats []int32     // with those who want the same: of every code, or one with those who want anything

	// the loop's own
	next, prev *heldPull // of the connection
	linked     bool
}

// holdFor says whether a pull may be held, and how long.
type holdFor struct {
	allowed bool
	timeout time.Duration
	atGap   bool  // not for messages to come, but for a damaged one to be healed
	gap     int64 // where in the log
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

// Bounds of what a loop keeps for later pulls.
const (
	maxFreeHeld      = 1024
	maxFreeHeldBytes = 1 << 10
)

// heldBytes is about what a pull takes in memory while it waits.
func heldBytes(h *remoting.PullHeader, codes []int32) int {
	n := int(unsafe.Sizeof(heldPull{})) + len(h.ConsumerGroup) + 2*len(h.Topic) + 4*len(codes)
	if len(codes) <= maxTagsFound {
		n += tagSeatBytes * len(codes)
	}
	return n
}

// copyHeader makes a header that outlives its frame, without the subscription: of that the codes are kept. Its bytes are put into memory, which is returned as it is then.
func copyHeader(h *remoting.PullHeader, memory []byte) (remoting.PullHeader, []byte) {
	own := *h
	own.Subscription, own.ExpressionType = nil, nil
	memory = append(append(memory[:0], h.ConsumerGroup...), h.Topic...)
	rest := memory
	for _, b := range []*[]byte{&own.ConsumerGroup, &own.Topic} {
		n := len(*b)
		*b, rest = rest[:n:n], rest[n:]
	}
	return own, memory
}

// newHeld makes a pull that can wait. On the loop; no allocation when one is free.
func (l *loopState) newHeld(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, codes []int32) *heldPull {
	var p *heldPull
	if n := len(l.freeHelds); n > 0 {
		p = l.freeHelds[n-1]
		l.freeHelds[n-1] = nil
		l.freeHelds = l.freeHelds[:n-1]
	} else {
		p = new(heldPull)
	}
	p.c, p.answer = c, *a
	p.header, p.memory = copyHeader(h, p.memory)
	if a.filters {
		p.codes = append(p.codes, codes...)
	}
	p.bytes = heldBytes(h, p.codes)
	return p
}

// freeHeld keeps a pull that is in no table and no list for the next one. On the loop.
func (l *loopState) freeHeld(p *heldPull) {
	if len(l.freeHelds) >= maxFreeHeld || cap(p.memory)+4*(cap(p.codes)+cap(p.seats)) > maxFreeHeldBytes {
		return
	}
	*p = heldPull{memory: p.memory[:0], codes: p.codes[:0], seats: p.seats[:0]}
	l.freeHelds = append(l.freeHelds, p)
}

// link enters a pull among those of its connection.
func (s *connState) link(p *heldPull) {
	p.linked, p.next, p.prev = true, s.held, nil
	if s.held != nil {
		s.held.prev = p
	}
	s.held = p
	s.helds++
}

// unlink takes a pull out of those of its connection, if it is there.
func (s *connState) unlink(p *heldPull) {
	if !p.linked {
		return
	}
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		s.held = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	}
	p.linked, p.next, p.prev = false, nil, nil
	s.helds--
}

// readyPulls are held pulls that their loop is to run again.
type readyPulls struct {
	mu   sync.Mutex
	list []*heldPull

	// the loop's own
	work []*heldPull // taken from list
	at   int         // in work: the one to be run next
}

// What a turn of the loop does for pulls that waited: others wait for its end, and what answers hold is only counted then.
const (
	turnAnswerBytes = 1 << 20
	turnPulls       = 256
)

// again has the loop run a pull that is not in the table any more. Any goroutine.
func (l *loopState) again(p *heldPull) {
	l.ready.mu.Lock()
	l.ready.list = append(l.ready.list, p)
	l.ready.mu.Unlock()
	l.b.net.Wake(l.index)
}

// take takes what was added to list, once work is done; false: there is nothing to do.
func (r *readyPulls) take() bool {
	if r.at == len(r.work) {
		r.mu.Lock()
		r.list, r.work, r.at = r.work[:0], r.list, 0
		r.mu.Unlock()
	}
	return r.at < len(r.work)
}

// runReady runs the pulls that were woken. They answer whatever they find: a pull is held once. On the loop.
func (l *loopState) runReady() {
	r := &l.ready
	for n := 0; r.take(); n++ {
		if n == turnPulls || l.built >= turnAnswerBytes {
			l.b.net.Wake(l.index)
			return
		}
		p := r.work[r.at]
		r.work[r.at] = nil
		r.at++
		l.run(p, holdFor{})
	}
}

// run runs a pull that has waited. On the loop.
func (l *loopState) run(p *heldPull, hold holdFor) {
	p.c.State().(*connState).unlink(p)
	if !p.c.IsClosed() {
		l.runAgain(p.c, &p.header, p.codes, &p.answer, hold)
	}
	l.freeHeld(p)
}
