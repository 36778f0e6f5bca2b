package netpoll

import "time"

const (
	// closeFactor times the bound, a peer that does not read is closed.
	closeFactor = 4
	// smallBytes is what every connection may hold, however short memory is: a full read, in either direction.
	smallBytes = readBufferBytes
	// turnTimeout is how long one connection may go on above the budget to complete its frame.
	turnTimeout = 10 * time.Second
)

// count keeps the sums over all connections. 0 <= inHeld, outHeld; Server.heldIn and heldOut are their sums.
func (c *Conn) count(in, out int64) {
	if in != c.inHeld {
		c.s.heldIn.Add(in - c.inHeld)
		c.inHeld = in
	}
	if out != c.outHeld {
		c.s.heldOut.Add(out - c.outHeld)
		c.outHeld = out
		c.unsent.Store(out)
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
	case in <= smallBytes && out <= smallBytes:
		c.endTurn()
	case out > closeFactor*bound:
		c.s.o.Logger.Warn("connection closed, its peer does not read", "remote", c.remote, "unread", out)
		c.hangUp()
	case out > bound:
		if c.paused&slowReader == 0 {
			c.pause(slowReader)
		}
	case c.paused == 0 && c.s.overBudget() && !c.takeTurn(in):
		c.pause(overBudget)
	}
}

func (s *Server) overBudget() bool { return s.heldIn.Load()+s.heldOut.Load() > s.o.TotalBytes }

// easedBudget has some distance from overBudget, so that connections do not flap.
func (s *Server) easedBudget() bool { return s.heldIn.Load()+s.heldOut.Load() <= s.o.TotalBytes/4*3 }

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
	if c.s.easedBudget() || in <= smallBytes && out <= smallBytes || c.paused == overBudget && c.takeTurn(in) {
		over |= overBudget
	}
	c.resume(over)
}

// progress notes whether the peer takes what it is sent.
func (c *Conn) progress(now time.Time) {
	out := int64(c.gc.OutboundBuffered())
	if taken := c.put - out; taken != c.taken || out == 0 {
		c.taken, c.lastTaken = taken, now
	}
}
