package netpoll

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
)

// TestListeners: a connection knows by which address it came, also when only the hosts differ, and its own address.
func TestListeners(t *testing.T) {
	type seen struct {
		listener int
		local    netip.AddrPort
	}
	got := make(chan seen, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		got <- seen{c.Listener(), c.LocalAddr()}
		return Done
	}
	s, _ := serve(t, Options{Addrs: []string{"127.0.0.1:0", "127.0.0.2:0", ":0"}}, h)
	for i, a := range s.Addrs() {
		to := a
		if a.Addr().IsUnspecified() {
			to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), a.Port())
		}
		c := dialTest(t, to.String(), DialOptions{})
		if err := c.Oneway(remoting.NewRequest(1)); err != nil {
			t.Fatal(err)
		}
		if g := <-got; g.listener != i || g.local != to {
			t.Errorf("listener %d at %v: %+v", i, to, g)
		}
	}
}

// TestOneWritePerTurn: the answers to what came together leave together.
func TestOneWritePerTurn(t *testing.T) {
	_, addr := serve(t, Options{Loops: 1}, &testHandler{})
	conn := rawDial(t, addr)
	var all []byte
	for range 100 {
		all = append(all, remoting.AppendCommand(nil, remoting.NewRequest(1))...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 1<<20)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for b := buf[:n]; len(b) > 0; frames++ {
		total, ok, err := remoting.FrameLength(b)
		if err != nil || !ok || total > len(b) {
			t.Fatal("a write ends inside a frame")
		}
		b = b[total:]
	}
	if frames != 100 {
		t.Errorf("%d answers in the first write", frames)
	}
}

// TestByteByByte: frames may arrive in any pieces.
func TestByteByByte(t *testing.T) {
	_, addr := serve(t, Options{}, &testHandler{})
	conn := rawDial(t, addr)
	req := remoting.NewRequest(1)
	req.Body = []byte("body")
	frame := remoting.AppendCommand(nil, req)
	for i := range frame {
		if _, err := conn.Write(frame[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	var resp remoting.Command
	if err := resp.Decode(readFrame(t, conn)); err != nil || string(resp.Body) != "body" {
		t.Fatal(err, resp)
	}
}

// TestMalformedConnections: what a stock server was sent in recordings and closed on ends the connection here, and no other.
func TestMalformedConnections(t *testing.T) {
	_, addr := serve(t, Options{}, &testHandler{})
	other := dialTest(t, addr, DialOptions{})
	closed := 0
	for _, m := range golden.MalformedConns(t) {
		conn := rawDial(t, addr)
		if _, err := conn.Write(m.Bytes); err != nil {
			t.Fatal(err)
		}
		if m.ClosedBy == "server" {
			closed++
		}
		_ = conn.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("connection %d stays open", m.Conn)
		}
	}
	if closed == 0 {
		t.Error("no recorded connection was closed by the server")
	}
	if _, err := other.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
}

// TestShutdownFlushes: what was answered arrives in full though the peer is slow and goes on asking, and then the end.
func TestShutdownFlushes(t *testing.T) {
	const bodyBytes, answers = 1 << 20, 8
	answered := make(chan struct{}, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		for i := range answers {
			b := remoting.BeginReply(c.Out(), req.Encoding, int32(i), 0)
			b.Body(make([]byte, bodyBytes))
			c.PutOut(b.End())
		}
		c.Pause()
		answered <- struct{}{}
		return Done
	}
	s, addr := serve(t, Options{Loops: 1}, h)
	conn := rawDial(t, addr)
	_ = conn.SetReadBuffer(64 << 10)
	request := remoting.AppendCommand(nil, remoting.NewRequest(1))
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	<-answered
	// These lie unread in the server's socket, which would be reset when it is closed.
	for range 10 {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(within(t)) }()
	until(t, "the beginning of the end", func() bool { return !s.accepting.Load() })
	for i := range answers {
		var resp remoting.Command
		if err := resp.Decode(readFrame(t, conn)); err != nil || resp.Opaque != int32(i) || len(resp.Body) != bodyBytes {
			t.Fatal(err, resp.Opaque, len(resp.Body))
		}
	}
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if h.closed.Load() != h.opened.Load() {
		t.Fatal("not every connection was closed")
	}
}

// TestShutdownDoesNotWaitForEver for a peer that does not read.
func TestShutdownDoesNotWaitForEver(t *testing.T) {
	answered := make(chan struct{})
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		b.Body(make([]byte, 15<<20))
		c.PutOut(b.End())
		close(answered)
		return Done
	}
	s, addr := serve(t, Options{Loops: 1}, h)
	conn := rawDial(t, addr)
	if _, err := conn.Write(remoting.AppendCommand(nil, remoting.NewRequest(1))); err != nil {
		t.Fatal(err)
	}
	<-answered
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(ctx); err != nil {
		t.Fatal("a second time:", err)
	}
}

// TestEngineThatEndsByItself is run again on the same address: gnet ends it when accept fails.
func TestEngineThatEndsByItself(t *testing.T) {
	h := &testHandler{}
	s, addr := serve(t, Options{Loops: 2}, h)
	c := dialTest(t, addr, DialOptions{})
	if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
	s.gate.RLock() // as the engine's end does
	fd, err := s.engine.DupListener("tcp", addr)
	s.gate.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Shutdown(fd, unix.SHUT_RDWR), unix.Close(fd)); err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	until(t, "another engine", func() bool {
		d, err := Dial(within(t), addr, DialOptions{})
		if err != nil {
			return false
		}
		defer d.Close()
		_, err = d.Call(within(t), remoting.NewRequest(1))
		s.Wake(0)
		s.Wake(1)
		return err == nil
	})
	if h.closed.Load() == 0 {
		t.Fatal("the handler was not told")
	}
}

func TestTooManyConnections(t *testing.T) {
	s, addr := serve(t, Options{MaxConns: 2, isLocal: nobody}, &testHandler{})
	a, b := dialTest(t, addr, DialOptions{}), dialTest(t, addr, DialOptions{})
	for _, c := range []*Client{a, b} {
		if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
			t.Fatal(err)
		}
	}
	<-dialTest(t, addr, DialOptions{}).Done()
	a.Close()
	until(t, "room", func() bool { return s.door.inside() == 1 })
	if _, err := dialTest(t, addr, DialOptions{}).Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
}

// TestSendsFromManyGoroutines: copies, in the order of each sender, large ones between small ones.
func TestSendsFromManyGoroutines(t *testing.T) {
	conns := make(chan *Conn, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		conns <- c
		return Done
	}
	_, addr := serve(t, Options{}, h)
	conn := rawDial(t, addr)
	if _, err := conn.Write(remoting.AppendCommand(nil, remoting.NewRequest(1))); err != nil {
		t.Fatal(err)
	}
	c := <-conns
	const senders, each = 4, 50
	for i := range senders {
		go func() {
			var buf []byte
			for n := range each {
				buf = remoting.AppendReply(buf[:0], remoting.JSON, int32(n), int32(i), string(bytes.Repeat([]byte("x"), n%5*30_000)))
				if err := c.Send(buf); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	var next [senders]int32
	for range senders * each {
		var resp remoting.Command
		if err := resp.Decode(readFrame(t, conn)); err != nil {
			t.Fatal(err)
		}
		if resp.Opaque != next[resp.Code] {
			t.Fatalf("sender %d: %d, want %d", resp.Code, resp.Opaque, next[resp.Code])
		}
		next[resp.Code]++
	}
}

// TestClientGivesUpWriting to a server that reads nothing.
func TestClientGivesUpWriting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := dialTest(t, l.Addr().String(), DialOptions{WriteTimeout: 20 * time.Millisecond})
	req := remoting.NewRequest(1)
	req.Body = make([]byte, 15<<20)
	if _, err := c.Call(within(t), req); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	<-c.Done()
}

// FuzzConnection: whatever a connection brings, the server answers others.
func FuzzConnection(f *testing.F) {
	for _, code := range []int32{1, 10, 310, 320} {
		frame := remoting.AppendCommand(nil, remoting.NewRequest(code))
		f.Add(frame, 3)
		f.Add(append(frame, frame...), len(frame)-1)
		frame[5] ^= 1
		f.Add(frame, 1)
	}
	f.Add([]byte{0, 0, 0, 4, 0, 0, 0, 0}, 5)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, 0)
	s, err := Serve(Options{Addrs: []string{"127.0.0.1:0"}, Loops: 1, Logger: slog.New(slog.DiscardHandler)}, &testHandler{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	var served atomic.Int64
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		conn := rawDial(t, s.Addrs()[0].String())
		cut = min(max(cut, 0), len(b))
		_, _ = conn.Write(b[:cut])
		_, _ = conn.Write(b[cut:])
		_ = conn.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("neither answered nor closed")
		}
		_ = conn.Close()
		if served.Add(1)%100 == 0 && s.Stats().HeldBytes > 1<<20 {
			t.Fatalf("%+v", s.Stats())
		}
	})
}
