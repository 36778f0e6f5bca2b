package netpoll

import "time"

const (
	// closeFactor times the bound, a peer that does not read is closed.
	closeFactor = 4
	// smallBytes is what every connection may hold of what it read, however short memory is: a full read.
	smallBytes = readBufferBytes
	// smallAnswers is what its peer may leave unread, however short memory is.
	smallAnswers = 4 << 10
	// shortTimeout is the default of Options.ShortTimeout.
	shortTimeout = 10 * time.Second
	// recountInterval is how often a loop that waits for memory looks what its connections hold: gnet does not tell what has left.
	recountInterval = 100 * time.Millisecond
)

// count keeps the sums over all connections. 0 <= inHeld, outHeld; Server.heldIn and heldOut are their sums.
func (c *Conn) count(in, out int64) {
	if c.inHeld == 0 && c.outHeld == 0 && (in > 0 || out > 0) {
		c.loop.quiet.end()
	}
	if c.outHeld == 0 && out > 0 { // no sweep may have come by while it held nothing
		now := c.s.o.Clock()
		c.lastTaken, c.lastBrisk = now, now
	}
	if in != c.inHeld {
		c.s.heldIn.Add(in - c.inHeld)
		c.inHeld = in
	}
	if out != c.outHeld {
		c.s.heldOut.Add(out - c.outHeld)
		c.outHeld = out
		c.unsent.Store(out)
	}
	if out == 0 && c.put >= smallBytes && !c.reads.Load() {
		c.reads.Store(true)
	}
}

// account counts what the connection holds against its own bound and the budget, and pauses it when either is passed.
func (c *Conn) account() {
	if c.closed.Load() {
		return
	}
	in, out := int64(c.gc.InboundBuffered()), int64(c.gc.OutboundBuffered())
	c.count(in, out)
	bound := int64(c.s.o.OutboundBytesPerConn)
	switch {
	case in <= smallBytes && out <= smallAnswers:
		c.endTurn()
	case out > closeFactor*bound:
		c.s.o.Logger.Warn("connection closed, its peer does not read", "remote", c.remote, "unread", out)
		c.hangUp()
	case out > bound:
		if c.paused&slowReader == 0 {
			c.pause(slowReader)
		}
	case c.paused == 0 && out > smallAnswers && c.Spent():
		c.pause(overBudget)
	case c.paused == 0 && in > smallBytes && c.s.overBudget() && !c.takeTurn(in):
		c.pause(overBudget)
	}
}

func (s *Server) held() int64 { return s.heldIn.Load() + s.heldOut.Load() + s.mailed.Load() }

func (s *Server) overBudget() bool { return s.held() > s.o.TotalBytes }

// Spent says that memory is short for answers of more than a few KiB on this connection. That is so from half of the budget on, and
// from three quarters on for a peer that has taken much and owes nothing: it shall not wait for those that do not read. What is left is
// for what producers send. Any goroutine.
func (c *Conn) Spent() bool {
	share := c.s.o.TotalBytes / 2
	if c.reads.Load() && c.unsent.Load() == 0 {
		share = c.s.o.TotalBytes / 4 * 3
	}
	return c.s.held() > share
}

// Reads says that the peer is known to read what it is sent. Any goroutine.
func (c *Conn) Reads() bool { return c.reads.Load() }

// Unsent is how many bytes the peer had not taken when it was last looked at. Any goroutine.
func (c *Conn) Unsent() int64 { return c.unsent.Load() }

// AwaitMemory has Woken called on the loop in a moment, when there may be more memory than now. On that loop.
func (s *Server) AwaitMemory(loop int) {
	l := s.loops[loop]
	if !l.wanting {
		l.wanting = true
		s.look()
	}
}

// recount counts what the loop's connections hold, if something waits for memory, and has it look.
func (l *loop) recount() {
	if !l.wanting {
		return
	}
	if now := l.s.o.Clock(); now.Sub(l.recounted) >= recountInterval {
		l.recounted = now
		for c := range l.conns {
			c.recount()
		}
	}
	l.wanting = false
	l.s.strained.Add(-1)
	l.s.handler.Woken(l.index)
}

func (c *Conn) recount() {
	if c.outHeld > 0 && !c.closed.Load() {
		c.count(int64(c.gc.InboundBuffered()), int64(c.gc.OutboundBuffered()))
	}
}

// eased says that a connection that holds so much is in nobody's way. It has some distance from what account pauses for, so that
// connections do not flap.
func (c *Conn) eased(in, out int64) bool {
	held, total := c.s.held(), c.s.o.TotalBytes
	return (out <= smallAnswers || held <= total/8*3) && (in <= smallBytes || held <= total/4*3)
}

// takeTurn: when the budget is spent on frames of which none is complete, nobody could go on. So one connection at a time may.
func (c *Conn) takeTurn(in int64) bool {
	if in <= smallBytes {
		return false
	}
	if c.s.turn.Load() == c.id {
		return true
	}
	now := c.s.o.Clock()
	if !c.s.turn.CompareAndSwap(0, c.id) {
		return false
	}
	c.turnSince = now
	return true
}

func (c *Conn) endTurn() { c.s.turn.CompareAndSwap(c.id, 0) }

// reconsider looks whether the reasons that go away by themselves are gone.
func (c *Conn) reconsider() {
	if c.polled {
		c.pollOutput()
		if c.closed.Load() {
			return
		}
	}
	in, out := int64(c.gc.InboundBuffered()), int64(c.gc.OutboundBuffered())
	c.count(in, out)
	var over pauseReason
	if out <= int64(c.s.o.OutboundBytesPerConn)/2 {
		over |= slowReader
	}
	if c.eased(in, out) || out <= smallAnswers && c.paused == overBudget && c.takeTurn(in) {
		over |= overBudget
	}
	c.resume(over)
}

// progress notes whether the peer takes what it is sent, and whether it takes much.
func (c *Conn) progress(now time.Time) {
	c.recount()
	out := int64(c.gc.OutboundBuffered())
	taken := c.put - out
	if taken != c.taken || out == 0 {
		c.taken, c.lastTaken = taken, now
	}
	if taken-c.briskTaken >= smallBytes || out <= smallAnswers {
		c.briskTaken, c.lastBrisk = taken, now
	}
}
