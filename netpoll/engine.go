package netpoll

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// gnet ends its whole engine when accept fails, for want of descriptors for example. So the engine is supervised: it is run
// again, on the same addresses, unless Shutdown was called.
const restartPause = time.Second

// supervise runs engines until Shutdown. The first one's failure to listen goes to first.
func (s *Server) supervise(first chan<- error) {
	defer close(s.ended)
	for {
		err := gnet.Rotate(&events{s: s}, s.urls,
			gnet.WithNumEventLoop(s.o.Loops), gnet.WithReuseAddr(true), gnet.WithLogger(gnetLog{s.o.Logger}),
			gnet.WithReadBufferCap(readBufferBytes), gnet.WithLoadBalancing(gnet.LeastConnections), gnet.WithTCPNoDelay(gnet.TCPNoDelay))
		select {
		case <-s.stop:
			return
		default:
		}
		select {
		case <-s.booted:
		default:
			first <- err
			return
		}
		s.o.Logger.Error("event loops ended by themselves, connections are closed; listening again", "addresses", s.addrs, "error", err)
		select {
		case <-s.stop:
			return
		case <-time.After(restartPause):
		}
	}
}

// events adapts gnet's callbacks.
type events struct {
	gnet.BuiltinEventEngine
	s *Server
}

func (e *events) OnBoot(engine gnet.Engine) gnet.Action {
	s := e.s
	s.gate.Lock()
	defer s.gate.Unlock()
	select {
	case <-s.stop:
		return gnet.Shutdown
	default:
	}
	s.engine, s.up = engine, true
	s.bootOnce.Do(func() { close(s.booted) })
	return gnet.None
}

// OnShutdown comes before gnet closes its descriptors: from here on no other goroutine reaches into its loops.
func (e *events) OnShutdown(gnet.Engine) {
	s := e.s
	s.gate.Lock()
	s.up = false
	for _, l := range s.loops {
		l.el = nil
	}
	s.gate.Unlock()
	for _, l := range s.loops {
		l.breakPromises()
	}
}

func (e *events) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	s := e.s
	if b, ok := gc.Context().(*bell); ok {
		b.heard.Store(true)
		return nil, gnet.None
	}
	l := s.loopOf(gc)
	if l == nil || !s.accepting.Load() {
		return nil, gnet.Close
	}
	c := newConn(s, l, gc)
	why, at := s.door.enter(c.remote.Addr(), c.local.Addr())
	if why != letIn {
		s.turnAway(c, why)
		return nil, gnet.Close
	}
	c.place = at
	gc.SetContext(c)
	l.conns[c] = struct{}{}
	l.quiet.conns.Add(1)
	if s.conns.Add(1) == 1 {
		s.wakeSweep()
	}
	s.handler.Opened(c)
	l.flush()
	return nil, gnet.None
}

func (e *events) OnClose(gc gnet.Conn, err error) gnet.Action {
	switch c := gc.Context().(type) {
	case *Conn:
		c.close(err)
		if len(c.loop.dirty) > 0 {
			c.loop.wake() // gnet ends no turn for what the handler put out
		}
	case *bell:
		c.heard.Store(false)
	}
	return gnet.None
}

func (e *events) OnTraffic(gc gnet.Conn) gnet.Action {
	c, ok := gc.Context().(*Conn)
	if !ok {
		b, ok := gc.Context().(*bell)
		if !ok {
			return gnet.Close
		}
		_, _ = gc.Discard(-1)
		b.rung()
		b.loop.linger()
		return gnet.None
	}
	action := c.traffic()
	c.loop.flush()
	if c.closed.Load() {
		return gnet.None
	}
	if action == gnet.None {
		c.loop.linger()
	}
	return action
}

// loopOf finds the loop of a new connection, on that loop; nil when the engine is going down. A loop is known from its first
// connection on, which also tells its epoll descriptor.
func (s *Server) loopOf(gc gnet.Conn) *loop {
	el := gc.EventLoop()
	s.gate.RLock()
	for _, l := range s.loops {
		if l.el == el {
			s.gate.RUnlock()
			return l
		}
	}
	s.gate.RUnlock()
	epoll, err := findEpoll(gc.Fd())
	if err != nil {
		s.o.Logger.Error("connection refused: its event loop's epoll descriptor is not to be found", "error", err)
		return nil
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	if !s.up {
		return nil
	}
	for _, l := range s.loops {
		if l.el == nil {
			l.el, l.epoll = el, epoll
			l.woken.Store(false)
			l.tasks.Store(0)
			if l.bell != nil {
				l.bell.hang(el)
			}
			return l
		}
	}
	panic("netpoll: more event loops than were asked for")
}

// execute has r run on the loop, and tells which that is in this engine. Any goroutine. nil: it has no connection, or is ending; r will not run.
func (l *loop) execute(r gnet.Runnable) gnet.EventLoop {
	// gnet writes to the loop's event descriptor. Under the gate it cannot have been closed, and its number cannot be a file's.
	l.s.gate.RLock()
	defer l.s.gate.RUnlock()
	if l.el == nil {
		return nil
	}
	l.tasks.Add(1)
	if l.el.Execute(context.Background(), r) != nil {
		l.tasks.Add(-1)
		return nil
	}
	return l.el
}

// gnetLog gives gnet's words to the structured log. What it calls errors are mostly peers that went away.
type gnetLog struct{ l *slog.Logger }

func (g gnetLog) Debugf(format string, args ...any) { g.debug(format, args) }
func (g gnetLog) Infof(format string, args ...any)  { g.debug(format, args) }
func (g gnetLog) Warnf(format string, args ...any)  { g.debug(format, args) }
func (g gnetLog) Errorf(format string, args ...any) { g.debug(format, args) }
func (g gnetLog) Fatalf(format string, args ...any) {
	g.l.Error("gnet: " + fmt.Sprintf(format, args...))
}

func (g gnetLog) debug(format string, args []any) {
	if g.l.Enabled(context.Background(), slog.LevelDebug) {
		g.l.Debug("gnet: " + fmt.Sprintf(format, args...))
	}
}
