package netpoll

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// Conn is one accepted connection. Methods run on its loop unless they say otherwise.
type Conn struct {
	s        *Server
	loop     *loop
	gc       gnet.Conn
	id       uint64
	listener int
	remote   netip.AddrPort
	local    netip.AddrPort
	state    any

	out      []byte // answers of this turn, nil when there are none
	dirty    bool
	paused   pauseReason
	lastRead time.Time
	counted  int64        // bytes of this connection in Server.held
	mailed   atomic.Int64 // bytes on their way in the loop's mailbox
	unsent   atomic.Int64 // bytes the peer has not taken, as of the last flush
	closed   atomic.Bool

	mu      sync.Mutex
	opaque  int32
	pending map[int32]*call // requests to the client
}

func newConn(s *Server, l *loop, gc gnet.Conn) *Conn {
	c := &Conn{s: s, loop: l, gc: gc, id: s.nextID.Add(1), remote: addrPort(gc.RemoteAddr()), local: addrPort(gc.LocalAddr()), lastRead: s.o.Clock()}
	for i, a := range s.addrs {
		if a.Port() == c.local.Port() {
			c.listener = i
		}
	}
	return c
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// ID is unique among all connections of the server's life. Any goroutine.
func (c *Conn) ID() uint64 { return c.id }

// Loop is the number of the loop that owns the connection. Any goroutine.
func (c *Conn) Loop() int { return c.loop.index }

// Listener is the index in Options.Addrs of the address it came in by. Any goroutine.
func (c *Conn) Listener() int { return c.listener }

// RemoteAddr is the peer's address. Any goroutine.
func (c *Conn) RemoteAddr() netip.AddrPort { return c.remote }

// LocalAddr is this side's address. Any goroutine.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// State is what the handler keeps with the connection.
func (c *Conn) State() any { return c.state }

// SetState keeps something of the handler's with the connection.
func (c *Conn) SetState(v any) { c.state = v }

// IsClosed says that nothing sent will arrive any more. Any goroutine.
func (c *Conn) IsClosed() bool { return c.closed.Load() }

// Out returns the connection's output buffer for appending whole frames; PutOut gives it back. What is put during one turn of
// the loop leaves in one write at the turn's end.
func (c *Conn) Out() []byte {
	if c.out == nil {
		return c.loop.takeBuffer()
	}
	return c.out
}

// PutOut gives back the buffer that Out returned, with what was appended.
func (c *Conn) PutOut(b []byte) {
	c.out = b
	if !c.dirty {
		c.dirty = true
		c.loop.dirty = append(c.loop.dirty, c)
	}
}

// flush writes the turn's output.
func (c *Conn) flush() {
	c.dirty = false
	b := c.out
	c.out = nil
	if !c.closed.Load() && len(b) > 0 {
		// A failing write closes the connection through OnClose.
		_, _ = c.gc.Write(b)
	}
	c.loop.giveBuffer(b)
	if !c.closed.Load() {
		c.account()
	}
}

// Send gives one frame to the connection. Any goroutine; the bytes are the connection's until they are sent. ErrClosed;
// ErrSlowReader when the peer has left too much unread.
func (c *Conn) Send(frame []byte) error {
	if c.closed.Load() {
		return ErrClosed
	}
	if c.mailed.Add(int64(len(frame)))+c.unsent.Load() > 4*int64(c.s.o.OutboundBytesPerConn) {
		c.mailed.Add(-int64(len(frame)))
		return ErrSlowReader
	}
	l := c.loop
	l.mu.Lock()
	l.mail = append(l.mail, letter{c, frame})
	l.mu.Unlock()
	l.wake()
	return nil
}

// Do has fn called on the connection's loop soon. Any goroutine. For slow paths: it allocates.
func (c *Conn) Do(fn func()) error {
	if c.closed.Load() || !c.loop.run(fn) {
		return ErrClosed
	}
	return nil
}

// Close closes the connection soon. Any goroutine.
func (c *Conn) Close() { _ = c.gc.Close() }

// close is the end of the connection, on its loop.
func (c *Conn) close(err error) {
	c.closed.Store(true)
	delete(c.loop.conns, c)
	c.s.conns.Add(-1)
	c.s.held.Add(-c.counted)
	c.counted = 0
	if c.paused != 0 {
		c.s.paused.Add(-1)
	}
	c.failPending()
	c.s.handler.Closed(c, err)
}
