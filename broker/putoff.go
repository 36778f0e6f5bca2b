package broker

import (
	"slices"

	"ringmq/netpoll"
)

// While the answers that peers leave unread take all the memory they may, pulls with something to answer are put off: they wait as
// held ones do, in a list of their loop's, and are run when there is memory. The rest of their connection goes on.

// putOffPulls wait for memory. The newest is run first: when not all can be, it is the one whose client still waits. Its loop's own.
type putOffPulls struct {
	known   []*heldPull // of peers that are known to read: they come first, and have memory of their own
	unknown []*heldPull
}

// putOff has a pull wait for memory, unless it needs none. The header and the filter are the loop's. On the loop.
func (b *Broker) putOff(c *netpoll.Conn, l *loopState, a *pullAnswer, hold holdFor) bool {
	h := &l.pull
	if a.oneway || b.store.MaxOffset(h.Topic, h.QueueID) <= h.QueueOffset {
		return false
	}
	p := l.newHeld(c, h, a, l.tags.codes)
	state := c.State().(*connState)
	if state.helds >= maxHeldPerConn || !b.holds.bytes.Take(p.bytes) {
		b.failPull(c, h, a, nil, busy.Code, busy.Remark)
		l.freeHeld(p)
		return true
	}
	p.hold = hold
	state.link(p)
	list := &l.putOff.unknown
	if c.Reads() {
		list = &l.putOff.known
	}
	*list = append(*list, p)
	b.net.AwaitMemory(l.index)
	return true
}

// runPutOff runs as many of the pulls that were put off as there is memory for. On the loop.
func (l *loopState) runPutOff() {
	for _, list := range []*[]*heldPull{&l.putOff.known, &l.putOff.unknown} {
		for n := len(*list); n > 0; n = len(*list) {
			p := (*list)[n-1]
			if !p.c.IsClosed() {
				if p.c.Spent() {
					l.b.net.AwaitMemory(l.index)
					break
				}
				if l.built >= turnAnswerBytes {
					l.b.net.Wake(l.index)
					return
				}
			}
			*list = slices.Delete(*list, n-1, n)
			l.b.holds.bytes.Give(p.bytes)
			l.run(p, p.hold)
		}
	}
}
