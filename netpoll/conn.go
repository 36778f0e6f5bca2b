package netpoll

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// Conn is one accepted connection. Methods run on its loop unless they say otherwise.
type Conn struct {
	s        *Server
	loop     *loop
	gc       gnet.Conn
	id       uint64
	listener int
	place    place
	remote   netip.AddrPort
	local    netip.AddrPort
	state    any

	out    []byte // answers of this turn, nil when there are none
	dirty  bool
	paused pauseReason
	polled bool // paused, and its output is sent by the sweep
	ending bool // what still comes is not served

	lastRead  time.Time
	lastTaken time.Time // when the peer was last seen to take bytes, or had none to take
	put       int64     // bytes given to gnet so far
	awaits    []awaited // who waits until the socket has taken some of them
	taken     int64     // of these, bytes the socket took, as of lastTaken

	lastBrisk  time.Time // when it was last seen to have taken much, or all there was
	briskTaken int64     // taken as of lastBrisk

	turnSince time.Time // since when it may pass the budget
	inHeld    int64     // bytes of this connection in Server.heldIn
	outHeld   int64     // and in Server.heldOut

	mailed atomic.Int64 // bytes on their way in the loop's mailbox
	unsent atomic.Int64 // bytes the peer has not taken, as of the last flush
	reads  atomic.Bool  // the peer once took all it was sent, and that was much
	closed atomic.Bool

	mu      sync.Mutex
	opaque  int32
	pending map[int32]*call // requests to the client
}

func newConn(s *Server, l *loop, gc gnet.Conn) *Conn {
	now := s.o.Clock()
	c := &Conn{s: s, loop: l, gc: gc, id: s.nextID.Add(1), remote: addrPort(gc.RemoteAddr()), local: addrPort(gc.LocalAddr()), lastRead: now, lastTaken: now, lastBrisk: now}
	// gnet gives the listener's address for the local one.
	c.listener = max(0, slices.Index(s.addrs, c.local))
	if c.local.Addr().IsUnspecified() {
		if sa, err := unix.Getsockname(gc.Fd()); err == nil {
			c.local = fromSockaddr(sa)
		}
	}
	return c
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
// the loop leaves in one write at the turn's end. On a closed connection both work and nothing is sent.
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
	c.write(b)
	c.loop.giveBuffer(b)
	if !c.closed.Load() {
		c.account()
		c.tellTaken()
	}
}

// write gives bytes to the socket, what it does not take to gnet.
func (c *Conn) write(b []byte) {
	if c.closed.Load() || len(b) == 0 {
		return
	}
	stuck := c.gc.OutboundBuffered() > 0
	c.put += int64(len(b))
	// A failing write closes the connection through OnClose.
	_, _ = c.gc.Write(b)
	if c.paused != 0 && !stuck && !c.closed.Load() && c.gc.OutboundBuffered() > 0 {
		// gnet has asked for writable and readable.
		c.disarm()
	}
}

// directBytes is the length from which a frame of another goroutine is written by itself and not copied once more.
const directBytes = 64 << 10

// take puts out a frame from the mailbox.
func (c *Conn) take(frame []byte) {
	if len(frame) < directBytes {
		c.PutOut(append(c.Out(), frame...))
		return
	}
	b := c.Out()
	c.write(b)
	c.write(frame)
	c.PutOut(b[:0])
}

// Send gives a copy of whole frames to the connection. Any goroutine. ErrClosed; ErrSlowReader when the peer has left too much
// unread, and then the connection is closed.
func (c *Conn) Send(frames []byte) error { return c.Give(slices.Clone(frames)) }

// Give is Send without the copy: the bytes are the connection's from here on, whatever is returned.
func (c *Conn) Give(frames []byte) error {
	if c.closed.Load() {
		return ErrClosed
	}
	if c.mailed.Add(int64(len(frames)))+c.unsent.Load() > closeFactor*int64(c.s.o.OutboundBytesPerConn) {
		c.mailed.Add(-int64(len(frames)))
		c.Close()
		return ErrSlowReader
	}
	c.s.mailed.Add(int64(len(frames)))
	l := c.loop
	l.mu.Lock()
	l.mail = append(l.mail, letter{c, frames})
	l.mu.Unlock()
	l.wake()
	return nil
}

// Do has fn called on the connection's loop soon, even if the connection is closed until then; not if the server is shut down
// first, or the engine ends by itself. Any goroutine. For slow paths: it allocates.
func (c *Conn) Do(fn func()) error {
	if c.closed.Load() || !c.loop.run(fn) {
		return ErrClosed
	}
	return nil
}

// DoHolding is Do for an fn that holds so many bytes until it is called, or never will be: they count as the connection's.
func (c *Conn) DoHolding(bytes int, fn func()) error {
	c.s.mailed.Add(int64(bytes))
	give := func() { c.s.mailed.Add(-int64(bytes)) }
	err := c.DoOr(func() { give(); fn() }, give)
	if err != nil {
		give()
	}
	return err
}

// Close closes the connection soon. Any goroutine.
func (c *Conn) Close() { _ = c.Do(c.hangUp) }

// hangUp closes the connection after the loop's turn.
func (c *Conn) hangUp() { _ = c.gc.Close() }

// close is the end of the connection, on its loop.
func (c *Conn) close(err error) {
	c.closed.Store(true)
	delete(c.loop.conns, c)
	c.loop.quiet.conns.Add(-1)
	c.s.conns.Add(-1)
	c.s.door.leave(c.remote.Addr(), c.place)
	c.count(0, 0)
	c.endTurn()
	c.polled = false
	c.ease(slowReader | overBudget)
	if c.paused != 0 {
		c.s.paused.Add(-1)
	}
	c.failPending()
	c.tellTaken()
	c.s.handler.Closed(c, err)
}
