package broker

import (
	"time"

	"ringmq/broker/quota"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// A client over its quota is slowed, where clientQuotaAction says so. Nothing of it is refused and nothing lost: its sends are not taken, so
// that its connection is not read from for the time that it owes, a second at most, and then the same send is offered again; what it goes on
// writing stays in its socket. Its pulls wait as held ones do, and the rest of their connection goes on. Connections of other clients
// notice nothing.

// slowsSend says whether a send has to wait, and sees to it that it is offered again. A send that waits keeps no place: others of its client
// may come before it each time. One that has waited as long as anybody may is therefore taken, and its client owes it. On the loop; whoever
// is done with the send says so by tookSend.
func (l *loopState) slowsSend(u *usage) bool {
	q := &l.b.inForce.get().quotas
	if !q.SlowsSends() {
		return false
	}
	now := l.now()
	wait := l.clientOf(u).SendWait(q, now)
	if wait <= 0 {
		return false
	}
	if !u.waits {
		u.waits, u.since = true, now
		l.b.quotaWaits.sends.Add(1)
	}
	left := u.since + quota.MaxDebt - now
	if left <= 0 {
		return false
	}
	l.offerLater(u, min(wait, left))
	return true
}

// tookSend says that the send at hand waits for its client no longer. On the loop.
func (u *usage) tookSend() { u.waits = false }

// offerLater has a connection on hold go on after a time. On its loop.
func (l *loopState) offerLater(u *usage, wait time.Duration) {
	if u.slowed {
		return // somebody else had it go on before; its timer is still to come
	}
	u.slowed = true
	l.b.after(wait, func() {
		_ = u.c.Do(func() {
			u.slowed = false
			u.c.Resume()
		})
	})
}

// slowedPulls are those of a connection that wait for its client's time, in the order in which they came. They are in no other table. Its
// loop's own.
type slowedPulls struct {
	list  []*heldPull
	timed bool // a timer has them looked at
	again bool // the pull that comes next was offered before, and is not among them for want of room
}

const (
	maxSlowedPulls = 1024 // of a connection; beyond them it is not read from
	// maxSlowedTime is how long a pull waits. Then it is answered with nothing and asked again: clients do not wait for ever.
	maxSlowedTime = 10 * time.Second
)

// slowsPull has a pull wait if its client has had more than its share: then the verdict counts. The header and the filter are the loop's. On
// the loop.
func (b *Broker) slowsPull(c *netpoll.Conn, l *loopState, a *pullAnswer, hold holdFor) (v netpoll.Verdict, slowed bool) {
	state := c.State().(*connState)
	q := &b.inForce.get().quotas
	if len(state.slowed.list) == 0 && !q.SlowsPulls() {
		return netpoll.Done, false
	}
	wait := l.clientOf(&state.use).PullWait(q, l.now())
	if wait == 0 && len(state.slowed.list) == 0 {
		return netpoll.Done, false
	}
	p := l.newHeld(c, &l.pull, a, l.tags.codes)
	if len(state.slowed.list) >= maxSlowedPulls || state.helds >= maxHeldPerConn || !b.holds.bytes.Take(p.bytes) {
		l.freeHeld(p)
		l.offerLater(&state.use, max(wait, shortestSlow))
		state.slowed.again = true
		return netpoll.Hold, true
	}
	b.quotaWaits.pulls.Add(1)
	p.hold = hold
	state.link(p)
	state.slowed.list = append(state.slowed.list, p)
	b.runSlowedAfter(c, wait)
	return netpoll.Done, true
}

// shortestSlow is how long a connection waits whose client owes nothing any more, but whose pulls before still do.
const shortestSlow = 10 * time.Millisecond

// runSlowedAfter has the slowed pulls of a connection looked at after a time, if nothing else does. On its loop.
func (b *Broker) runSlowedAfter(c *netpoll.Conn, wait time.Duration) {
	s := &c.State().(*connState).slowed
	if s.timed {
		return
	}
	s.timed = true
	b.after(wait, func() { _ = c.Do(func() { b.runSlowed(c) }) })
}

// runSlowed runs the slowed pulls of a connection that may go on. On its loop.
func (b *Broker) runSlowed(c *netpoll.Conn) {
	l, state := b.loop(c.Loop()), c.State().(*connState)
	s := &state.slowed
	s.timed = false
	for len(s.list) > 0 {
		q := &b.inForce.get().quotas
		wait := time.Duration(0)
		if !b.closing.Load() {
			wait = l.clientOf(&state.use).PullWait(q, l.now())
		}
		p := s.list[0]
		late := l.now()-p.answer.came >= maxSlowedTime
		if wait > 0 && !late || l.built >= turnAnswerBytes {
			b.runSlowedAfter(c, max(wait, shortestSlow))
			return
		}
		s.list[0] = nil
		s.list = s.list[1:]
		b.holds.bytes.Give(p.bytes)
		if wait == 0 {
			hold := p.hold
			if b.closing.Load() {
				hold = holdFor{} // what was held has been answered
			}
			l.run(p, hold)
			continue
		}
		state.unlink(p)
		b.sendEmpty(c, p)
		l.freeHeld(p)
	}
	s.list = nil
}

// sendEmpty answers a pull in such a way that its client asks the same again at once.
func (b *Broker) sendEmpty(c *netpoll.Conn, p *heldPull) {
	h := &p.header
	f := store.Found{NextOffset: h.QueueOffset, Min: b.store.MinOffset(h.Topic, h.QueueID), Max: b.store.MaxOffset(h.Topic, h.QueueID), Looked: true}
	b.answerPull(c, h, &p.answer, nil, &f, remoting.RespPullRetryImmediately, "the client is over its quota")
}

// forgetSlowed forgets the slowed pulls of a connection that has ended. On its loop.
func (b *Broker) forgetSlowed(c *netpoll.Conn) {
	l, state := b.loop(c.Loop()), c.State().(*connState)
	for _, p := range state.slowed.list {
		state.unlink(p)
		b.holds.bytes.Give(p.bytes)
		l.freeHeld(p)
	}
	state.slowed.list = nil
}
