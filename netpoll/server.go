package netpoll

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// Server is a set of listening addresses served by one set of event loops.
type Server struct {
	o       Options
	handler Handler
	addrs   []netip.AddrPort
	urls    []string

	accepting atomic.Bool
	nextID    atomic.Uint64
	conns     atomic.Int64
	paused    atomic.Int64
	door      door

	heldIn    atomic.Int64  // bytes in inbound buffers
	heldOut   atomic.Int64  // bytes in outbound buffers
	mailed    atomic.Int64  // bytes on their way to the loops
	turn      atomic.Uint64 // the connection that may pass the budget to complete its frame; 0: none
	lingering atomic.Int32  // loops that keep a processor while they wait
	mayLinger int32         // how many may: the others find at least two processors, and half as many as there are loops
	strained  atomic.Int64  // connections paused for reasons that go away by themselves or whose output somebody waits for, and loops that wait for memory
	strain    chan struct{} // told when strained becomes more, and when the first connection comes

	gate   sync.RWMutex // engine, up and every loop's el; see loop.execute
	engine gnet.Engine
	up     bool
	loops  []*loop // in the order in which they got their first connection

	bootOnce  sync.Once
	booted    chan struct{} // closed when listening for the first time
	stop      chan struct{} // closed by Shutdown
	ended     chan struct{} // closed when the last engine has ended
	swept     sync.WaitGroup
	closeOnce sync.Once
}

// Serve listens on all addresses and returns when every one of them accepts connections, or with what prevented it.
func Serve(o Options, h Handler) (*Server, error) {
	o = o.withDefaults()
	if len(o.Addrs) == 0 {
		return nil, errors.New("netpoll: no address to listen on")
	}
	// Pausing needs it, and without pausing memory has no bound.
	if _, err := os.Stat("/proc/self/fdinfo"); err != nil {
		return nil, fmt.Errorf("netpoll: /proc is needed: %w", err)
	}
	s := &Server{o: o, handler: h, strain: make(chan struct{}, 1), booted: make(chan struct{}), stop: make(chan struct{}), ended: make(chan struct{})}
	s.door = door{ceiling: connCeiling(o.Servers), isLocal: o.isLocal, prefers: o.Prefers, hosts: map[netip.Addr]int64{}}
	s.Cap(o.MaxConns, o.MaxConnsPerHost)
	s.accepting.Store(true)
	s.mayLinger = int32(max(0, runtime.GOMAXPROCS(0)-max(2, o.Loops/2)))
	for _, a := range o.Addrs {
		ap, reserved, err := resolve(a)
		if err != nil {
			return nil, fmt.Errorf("netpoll: address %q: %w", a, err)
		}
		defer reserved.release()
		s.addrs = append(s.addrs, ap)
		s.urls = append(s.urls, "tcp://"+ap.String())
	}
	for i := range o.Loops {
		l := newLoop(s, i)
		s.loops = append(s.loops, l)
		if o.Rung == nil {
			continue
		}
		b, err := newBell(l)
		if err != nil {
			s.ReleaseBells()
			return nil, err
		}
		l.bell = b
	}
	first := make(chan error, 1)
	go s.supervise(first)
	select {
	case err := <-first:
		s.ReleaseBells()
		return nil, fmt.Errorf("netpoll: listen on %v: %w", o.Addrs, err)
	case <-s.booted:
	}
	s.swept.Add(1)
	go s.sweep()
	return s, nil
}

// Addrs are the addresses that are listened on, ports filled in. Any goroutine.
func (s *Server) Addrs() []netip.AddrPort { return s.addrs }

// Loops is the number of event loops. Any goroutine.
func (s *Server) Loops() int { return s.o.Loops }

// Wake has the handler's Woken called on a loop soon. Any goroutine; cheap; calls before the loop gets to it count as one.
func (s *Server) Wake(loop int) { s.loops[loop].wake() }

// Stats returns figures of the moment. Any goroutine.
func (s *Server) Stats() Stats {
	in, out := s.heldIn.Load(), s.heldOut.Load()
	return Stats{Connections: s.conns.Load(), Paused: s.paused.Load(), InboundBytes: in, OutboundBytes: out, HeldBytes: in + out,
		TurnedAway: s.door.turnedAway[tooMany].Load(), TurnedAwayOfHost: s.door.turnedAway[tooManyOfHost].Load()}
}

// StopAccepting has new connections closed at once. Any goroutine.
func (s *Server) StopAccepting() { s.accepting.Store(false) }

// Shutdown stops accepting, gives what was answered until ctx ends to leave, and closes everything. No Handler method is
// called after it returns. Any goroutine but a loop's.
func (s *Server) Shutdown(ctx context.Context) error {
	s.closeOnce.Do(func() {
		s.StopAccepting()
		if s.drain(ctx) {
			s.halfClose(ctx)
		}
		close(s.stop)
		s.swept.Wait()
		for _, l := range s.loops {
			if l.bell != nil {
				l.bell.settle()
			}
		}
		s.gate.RLock()
		engine := s.engine
		s.gate.RUnlock()
		// Stop would look every half second whether the engine has ended; ended tells at once.
		done, cancel := context.WithCancel(context.Background())
		cancel()
		_ = engine.Stop(done)
	})
	<-s.ended
	return nil
}

// sum adds up what fn returns on every loop. ok is false when ctx ended first.
func (s *Server) sum(ctx context.Context, fn func(l *loop) int64) (total int64, ok bool) {
	results := make(chan int64, len(s.loops))
	asked := 0
	for _, l := range s.loops {
		if l.run(func() { results <- fn(l) }) {
			asked++
		}
	}
	// An engine that ends by itself takes questions with it.
	lost := time.NewTimer(time.Second)
	defer lost.Stop()
	for range asked {
		select {
		case n := <-results:
			total += n
		case <-lost.C:
			return total, true
		case <-ctx.Done():
			return total, false
		}
	}
	return total, true
}

const drainInterval = 2 * time.Millisecond

// drain waits until no connection has anything left to send. false: ctx ended first.
func (s *Server) drain(ctx context.Context) bool {
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for {
		n, ok := s.sum(ctx, (*loop).unsent)
		if !ok || n == 0 {
			return ok
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

const lingerTime = 200 * time.Millisecond

// halfClose tells the peers that nothing more will come and gives them a moment to close. Closing a socket that has unread
// bytes resets the connection, and a reset can overtake answers that the peer has not read yet.
func (s *Server) halfClose(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lingerTime)
	defer cancel()
	_, _ = s.sum(ctx, func(l *loop) int64 {
		for c := range l.conns {
			c.ending = true
			_ = unix.Shutdown(c.gc.Fd(), unix.SHUT_WR)
			if c.paused != 0 {
				c.arm()
			}
		}
		return 0
	})
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for s.conns.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sweep looks after connections once a second, while there are any: idle ones, stuck ones. A loop whose connections hold nothing is left
// alone until one of them is idle for too long. Those that are paused for want of memory, or because
// their peer does not read, are looked at much more often: the kernel does not tell when they can go on.
func (s *Server) sweep() {
	defer s.swept.Done()
	tick := time.NewTimer(s.o.sweepInterval)
	defer tick.Stop()
	armed := true
	var soon <-chan time.Time
	for {
		if !armed && s.conns.Load() > 0 {
			tick.Reset(s.o.sweepInterval)
			armed = true
		}
		if soon == nil && s.strained.Load() > 0 {
			soon = time.After(strainedInterval)
		}
		select {
		case <-s.stop:
			return
		case <-s.strain:
			continue
		case <-soon:
			soon = nil
			for _, l := range s.loops {
				l.run(l.reconsider)
			}
			continue
		case <-tick.C:
			armed = false
		}
		now := s.o.Clock()
		for _, l := range s.loops {
			if l.quiet.over(now) {
				l.run(l.sweep)
			}
		}
	}
}

const (
	sweepInterval    = time.Second
	strainedInterval = 10 * time.Millisecond
)
