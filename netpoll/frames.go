package netpoll

import (
	"errors"

	"github.com/panjf2000/gnet/v2"

	"ringmq/netpoll/remoting"
)

// traffic serves what the peer has sent: after a readable event, or after a pause.
func (c *Conn) traffic() gnet.Action {
	c.lastRead = c.s.o.Clock()
	if c.paused != 0 {
		c.reconsider()
		if c.paused != 0 {
			// gnet has armed reading again, after output that was stuck for example.
			c.disarm()
			c.account()
			return gnet.None
		}
	}
	action := c.serve()
	if action == gnet.None {
		c.account()
	}
	return action
}

// serve hands over whole frames until none is left or the connection is paused.
func (c *Conn) serve() gnet.Action {
	for c.paused == 0 {
		n := c.gc.InboundBuffered()
		if n < 4 {
			return gnet.None
		}
		head, err := c.gc.Peek(4)
		if err != nil {
			return gnet.Close
		}
		total, _, err := remoting.FrameLength(head)
		if err != nil {
			c.s.o.Logger.Warn("connection closed", "remote", c.remote, "error", err)
			return gnet.Close
		}
		if n < total {
			return gnet.None
		}
		frame, err := c.gc.Peek(total)
		if err != nil {
			return gnet.Close
		}
		verdict, action := c.one(frame)
		if verdict == Hold {
			c.pause(held)
			return gnet.None
		}
		if action != gnet.None || c.closed.Load() {
			return action
		}
		if _, err := c.gc.Discard(total); err != nil {
			return gnet.Close
		}
	}
	return gnet.None
}

// one decodes and serves a frame.
func (c *Conn) one(frame []byte) (Verdict, gnet.Action) {
	cmd := &c.loop.cmd
	if err := cmd.Decode(frame); err != nil {
		if !errors.Is(err, remoting.ErrHeader) {
			c.s.o.Logger.Warn("connection closed", "remote", c.remote, "error", err)
			return Done, gnet.Close
		}
		c.PutOut(remoting.AppendReply(c.Out(), cmd.Encoding, cmd.Opaque, remoting.RespSystemError, err.Error()))
		return Done, gnet.None
	}
	if cmd.IsResponse() {
		c.answered(cmd)
		return Done, gnet.None
	}
	return c.s.handler.Serve(c, cmd), gnet.None
}
