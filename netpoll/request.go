package netpoll

import (
	"time"

	"ringmq/netpoll/remoting"
)

// call is one request from this side to a client.
type call struct {
	done  func(resp *remoting.Command, err error)
	timer *time.Timer
}

// Request sends a request to the client and has done called exactly once: on the loop with the answer, which is valid only
// inside, or elsewhere with ErrTimeout, ErrClosed or ErrSlowReader, perhaps before Request returns. cmd is borrowed until Request returns; its
// opaque number is assigned here. Any goroutine.
func (c *Conn) Request(cmd *remoting.Command, timeout time.Duration, done func(resp *remoting.Command, err error)) {
	c.mu.Lock()
	if c.closed.Load() {
		c.mu.Unlock()
		done(nil, ErrClosed)
		return
	}
	c.opaque++
	cmd.Opaque = c.opaque
	opaque := c.opaque
	if c.pending == nil {
		c.pending = map[int32]*call{}
	}
	c.pending[opaque] = &call{done: done, timer: time.AfterFunc(timeout, func() { c.settle(opaque, nil, ErrTimeout) })}
	c.mu.Unlock()
	if err := c.Give(remoting.AppendCommand(nil, cmd)); err != nil {
		c.settle(opaque, nil, err)
	}
}

// settle ends a request, if it has not ended.
func (c *Conn) settle(opaque int32, resp *remoting.Command, err error) {
	c.mu.Lock()
	p := c.pending[opaque]
	delete(c.pending, opaque)
	c.mu.Unlock()
	if p != nil {
		p.timer.Stop()
		p.done(resp, err)
	}
}

func (c *Conn) failPending() {
	c.mu.Lock()
	all := c.pending
	c.pending = nil
	c.mu.Unlock()
	for _, p := range all {
		p.timer.Stop()
		p.done(nil, ErrClosed)
	}
}
