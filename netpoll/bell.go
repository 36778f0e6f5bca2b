package netpoll

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// bell wakes a loop without a goroutine: whoever sends a byte into its rope, the kernel for one, has Options.Rung called on the
// loop. It lives as long as its server; the loop hears it from its first connection on.
type bell struct {
	loop  *loop
	ear   int // what the loop reads; it watches a duplicate, which ends with the engine
	rope  int
	heard atomic.Bool

	mu     sync.Mutex
	hung   chan struct{} // closed once the loop has answered whether it listens; nil: it was not asked
	silent bool          // it is not asked any more
}

func newBell(l *loop) (*bell, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("netpoll: bell: %w", err)
	}
	return &bell{loop: l, ear: pair[0], rope: pair[1]}, nil
}

// Bell is the stream socket whose every byte has Options.Rung called on a loop, -1 while the loop hears none. It is open until
// ReleaseBells. Any goroutine.
func (s *Server) Bell(loop int) int {
	if b := s.loops[loop].bell; b != nil && b.heard.Load() {
		return b.rope
	}
	return -1
}

// ReleaseBells closes the bells, after Shutdown and once nobody rings any more.
func (s *Server) ReleaseBells() {
	for _, l := range s.loops {
		if b := l.bell; b != nil {
			l.bell = nil
			_ = unix.Close(b.ear)
			_ = unix.Close(b.rope)
		}
	}
}

// hang has the loop listen for its bell. On the loop.
func (b *bell) hang(el gnet.EventLoop) {
	answered := make(chan struct{})
	b.mu.Lock()
	if b.silent {
		b.mu.Unlock()
		return
	}
	b.hung = answered
	b.mu.Unlock()
	err := func() error {
		fd, err := unix.FcntlInt(uintptr(b.ear), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), "bell")
		c, err := net.FileConn(f)
		_ = f.Close()
		if err != nil {
			return err
		}
		enrolled, err := el.Enroll(gnet.NewContext(context.Background(), b), c) // gnet closes c and keeps a duplicate
		if err == nil {
			go func() {
				defer close(answered)
				if r := <-enrolled; r.Err != nil {
					b.unheard(r.Err)
				}
			}()
		}
		return err
	}()
	if err != nil {
		close(answered)
		b.unheard(err)
	}
}

// settle has the loop not asked any more, and waits for its answer if it was: gnet waits for that too, and for ever if the engine ends before. It gives up
// when the engine has ended by itself, or after a second.
func (b *bell) settle() {
	b.mu.Lock()
	b.silent = true
	hung := b.hung
	b.mu.Unlock()
	if hung == nil {
		return
	}
	lost := time.NewTimer(time.Second)
	defer lost.Stop()
	select {
	case <-hung:
	case <-b.loop.s.ended:
	case <-lost.C:
	}
}

// unheard says that who would ring does without.
func (b *bell) unheard(err error) {
	b.loop.s.o.Logger.Warn("an event loop hears no bell", "loop", b.loop.index, "error", err)
}

// ring has the loop take a turn; false when it hears no bell. Any goroutine.
func (b *bell) ring() bool {
	if !b.heard.Load() {
		return false
	}
	_, err := unix.Write(b.rope, chime[:])
	return err == nil || err == unix.EAGAIN // a full rope rings too
}

var chime = [1]byte{}

// rung is the turn of a bell. On the loop.
func (b *bell) rung() {
	l := b.loop
	// Whoever is woken by what is told now is woken in this turn.
	l.woken.Store(true)
	l.s.o.Rung(l.index)
	l.deliver()
}
