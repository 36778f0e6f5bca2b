package netpoll

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"

	"ringmq/netpoll/remoting"
)

// loop is one event loop: all that its connections share, touched by its own goroutine only, the mailbox excepted.
type loop struct {
	s     *Server
	index int
	el    atomic.Pointer[gnet.EventLoop] // known from the first connection on
	epoll int                            // its epoll descriptor, -1 until found

	cmd   remoting.Command // of the frame being served
	conns map[*Conn]struct{}
	dirty []*Conn  // have something to send
	spare [][]byte // output buffers not in use

	woken   atomic.Bool
	wakeNow gnet.Runnable
	mu      sync.Mutex
	mail    []letter // from other goroutines
	post    []letter // the mailbox's other half
}

// letter is a frame from another goroutine.
type letter struct {
	to    *Conn
	frame []byte
}

func newLoop(s *Server, index int) *loop {
	l := &loop{s: s, index: index, epoll: -1, conns: map[*Conn]struct{}{}}
	l.wakeNow = gnet.RunnableFunc(func(context.Context) error {
		l.deliver()
		return nil
	})
	return l
}

func (l *loop) wake() {
	el := l.el.Load()
	if el == nil || !l.woken.CompareAndSwap(false, true) {
		return
	}
	if (*el).Execute(context.Background(), l.wakeNow) != nil {
		l.woken.Store(false)
	}
}

// run has fn called on the loop; false if the loop has never had a connection or is at its end.
func (l *loop) run(fn func()) bool {
	el := l.el.Load()
	if el == nil {
		return false
	}
	return (*el).Execute(context.Background(), gnet.RunnableFunc(func(context.Context) error {
		fn()
		l.flush()
		return nil
	})) == nil
}

// deliver empties the mailbox, lets the handler release what has become ready, and sends all of it.
func (l *loop) deliver() {
	l.woken.Store(false)
	l.mu.Lock()
	l.mail, l.post = l.post[:0], l.mail
	l.mu.Unlock()
	for i, m := range l.post {
		m.to.mailed.Add(-int64(len(m.frame)))
		m.to.PutOut(append(m.to.Out(), m.frame...))
		l.post[i] = letter{}
	}
	l.s.handler.Woken(l.index)
	l.flush()
}

// flush writes every connection's output, once.
func (l *loop) flush() {
	for i, c := range l.dirty {
		l.dirty[i] = nil
		c.flush()
	}
	l.dirty = l.dirty[:0]
}

const (
	maxSpareBuffers = 64
	maxSpareBytes   = 256 << 10
)

func (l *loop) takeBuffer() []byte {
	if n := len(l.spare); n > 0 {
		b := l.spare[n-1]
		l.spare = l.spare[:n-1]
		return b[:0]
	}
	return make([]byte, 0, 4096)
}

func (l *loop) giveBuffer(b []byte) {
	if len(l.spare) < maxSpareBuffers && cap(b) <= maxSpareBytes {
		l.spare = append(l.spare, b)
	}
}

// sweep closes idle connections, lets go on those whose pause is over, and closes peers that do not read at all.
func (l *loop) sweep() {
	now := l.s.o.Clock()
	for c := range l.conns {
		switch {
		case now.Sub(c.lastRead) > l.s.o.IdleTimeout && c.paused == 0:
			l.s.o.Logger.Debug("idle connection closed", "remote", c.remote)
			_ = c.gc.Close()
		case c.paused&(slowReader|overBudget) != 0:
			c.reconsider()
		}
	}
}

// events adapts gnet's callbacks.
type events struct {
	gnet.BuiltinEventEngine
	s *Server
}

func (e *events) OnBoot(engine gnet.Engine) gnet.Action {
	e.s.engine = engine
	close(e.s.booted)
	return gnet.None
}

func (e *events) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	if !e.s.accepting.Load() {
		return nil, gnet.Close
	}
	c := newConn(e.s, e.s.loopOf(gc.EventLoop()), gc)
	gc.SetContext(c)
	c.loop.conns[c] = struct{}{}
	e.s.conns.Add(1)
	e.s.handler.Opened(c)
	c.loop.flush()
	return nil, gnet.None
}

func (e *events) OnClose(gc gnet.Conn, err error) gnet.Action {
	if c, ok := gc.Context().(*Conn); ok {
		c.close(err)
	}
	return gnet.None
}

func (e *events) OnTraffic(gc gnet.Conn) gnet.Action {
	c := gc.Context().(*Conn)
	action := c.traffic()
	c.loop.flush()
	if c.closed.Load() {
		return gnet.None
	}
	return action
}

// gnetLog gives gnet's words to the structured log. What it calls errors are peers that went away.
type gnetLog struct{ l *slog.Logger }

func (g gnetLog) Debugf(format string, args ...any) {
	g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLog) Infof(format string, args ...any) {
	g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLog) Warnf(format string, args ...any) {
	g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLog) Errorf(format string, args ...any) {
	g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLog) Fatalf(format string, args ...any) {
	g.l.Error("gnet: " + fmt.Sprintf(format, args...))
}
