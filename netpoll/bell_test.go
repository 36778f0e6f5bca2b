package netpoll

import (
	"context"
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringmq/netpoll/remoting"
)

// lingering are options of a server that has bells, and lingers.
func lingering(rung func(loop int)) Options {
	return Options{Loops: 1, Rung: rung, Linger: 20 * time.Millisecond}
}

// spareProcessor sees to it that a loop that lingers leaves one to the others.
func spareProcessor(t *testing.T) {
	was := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(was + 2)
	t.Cleanup(func() { runtime.GOMAXPROCS(was) })
}

func heard(t *testing.T, s *Server, loop int) int {
	t.Helper()
	until(t, "the bell is heard", func() bool { return s.Bell(loop) >= 0 })
	return s.Bell(loop)
}

// TestABellCallsItsLoop: every byte in the rope has Rung called, then Woken, on the loop.
func TestABellCallsItsLoop(t *testing.T) {
	spareProcessor(t)
	var rung, woken atomic.Int64
	h := &testHandler{woken: func(int) { woken.Add(1) }}
	s, addr := serve(t, lingering(func(loop int) { rung.Add(int64(1 + loop)) }), h)
	if s.Bell(0) != -1 {
		t.Fatal("a loop without a connection hears a bell")
	}
	dialTest(t, addr, DialOptions{})
	rope := heard(t, s, 0)
	for n := range int64(50) {
		if _, err := unix.Write(rope, []byte{1}); err != nil {
			t.Fatal(err)
		}
		until(t, "rung", func() bool { return rung.Load() == n+1 && woken.Load() >= n+1 })
	}
	was := woken.Load()
	s.Wake(0)
	until(t, "woken", func() bool { return woken.Load() > was })
}

// TestALoopThatLingersKeepsNobodyWaiting: tasks, wakes, letters and new connections all reach a loop in the middle of its turns.
func TestALoopThatLingersKeepsNobodyWaiting(t *testing.T) {
	spareProcessor(t)
	var last atomic.Pointer[Conn]
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		last.Store(c)
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		c.PutOut(b.End())
		return Done
	}
	s, addr := serve(t, lingering(func(int) {}), h)
	c := dialTest(t, addr, DialOptions{})
	heard(t, s, 0)
	for range 100 {
		if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
			t.Fatal(err)
		}
		// The loop lingers now.
		ran := make(chan struct{})
		if err := last.Load().Do(func() { close(ran) }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ran:
		case <-time.After(patience):
			t.Fatal("a task did not run")
		}
	}
	if _, err := dialTest(t, addr, DialOptions{}).Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
}

// TestBellsOutliveTheEngine: an engine that ends by itself takes no bell along.
func TestBellsOutliveTheEngine(t *testing.T) {
	spareProcessor(t)
	var rung atomic.Int64
	s, addr := serve(t, lingering(func(int) { rung.Add(1) }), &testHandler{})
	dialTest(t, addr, DialOptions{})
	rope := heard(t, s, 0)
	s.gate.RLock()
	engine := s.engine
	s.gate.RUnlock()
	if err := engine.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	until(t, "nobody hears it", func() bool { return s.Bell(0) == -1 })
	until(t, "another engine", func() bool {
		c, err := Dial(context.Background(), addr, DialOptions{})
		if err != nil {
			return false
		}
		t.Cleanup(c.Close)
		return true
	})
	if again := heard(t, s, 0); again != rope {
		t.Fatal(again, rope)
	}
	if _, err := unix.Write(rope, []byte{1}); err != nil {
		t.Fatal(err)
	}
	until(t, "rung", func() bool { return rung.Load() > 0 })
}

// TestStopsWhileABellIsHung: a server that is shut down right behind its first connection leaves nobody waiting for a loop that is gone, which
// TestMain would find.
func TestStopsWhileABellIsHung(t *testing.T) {
	spareProcessor(t)
	for range 30 {
		s, addr := serve(t, lingering(func(int) {}), &testHandler{})
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the loop has it", func() bool {
			b := s.loops[0].bell
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.hung != nil
		})
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}
