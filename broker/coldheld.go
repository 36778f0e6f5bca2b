package broker

import (
	"sync"
	"time"

	"ringmq/broker/member"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

const (
	coldHoldTime = 3 * time.Second
	maxColdHeld  = 10_000
	coldRefusal  = "This consumer group is reading cold data. It has been flow control"
)

// coldHeld are pulls of cold data that are kept back because their group has read enough of it for now. They are in no other table. Any
// goroutine.
type coldHeld struct {
	mu   sync.Mutex
	list []*heldPull // the first to end first
}

// keepBack answers, or holds, a pull of cold data whose group has to wait; false: it may be read, perhaps a single message of it. The header
// and the filter are the loop's. On the loop.
func (b *Broker) keepBack(c *netpoll.Conn, l *loopState, a *pullAnswer) bool {
	h := &l.pull
	if b.closing.Load() || !b.coldControl.limited(string(h.ConsumerGroup)) {
		return false
	}
	if g := b.members.Group(h.ConsumerGroup); g != nil && g.ConsumeType != member.ConsumeActively {
		if g.ConsumeType != member.ConsumePassively {
			return false
		}
		// Its client comes again by itself.
		b.failPull(c, h, a, nil, remoting.RespSystemBusy, coldRefusal)
		return true
	}
	if a.keptBack {
		h.MaxMsgNums = 1
		return false
	}
	b.coldHeld.add(b, c, l, a)
	return true
}

// add holds a pull. On its loop.
func (ch *coldHeld) add(b *Broker, c *netpoll.Conn, l *loopState, a *pullAnswer) {
	p := l.newHeld(c, &l.pull, a, l.tags.codes)
	p.answer.keptBack = true
	p.until = l.now() + coldHoldTime
	state := c.State().(*connState)
	ch.mu.Lock()
	room := len(ch.list) < maxColdHeld && state.helds < maxHeldPerConn && b.holds.bytes.Take(p.bytes)
	if room {
		ch.list = append(ch.list, p)
	}
	ch.mu.Unlock()
	if !room {
		b.failPull(c, &l.pull, a, nil, busy.Code, busy.Remark)
		l.freeHeld(p)
		return
	}
	state.link(p)
}

// release has those run that have waited long enough by now.
func (ch *coldHeld) release(b *Broker, now time.Duration) {
	ch.mu.Lock()
	n := 0
	for n < len(ch.list) && ch.list[n].until <= now {
		n++
	}
	over := append([]*heldPull(nil), ch.list[:n]...)
	ch.list = append(ch.list[:0], ch.list[n:]...)
	ch.mu.Unlock()
	for _, p := range over {
		b.holds.bytes.Give(p.bytes)
		b.loop(p.c.Loop()).again(p)
	}
}
