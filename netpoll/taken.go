package netpoll

import (
	"time"

	"golang.org/x/sys/unix"
)

// awaited is who waits until the socket has taken what was put out.
type awaited struct {
	upTo  int64 // in bytes of Conn.put
	since time.Time
	limit time.Duration
	fn    func(took time.Duration, all bool)
}

// WhenTaken has fn called once, on the loop, when the connection's socket has taken all that was put out so far, with how long that took
// from now on. all is false when the connection ended before, or so much time as limit has passed. What the socket does not take at once is
// looked at every ten milliseconds: it is for answers that somebody wants to know about, not for all. fn waits for nobody and does not come
// back here.
func (c *Conn) WhenTaken(limit time.Duration, fn func(took time.Duration, all bool)) {
	if c.closed.Load() {
		fn(0, false)
		return
	}
	c.awaits = append(c.awaits, awaited{c.put + int64(len(c.out)), c.s.o.Clock(), limit, fn})
	if !c.dirty {
		c.tellTaken() // no write comes that would
	}
}

// tellTaken tells those that wait as far as the socket has come.
func (c *Conn) tellTaken() {
	if len(c.awaits) == 0 {
		return
	}
	closed, taken := c.closed.Load(), c.put
	if !closed {
		taken -= int64(c.gc.OutboundBuffered())
	}
	now := c.s.o.Clock()
	left := c.awaits[:0]
	for _, a := range c.awaits {
		switch took := now.Sub(a.since); {
		case !closed && taken >= a.upTo:
			a.fn(took, true)
		case closed || took >= a.limit:
			a.fn(took, false)
		default:
			left = append(left, a)
		}
	}
	clear(c.awaits[len(left):])
	c.awaits = left
	switch _, looked := c.loop.awaited[c]; {
	case len(left) > 0 && !looked:
		c.loop.awaited[c] = struct{}{}
		c.s.look()
	case len(left) == 0 && looked:
		delete(c.loop.awaited, c)
		c.s.strained.Add(-1)
	}
}

// RoundTrip is how long the way to the peer and back takes, as the kernel has measured it lately; 0 where it is not known.
func (c *Conn) RoundTrip() time.Duration {
	if c.closed.Load() {
		return 0
	}
	info, err := unix.GetsockoptTCPInfo(c.gc.Fd(), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0
	}
	return time.Duration(info.Rtt) * time.Microsecond
}
