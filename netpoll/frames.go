package netpoll

import (
	"errors"

	"github.com/panjf2000/gnet/v2"

	"ringmq/netpoll/remoting"
)

// turnBytes of answers are written before the turn ends.
const turnBytes = 1 << 20

// traffic serves what the peer has sent, after a readable event.
func (c *Conn) traffic() gnet.Action {
	c.lastRead = c.s.o.Clock()
	if c.ending {
		_, _ = c.gc.Discard(-1)
		return gnet.None
	}
	if c.paused&(slowReader|overBudget) != 0 {
		c.reconsider()
	}
	if c.paused != 0 {
		c.readBehind()
		c.account()
		return gnet.None
	}
	if !c.serve() {
		return gnet.Close
	}
	c.account()
	return gnet.None
}

// serve hands over whole frames until none is left or the connection is paused. false: the connection must be closed.
func (c *Conn) serve() bool {
	for c.paused == 0 && !c.closed.Load() && !c.ending {
		n := c.gc.InboundBuffered()
		if n < 4 {
			return true
		}
		head, err := c.gc.Peek(4)
		if err != nil {
			return false
		}
		total, _, err := remoting.FrameLength(head)
		if err == nil && total > c.s.o.MaxFrameBytes {
			err = remoting.ErrFrame
		}
		if err != nil {
			c.s.o.Logger.Warn("connection closed", "remote", c.remote, "error", err)
			return false
		}
		if n < total {
			return true
		}
		frame, err := c.gc.Peek(total)
		if err != nil {
			return false
		}
		verdict, ok := c.one(frame)
		if !ok {
			return false
		}
		if verdict == Hold {
			c.pause(held)
			return true
		}
		if _, err := c.gc.Discard(total); err != nil {
			return false
		}
		if len(c.out) > min(c.s.o.OutboundBytesPerConn, turnBytes) {
			// One read may hold hundreds of requests with large answers: the bound must be felt between them.
			c.flush()
		}
	}
	return true
}

// one decodes and serves a frame. ok is false when the connection must be closed.
func (c *Conn) one(frame []byte) (v Verdict, ok bool) {
	cmd := &c.loop.cmd
	if err := cmd.DecodeRequest(frame); err != nil {
		if !errors.Is(err, remoting.ErrHeader) {
			c.s.o.Logger.Warn("connection closed", "remote", c.remote, "error", err)
			return Done, false
		}
		c.PutOut(remoting.AppendReply(c.Out(), cmd.Encoding, cmd.Opaque, remoting.RespSystemError, err.Error()))
		return Done, true
	}
	if cmd.IsResponse() {
		c.settle(cmd.Opaque, cmd, nil)
		return Done, true
	}
	return c.s.handler.Serve(c, cmd), true
}
