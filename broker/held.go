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

	// the loop's own
	next, prev *heldPull // of the connection
	linked     bool
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
	return int(unsafe.Sizeof(heldPull{})) + len(h.ConsumerGroup) + 2*len(h.Topic) + 4*len(codes)
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

func (p *heldPull) wants(tagsCode int64) bool {
	if p.hold.atGap {
		return false
	}
	if !p.answer.filters {
		return true
	}
	f := tagFilter{codes: p.codes}
	return f.wanted(tagsCode)
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
	if len(l.freeHelds) >= maxFreeHeld || cap(p.memory)+4*cap(p.codes) > maxFreeHeldBytes {
		return
	}
	*p = heldPull{memory: p.memory[:0], codes: p.codes[:0]}
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
	work []*heldPull
}

// turnAnswerBytes of answers are made in a turn of the loop for pulls that waited: what they hold is only counted at its end.
const turnAnswerBytes = 1 << 20

// again has the loop run pulls that are not in the table any more. Any goroutine.
func (l *loopState) again(p ...*heldPull) {
	l.ready.mu.Lock()
	l.ready.list = append(l.ready.list, p...)
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
		if l.built >= turnAnswerBytes {
			l.again(r.work[i:]...)
			break
		}
		l.run(p, holdFor{})
	}
	clear(r.work)
}

// run runs a pull that has waited. On the loop.
func (l *loopState) run(p *heldPull, hold holdFor) {
	p.c.State().(*connState).unlink(p)
	if !p.c.IsClosed() {
		l.runAgain(p.c, &p.header, p.codes, &p.answer, hold)
	}
	l.freeHeld(p)
}
