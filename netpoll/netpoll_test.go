package netpoll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/netpoll/remoting"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The pool of gnet's that its engine never ends.
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// testHandler answers everything with its body, unless told otherwise.
type testHandler struct {
	serve          func(c *Conn, req *remoting.Command) Verdict
	woken          func(loop int)
	opened, closed atomic.Int64
}

func (h *testHandler) Opened(*Conn)        { h.opened.Add(1) }
func (h *testHandler) Closed(*Conn, error) { h.closed.Add(1) }
func (h *testHandler) Woken(loop int) {
	if h.woken != nil {
		h.woken(loop)
	}
}
func (h *testHandler) Serve(c *Conn, req *remoting.Command) Verdict {
	if h.serve != nil {
		return h.serve(c, req)
	}
	b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
	b.Body(req.Body)
	c.PutOut(b.End())
	return Done
}

func serve(t testing.TB, o Options, h Handler) (*Server, string) {
	t.Helper()
	if o.Addrs == nil {
		o.Addrs = []string{"127.0.0.1:0"}
	}
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Serve(o, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.ReleaseBells()
	})
	return s, s.Addrs()[0].String()
}

func dialTest(t testing.TB, addr string, o DialOptions) *Client {
	t.Helper()
	c, err := Dial(context.Background(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestManyCallsOnManyConnections(t *testing.T) {
	_, addr := serve(t, Options{}, &testHandler{})
	var all sync.WaitGroup
	for i := range 4 {
		c := dialTest(t, addr, DialOptions{})
		for k := range 8 {
			all.Add(1)
			go func() {
				defer all.Done()
				for n := range 50 {
					req := remoting.NewRequest(1)
					req.Body = []byte(strings.Repeat(fmt.Sprint(i, k, n, " "), 1+n*100))
					if n%2 == 0 {
						req.Encoding = remoting.Binary
					}
					resp, err := c.Call(within(t), req)
					if err != nil || string(resp.Body) != string(req.Body) || resp.Encoding != req.Encoding {
						t.Error(err)
						return
					}
				}
			}()
		}
	}
	all.Wait()
}

func TestAnUndecodableHeaderIsAnsweredAndABrokenFrameCloses(t *testing.T) {
	_, addr := serve(t, Options{}, &testHandler{})
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	header := `{"code":1,"opaque":77,"extFields":{`
	frame := append([]byte{0, 0, 0, byte(4 + len(header)), 0, 0, 0, byte(len(header))}, header...)
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	var resp remoting.Command
	if err := resp.Decode(buf[:n]); err != nil || resp.Opaque != 77 || resp.Code != remoting.RespSystemError {
		t.Fatal(err, resp)
	}
	if _, err := conn.Write([]byte{0x7f, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(buf); err != io.EOF {
		t.Fatalf("a frame of 2 GiB: %v", err)
	}
}

func TestRequestsToTheClient(t *testing.T) {
	conns := make(chan *Conn, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		conns <- c
		return Done
	}
	_, addr := serve(t, Options{}, h)
	var client *Client
	ready := make(chan struct{})
	client = dialTest(t, addr, DialOptions{OnRequest: func(req *remoting.Command) {
		<-ready
		if req.Code == 40 {
			_ = client.Reply(remoting.AppendReply(nil, req.Encoding, req.Opaque, 7, "seven"))
		}
	}})
	close(ready)
	if err := client.Oneway(remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
	c := <-conns
	got := make(chan string, 1)
	c.Request(remoting.NewRequest(40), time.Minute, func(resp *remoting.Command, err error) {
		if err != nil {
			got <- err.Error()
			return
		}
		got <- fmt.Sprint(resp.Code, string(resp.Remark))
	})
	if s := <-got; s != "7seven" {
		t.Fatal(s)
	}
	fails := make(chan error, 1)
	c.Request(remoting.NewRequest(41), time.Millisecond, func(_ *remoting.Command, err error) { fails <- err })
	if err := <-fails; !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	c.Request(remoting.NewRequest(41), time.Minute, func(_ *remoting.Command, err error) { fails <- err })
	c.Close()
	if err := <-fails; !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := c.Send(nil); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestWakeIsCoalescedPerLoop(t *testing.T) {
	release := make(chan struct{})
	var wakes atomic.Int64
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		for range 1000 {
			c.s.Wake(c.Loop())
		}
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		c.PutOut(b.End())
		return Done
	}
	h.woken = func(int) {
		if wakes.Add(1) == 1 {
			close(release)
		}
	}
	_, addr := serve(t, Options{Loops: 1}, h)
	c := dialTest(t, addr, DialOptions{})
	if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
	<-release
	if n := wakes.Load(); n > 2 {
		t.Errorf("%d wake-ups for a thousand calls in one turn", n)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	var now atomic.Int64
	h := &testHandler{}
	_, addr := serve(t, Options{Clock: func() time.Time { return time.Unix(now.Load(), 0) }}, h)
	c := dialTest(t, addr, DialOptions{})
	if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
	now.Store(121)
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("an idle connection stays")
	}
}

// TestOrderlyEndIsQuiet: nothing is logged as an error or a warning, whatever is connected.
func TestOrderlyEndIsQuiet(t *testing.T) {
	for range 20 {
		var log bytes.Buffer
		s, err := Serve(Options{Addrs: []string{"127.0.0.1:0"}, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}, &testHandler{})
		if err != nil {
			t.Fatal(err)
		}
		c := dialTest(t, s.Addrs()[0].String(), DialOptions{})
		if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Shutdown(within(t)); err != nil {
			t.Fatal(err)
		}
		if log.Len() > 0 {
			t.Fatal(log.String())
		}
	}
}

// TestRestartBesideOpenConnections: the port can be bound again at once.
func TestRestartBesideOpenConnections(t *testing.T) {
	s, addr := serve(t, Options{}, &testHandler{})
	c := dialTest(t, addr, DialOptions{})
	if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, again := serve(t, Options{Addrs: []string{addr}}, &testHandler{})
	d := dialTest(t, again, DialOptions{})
	if _, err := d.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
}

func TestAPortInUseIsAnError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Serve(Options{Addrs: []string{l.Addr().String()}, Logger: slog.New(slog.DiscardHandler)}, &testHandler{}); err == nil {
		t.Fatal("a port in use was taken")
	}
}
