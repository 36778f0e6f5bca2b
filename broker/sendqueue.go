package broker

import (
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// sendQueue are a connection's sends that wait: the first for its topic, those behind it for their turn, so that sends of one
// connection are stored in their order. Other requests of the connection go on. Its loop's own.
type sendQueue struct {
	list   []waitingSend
	bytes  int  // of the clones in list, taken from Broker.pending
	held   bool // the connection is held, because there is no room for its next send
	urgent bool // the connection has ended: what waits is stored without its answer
}

// waitingSend is one of them, with Broker.uptime of when it came.
type waitingSend struct {
	req  *remoting.Command
	came time.Duration
}

// Bounds of a queue; beyond them the connection is not read from.
const (
	maxWaitingSends     = 256
	maxWaitingSendBytes = 1 << 20
)

// send serves 10, 310 and 320.
func (b *Broker) send(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	state := c.State().(*connState)
	q := &state.sends
	l := b.loop(c.Loop())
	l.came, l.user = l.now(), &state.use
	if l.slowsSend(&state.use) {
		return netpoll.Hold
	}
	if len(q.list) == 0 {
		switch b.trySend(c, req) {
		case sendDone:
			state.use.tookSend()
			return netpoll.Done
		case sendNoRoom:
			b.room(c, c.Resume)
			return netpoll.Hold
		}
	}
	bytes := netpoll.CloneBytes(req)
	if len(q.list) >= maxWaitingSends || len(q.list) > 0 && q.bytes+bytes > maxWaitingSendBytes || !b.pending.Take(bytes) {
		q.held = true // until what it waits for, its topic or the sends before it, has come
		return netpoll.Hold
	}
	state.use.tookSend()
	if len(q.list) > 0 {
		b.prepare(req)
	}
	q.list = append(q.list, waitingSend{req.Clone(), l.came})
	q.bytes += bytes
	return netpoll.Done
}

// prepare makes the topic of a send that waits for others, so that topics that are made one after the other are written and
// registered together.
func (b *Broker) prepare(req *remoting.Command) {
	h, err := req.Send()
	if err != nil {
		return
	}
	if code, _ := admit(h); code != remoting.RespSuccess || b.closing.Load() {
		return
	}
	if _, ok := b.topics.Get(h.Topic); ok {
		return
	}
	if made, allowed := b.template(h); allowed {
		b.settle(made, func(error) {})
	}
}

// drain goes on with the sends that wait. On the connection's loop.
func (b *Broker) drain(c *netpoll.Conn) {
	state, l := c.State().(*connState), b.loop(c.Loop())
	q := &state.sends
	l.user = &state.use
	for len(q.list) > 0 {
		l.came = q.list[0].came
		switch v := b.trySend(c, q.list[0].req); {
		case v == sendDone:
			b.popSend(q)
		case q.urgent:
			// Nobody comes back to these: they were not acknowledged, and nobody waits for an answer.
			for len(q.list) > 0 {
				b.popSend(q)
			}
		case v == sendNoRoom:
			b.room(c, func() { b.drainSoon(c) })
			return
		default:
			return // the topic calls
		}
	}
	q.list = nil
	if q.held {
		q.held = false
		c.Resume()
	}
}

// room has fn called once when there may be room again for a send that found none: in the log, or among the answers that wait for it. On
// the connection's loop.
func (b *Broker) room(c *netpoll.Conn, fn func()) {
	if p := &b.loop(c.Loop()).parked; p.full() {
		p.waiting = append(p.waiting, fn)
		return
	}
	b.store.Room(fn)
}

// popSend forgets the first of the sends that wait.
func (b *Broker) popSend(q *sendQueue) {
	bytes := netpoll.CloneBytes(q.list[0].req)
	q.bytes -= bytes
	b.pending.Give(bytes)
	q.list[0] = waitingSend{}
	q.list = q.list[1:]
}

// drainSoon is drain for any goroutine.
func (b *Broker) drainSoon(c *netpoll.Conn) { _ = c.Do(func() { b.drain(c) }) }
