package netpoll

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"ringmq/netpoll/remoting"
)

// readBufferBytes is what a loop reads at once, into one buffer that its connections share.
const readBufferBytes = 64 << 10

// loop is one event loop: all that its connections share, touched by its own goroutine only, the mailbox and el excepted.
type loop struct {
	s     *Server
	index int
	el    gnet.EventLoop // under Server.gate; nil before the first connection and when the engine is ending
	epoll int            // its epoll descriptor

	bell     *bell            // nil: Options.Rung is not set
	cmd      remoting.Command // of the frame being served
	conns    map[*Conn]struct{}
	quiet    quiet
	strained map[*Conn]struct{} // paused for slowReader or overBudget
	awaited  map[*Conn]struct{} // somebody waits until their sockets have taken something
	dirty    []*Conn            // have something to send

	spare      [][]byte // output buffers not in use
	spareBytes int      // what they hold together

	wanting   bool      // it waits for memory, see AwaitMemory
	recounted time.Time // when it last looked what its connections hold

	tasks    atomic.Int32 // of ours that gnet has still to run
	asked    tick
	woken    atomic.Bool
	wakeNow  gnet.Runnable
	mu       sync.Mutex
	mail     []letter              // from other goroutines
	promises map[*promise]struct{} // that are neither kept nor broken
	post     []letter              // the mailbox's other half; the loop's own
}

// letter is a frame from another goroutine.
type letter struct {
	to    *Conn
	frame []byte
}

func newLoop(s *Server, index int) *loop {
	l := &loop{s: s, index: index, epoll: -1, quiet: quiet{base: s.o.Clock()}, conns: map[*Conn]struct{}{}, strained: map[*Conn]struct{}{}, awaited: map[*Conn]struct{}{}}
	l.quiet.end()
	l.wakeNow = gnet.RunnableFunc(func(context.Context) error {
		l.tasks.Add(-1)
		l.deliver()
		return nil
	})
	return l
}

func (l *loop) wake() {
	if !l.woken.CompareAndSwap(false, true) {
		return
	}
	if b := l.bell; b != nil && b.ring() {
		return
	}
	if l.execute(l.wakeNow) == nil {
		l.woken.Store(false)
	}
}

// run has fn called on the loop, and what it put out sent; false if the loop has never had a connection or is at its end.
func (l *loop) run(fn func()) bool { return l.runOn(fn) != nil }

// runOn is run that tells which of the loops that engines bring, one after the other, it is called on; nil: on none.
func (l *loop) runOn(fn func()) gnet.EventLoop {
	return l.execute(gnet.RunnableFunc(func(context.Context) error {
		l.tasks.Add(-1)
		fn()
		l.flush()
		return nil
	}))
}

// deliver empties the mailbox, lets the handler release what has become ready, and sends all of it.
func (l *loop) deliver() {
	l.woken.Store(false)
	l.mu.Lock()
	l.mail, l.post = l.post[:0], l.mail
	l.mu.Unlock()
	for i, m := range l.post {
		m.to.mailed.Add(-int64(len(m.frame)))
		l.s.mailed.Add(-int64(len(m.frame)))
		m.to.take(m.frame)
		l.post[i] = letter{}
	}
	l.s.handler.Woken(l.index)
	l.flush()
}

// flush ends a turn: it writes every connection's output, once.
func (l *loop) flush() {
	if ended := l.s.o.TurnEnded; ended != nil {
		ended(l.index)
	}
	// A write that fails ends its connection, and what the handler puts out then comes behind the others.
	for i := 0; i < len(l.dirty); i++ {
		c := l.dirty[i]
		l.dirty[i] = nil
		c.flush()
	}
	l.dirty = l.dirty[:0]
}

const (
	firstBufferBytes = 4 << 10
	// maxSpareBytes is of one buffer: the answers that a connection is given in a turn. Stock's clients have a pull of 32 messages under
	// way for each queue, so that those of a topic of 16 queues with messages of 1 KiB come to 600 KiB.
	maxSpareBytes = 1 << 20
	// maxSparesBytes is of all spare buffers of a loop.
	maxSparesBytes  = 16 << 20
	maxSpareBuffers = 64
)

func (l *loop) takeBuffer() []byte {
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare[n-1], l.spare = nil, l.spare[:n-1]
		l.spareBytes -= cap(b)
		return b[:0]
	}
	return make([]byte, 0, firstBufferBytes)
}

func (l *loop) giveBuffer(b []byte) {
	if n := cap(b); len(l.spare) < maxSpareBuffers && n > 0 && n <= maxSpareBytes && l.spareBytes+n <= maxSparesBytes {
		l.spare = append(l.spare, b)
		l.spareBytes += n
	}
}

// unsent counts the bytes that connections have still to send.
func (l *loop) unsent() int64 {
	n := int64(0)
	for c := range l.conns {
		n += int64(c.gc.OutboundBuffered()) + int64(len(c.out)) + c.mailed.Load()
	}
	return n
}

// sweep closes connections that nothing was read from for long, and those whose peer has taken nothing for as long. While memory is
// short, those whose peers take little are in the way of others.
func (l *loop) sweep() {
	now, limit := l.s.o.Clock(), l.s.o.IdleTimeout
	l.quiet.begin(now.Add(limit))
	short := l.s.held() > l.s.o.TotalBytes/2
	for c := range l.conns {
		c.progress(now)
		if c.inHeld > 0 || c.outHeld > 0 || c.paused != 0 {
			l.quiet.end()
		}
		l.quiet.atMost(c.lastRead.Add(limit))
		switch {
		case c.paused == 0 && now.Sub(c.lastRead) > limit:
			l.s.o.Logger.Debug("idle connection closed", "remote", c.remote)
			c.hangUp()
		case now.Sub(c.lastTaken) > limit:
			l.s.o.Logger.Warn("connection closed, its peer does not read", "remote", c.remote, "unread", c.gc.OutboundBuffered())
			c.hangUp()
		case short && now.Sub(c.lastBrisk) > l.s.o.ShortTimeout:
			l.s.o.Logger.Warn("connection closed, its peer reads too slowly while memory is short", "remote", c.remote, "unread", c.outHeld)
			c.hangUp()
		case l.s.turn.Load() == c.id && now.Sub(c.turnSince) > l.s.o.ShortTimeout:
			l.s.o.Logger.Warn("connection closed, its frame arrives too slowly while memory is short", "remote", c.remote)
			c.hangUp()
		}
	}
}

// reconsider lets those go on whose reason to pause is gone, tells who waits for a socket, and when there is memory for what waits for it.
func (l *loop) reconsider() {
	defer l.recount()
	for c := range l.strained {
		c.reconsider()
	}
	for c := range l.awaited {
		c.tellTaken()
	}
}
