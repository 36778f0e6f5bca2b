package netpoll

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

func rawDial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// patience is how long a test waits for what comes at once on an idle machine.
const patience = 30 * time.Second

// until waits for something that other goroutines bring about, and leaves them the processor meanwhile.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

// writeUntilStalled writes a frame again and again until the peer takes nothing for a while, and returns the whole frames
// written. The frame that is cut is completed by finish.
func writeUntilStalled(t testing.TB, conn *net.TCPConn, frame []byte, limit int64) (frames int64, finish func()) {
	t.Helper()
	written := int64(0)
	for written < limit {
		_ = conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := conn.Write(frame)
		written += int64(n)
		if err != nil {
			return frames, func() {
				_ = conn.SetWriteDeadline(time.Time{})
				if _, err := conn.Write(frame[n:]); err != nil {
					t.Error(err)
				}
			}
		}
		frames++
	}
	t.Fatalf("%d bytes were taken from a peer that should be stalled", written)
	return 0, nil
}

// TestHeldConnectionCostsLittle: a peer that wants to write a gigabyte to a handler that takes nothing is stalled and costs
// at most 1 MiB; the loop's other connections go on; what was written is taken when the handler lets go, without new bytes.
func TestHeldConnectionCostsLittle(t *testing.T) {
	var open atomic.Bool
	var taken atomic.Int64
	conns := make(chan *Conn, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		if string(req.Body) == "ping" {
			b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
			c.PutOut(b.End())
			return Done
		}
		if !open.Load() {
			select {
			case conns <- c:
			default:
			}
			return Hold
		}
		taken.Add(1)
		return Done
	}
	s, addr := serve(t, Options{Loops: 1}, h)
	conn := rawDial(t, addr)
	req := remoting.NewRequest(1)
	req.Body = make([]byte, 32<<10)
	frame := remoting.AppendCommand(nil, req)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	frames, finish := writeUntilStalled(t, conn, frame, 1<<30)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes more heap while the connection is on hold", grown)
	}
	until(t, "the hold", func() bool { st := s.Stats(); return st.Paused == 1 && st.InboundBytes > 0 })
	if st := s.Stats(); st.HeldBytes > 1<<20 {
		t.Errorf("%+v", st)
	}
	other := dialTest(t, addr, DialOptions{})
	ping := remoting.NewRequest(1)
	ping.Body = []byte("ping")
	start := time.Now()
	for range 100 {
		if _, err := other.Call(within(t), ping); err != nil {
			t.Fatal(err)
		}
	}
	if d := time.Since(start); d > patience {
		t.Errorf("a hundred calls took %v beside a connection on hold", d)
	}
	open.Store(true)
	(<-conns).Resume()
	until(t, "the frames written before the hold ended", func() bool { return taken.Load() == frames })
	finish()
	until(t, "the frame that was cut", func() bool { return taken.Load() == frames+1 })
	until(t, "empty buffers", func() bool { return s.Stats().HeldBytes == 0 && s.Stats().Paused == 0 })
}

// TestHeldAgainAndAgain: a frame is offered until it is taken, once each time, and order is kept.
func TestHeldAgainAndAgain(t *testing.T) {
	offers := make(chan *Conn, 100)
	left := 5
	order := make(chan int32, 10)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		if left > 0 {
			left--
			offers <- c
			return Hold
		}
		left = 2
		order <- req.Code
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		c.PutOut(b.End())
		return Done
	}
	_, addr := serve(t, Options{Loops: 1}, h)
	conn := rawDial(t, addr)
	var all []byte
	for i := range int32(10) {
		all = append(all, remoting.AppendCommand(nil, remoting.NewRequest(100+i))...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for range 5 + 9*2 {
		(<-offers).Resume()
	}
	for i := range int32(10) {
		readFrame(t, conn)
		if code := <-order; code != 100+i {
			t.Fatalf("%d served in place of %d", code, 100+i)
		}
	}
}

func readFrame(t testing.TB, r io.Reader) []byte {
	t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	frame := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
	if _, err := io.ReadFull(r, frame[4:]); err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestPauseByTheHandler: nothing is read while paused, and a peer that breaks off is noticed nevertheless.
func TestPauseByTheHandler(t *testing.T) {
	conns := make(chan *Conn, 10)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		conns <- c
		c.Pause()
		return Done
	}
	s, addr := serve(t, Options{Loops: 1}, h)
	conn := rawDial(t, addr)
	frame := remoting.AppendCommand(nil, remoting.NewRequest(1))
	if _, err := conn.Write(append(frame, frame...)); err != nil {
		t.Fatal(err)
	}
	c := <-conns
	if len(conns) != 0 {
		t.Fatal("served while paused")
	}
	c.Resume()
	<-conns
	_ = conn.SetLinger(0)
	_ = conn.Close()
	until(t, "the end of a paused connection", func() bool { return h.closed.Load() == 1 })
	if st := s.Stats(); st.Paused != 0 || st.Connections != 0 {
		t.Fatalf("%+v", st)
	}
}

// TestAPeerThatDoesNotRead is first not read from any more, and goes on when it reads after all.
func TestAPeerThatDoesNotRead(t *testing.T) {
	h := &testHandler{}
	answer := make([]byte, 64<<10)
	var served atomic.Int64
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		served.Add(1)
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		b.Body(answer)
		c.PutOut(b.End())
		return Done
	}
	const bound = 1 << 20
	s, addr := serve(t, Options{Loops: 1, OutboundBytesPerConn: bound}, h)
	conn := rawDial(t, addr)
	_ = conn.SetReadBuffer(64 << 10)
	frame := remoting.AppendCommand(nil, remoting.NewRequest(1))
	const requests = 1000
	go func() {
		for range requests {
			if _, err := conn.Write(frame); err != nil {
				return
			}
		}
	}()
	until(t, "the pause", func() bool { return s.Stats().Paused == 1 })
	// Though one read of 64 KiB holds hundreds of requests, and all their answers would be 30 MiB.
	if held := s.Stats().OutboundBytes; held > 2*bound+int64(len(answer)) {
		t.Fatalf("%d bytes held for a peer that does not read", held)
	}
	before := served.Load()
	if before == requests {
		t.Fatal("everything was served to a peer that does not read")
	}
	for range requests {
		readFrame(t, conn)
	}
	until(t, "the end of the pause", func() bool { return s.Stats().Paused == 0 && s.Stats().HeldBytes == 0 })
}

// TestAPeerThatTakesNothing is closed in the end: after the idle time if it owes reading, at once when too much is sent to it.
func TestAPeerThatTakesNothing(t *testing.T) {
	for _, how := range []string{"time", "bytes"} {
		t.Run(how, func(t *testing.T) {
			var now atomic.Int64
			conns := make(chan *Conn, 1)
			h := &testHandler{}
			h.serve = func(c *Conn, req *remoting.Command) Verdict {
				conns <- c
				return Done
			}
			const bound = 1 << 20
			s, addr := serve(t, Options{Loops: 1, OutboundBytesPerConn: bound, sweepInterval: time.Millisecond, Clock: func() time.Time { return time.Unix(now.Load(), 0) }}, h)
			conn := rawDial(t, addr)
			_ = conn.SetReadBuffer(64 << 10)
			if _, err := conn.Write(remoting.AppendCommand(nil, remoting.NewRequest(1))); err != nil {
				t.Fatal(err)
			}
			c := <-conns
			frame := remoting.AppendReply(nil, remoting.JSON, 1, 0, strings.Repeat("x", 100<<10))
			if how == "time" {
				for s.Stats().Paused == 0 {
					if err := c.Send(frame); err != nil {
						t.Fatal(err)
					}
					until(t, "delivery", func() bool { return c.mailed.Load() == 0 })
				}
				now.Store(60)
				until(t, "a minute's sweep", func() bool { return s.strained.Load() == 1 })
				if c.IsClosed() {
					t.Fatal("closed after a minute")
				}
				// The socket may still take a little, and then the time begins anew.
				until(t, "the end of its time", func() bool { now.Add(1); return c.IsClosed() })
			} else {
				for {
					err := c.Send(frame)
					if errors.Is(err, ErrSlowReader) || errors.Is(err, ErrClosed) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if st := s.Stats(); st.OutboundBytes > closeFactor*bound+1<<20 {
						t.Fatalf("%+v", st)
					}
				}
			}
			until(t, "the end of a connection whose peer takes nothing", c.IsClosed)
			until(t, "its memory", func() bool { return s.Stats() == Stats{} })
		})
	}
}

// TestHeldBesideStuckOutput: a connection on hold that is sent much, which its peer reads in gulps, is not read from behind its
// back: gnet arms reading whenever stuck output has left.
func TestHeldBesideStuckOutput(t *testing.T) {
	conns := make(chan *Conn, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		select {
		case conns <- c:
		default:
		}
		return Hold
	}
	s, addr := serve(t, Options{Loops: 1}, h)
	conn := rawDial(t, addr)
	req := remoting.NewRequest(1)
	req.Body = make([]byte, 32<<10)
	frame := remoting.AppendCommand(nil, req)
	go func() {
		for {
			if _, err := conn.Write(frame); err != nil {
				return
			}
		}
	}()
	c := <-conns
	reply := remoting.AppendReply(nil, remoting.JSON, 1, 0, strings.Repeat("x", 1<<20))
	most := int64(0)
	for range 20 {
		// Enough to be stuck, and then all of it is read.
		for range 8 {
			if err := c.Send(reply); err != nil {
				t.Fatal(err)
			}
		}
		for range 8 {
			readFrame(t, conn)
			most = max(most, s.Stats().InboundBytes)
		}
	}
	if most > 512<<10 {
		t.Errorf("%d bytes were read from a connection on hold", most)
	}
}
