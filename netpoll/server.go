package netpoll

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// Server is a set of listening addresses served by one set of event loops.
type Server struct {
	o       Options
	handler Handler
	addrs   []netip.AddrPort

	engine    gnet.Engine
	booted    chan struct{}
	ended     chan error
	accepting atomic.Bool
	nextID    atomic.Uint64
	held      atomic.Int64
	conns     atomic.Int64
	paused    atomic.Int64

	mu    sync.Mutex
	loops []*loop // in the order in which they got their first connection
	byEl  map[gnet.EventLoop]*loop

	stop      chan struct{}
	swept     sync.WaitGroup
	closeOnce sync.Once
	closeErr  error
}

// Serve listens on all addresses and returns when every one of them accepts connections, or with what prevented it.
func Serve(o Options, h Handler) (*Server, error) {
	o = o.withDefaults()
	s := &Server{
		o: o, handler: h, booted: make(chan struct{}), ended: make(chan error, 1), byEl: map[gnet.EventLoop]*loop{}, stop: make(chan struct{}),
	}
	s.accepting.Store(true)
	urls := make([]string, len(o.Addrs))
	for i, a := range o.Addrs {
		ap, err := resolve(a)
		if err != nil {
			return nil, fmt.Errorf("netpoll: address %q: %w", a, err)
		}
		s.addrs = append(s.addrs, ap)
		urls[i] = "tcp://" + ap.String()
	}
	for i := range o.Loops {
		s.loops = append(s.loops, newLoop(s, i))
	}
	go func() {
		s.ended <- gnet.Rotate(&events{s: s}, urls,
			gnet.WithNumEventLoop(o.Loops), gnet.WithReuseAddr(true), gnet.WithLogger(gnetLog{o.Logger}),
			gnet.WithReadBufferCap(64<<10), gnet.WithLoadBalancing(gnet.LeastConnections), gnet.WithTCPNoDelay(gnet.TCPNoDelay))
	}()
	select {
	case err := <-s.ended:
		return nil, fmt.Errorf("netpoll: listen on %v: %w", o.Addrs, err)
	case <-s.booted:
	}
	s.swept.Add(1)
	go s.sweep()
	return s, nil
}

// resolve turns host:port into an address; port 0 becomes a free one.
func resolve(addr string) (netip.AddrPort, error) {
	t, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if t.IP == nil {
		t.IP = net.IPv4zero
	}
	if t.Port == 0 {
		l, err := net.ListenTCP("tcp", t)
		if err != nil {
			return netip.AddrPort{}, err
		}
		t = l.Addr().(*net.TCPAddr)
		if err := l.Close(); err != nil {
			return netip.AddrPort{}, err
		}
	}
	a, ok := netip.AddrFromSlice(t.IP)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("no address")
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(t.Port)), nil
}

// Addrs are the addresses that are listened on, ports filled in.
func (s *Server) Addrs() []netip.AddrPort { return s.addrs }

// Loops is the number of event loops.
func (s *Server) Loops() int { return s.o.Loops }

// Wake has the handler's Woken called on a loop soon. Any goroutine; cheap; calls before the loop gets to it count as one.
func (s *Server) Wake(loop int) { s.loops[loop].wake() }

// Stats returns figures of the moment.
func (s *Server) Stats() Stats {
	return Stats{Connections: s.conns.Load(), Paused: s.paused.Load(), HeldBytes: s.held.Load()}
}

// StopAccepting has new connections closed at once.
func (s *Server) StopAccepting() { s.accepting.Store(false) }

// Shutdown stops accepting, gives outgoing bytes until ctx ends to leave, and closes everything.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closeOnce.Do(func() {
		s.StopAccepting()
		s.flushAll(ctx)
		close(s.stop)
		s.swept.Wait()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.engine.Stop(stopping); err != nil {
			s.closeErr = fmt.Errorf("netpoll: stop: %w", err)
			return
		}
		<-s.ended
	})
	return s.closeErr
}

// flushAll waits until no connection has anything left to send, or ctx ends.
func (s *Server) flushAll(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var pending atomic.Int64
		var all sync.WaitGroup
		for _, l := range s.loops {
			all.Add(1)
			if !l.run(func() {
				for c := range l.conns {
					pending.Add(int64(c.gc.OutboundBuffered()))
				}
				all.Done()
			}) {
				all.Done()
			}
		}
		all.Wait()
		if pending.Load() == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

const sweepInterval = time.Second

// sweep closes idle connections and looks after paused ones. A loop without connections is left alone.
func (s *Server) sweep() {
	defer s.swept.Done()
	tick := time.NewTicker(sweepInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		if s.conns.Load() == 0 {
			continue
		}
		for _, l := range s.loops {
			l.run(l.sweep)
		}
	}
}

// loopOf gives a gnet loop its number at its first connection.
func (s *Server) loopOf(el gnet.EventLoop) *loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.byEl[el]
	if l == nil {
		l = s.loops[len(s.byEl)]
		s.byEl[el] = l
		l.el.Store(&el)
	}
	return l
}
