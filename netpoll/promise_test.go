package netpoll

import (
	"context"
	"sync/atomic"
	"testing"

	"ringmq/netpoll/remoting"
)

// served is the server's side of a connection to a server of one loop.
func served(t *testing.T) (s *Server, c *Conn, client *Client) {
	conns := make(chan *Conn, 1)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		conns <- c
		c.PutOut(replyTo(c.Out(), req))
		return Done
	}
	s, addr := serve(t, Options{Loops: 1}, h)
	client = dialTest(t, addr, DialOptions{})
	if _, err := client.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
	return s, <-conns, client
}

// TestTasksThatAnEngineTakesAlong are heard of, once each, and hold no memory: gnet runs not all that it has when it ends by itself.
func TestTasksThatAnEngineTakesAlong(t *testing.T) {
	s, c, _ := served(t)
	entered, gate := make(chan struct{}), make(chan struct{})
	if err := c.Do(func() { close(entered); <-gate }); err != nil {
		t.Fatal(err)
	}
	<-entered
	var ran, lost atomic.Int64
	const tasks = 100
	for range tasks {
		if err := c.DoOr(func() { ran.Add(1) }, func() { lost.Add(1) }); err != nil {
			t.Fatal(err)
		}
		if err := c.DoHolding(1000, func() { ran.Add(1) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.mailed.Load(); got != tasks*1000 {
		t.Fatal(got, "bytes are held")
	}
	s.gate.RLock()
	engine := s.engine
	s.gate.RUnlock()
	ended := make(chan error, 1)
	go func() { ended <- engine.Stop(context.Background()) }()
	until(t, "all are heard of", func() bool { return lost.Load() == tasks && s.mailed.Load() == 0 })
	if err := c.Do(func() {}); err == nil {
		t.Error("the loop takes tasks at its end")
	}
	close(gate) // from here on the engine runs what it still gets to
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if ran.Load() != 0 || lost.Load() != tasks || s.mailed.Load() != 0 || len(c.loop.promises) != 0 {
		t.Error(ran.Load(), "ran,", lost.Load(), "were lost,", s.mailed.Load(), "bytes are held by", len(c.loop.promises))
	}
}

// TestPromisesAreKept: where the loop goes on fn runs, and lost does not; once the connection has ended neither does.
func TestPromisesAreKept(t *testing.T) {
	_, c, client := served(t)
	var wrong atomic.Int64
	for range 10 {
		ran := make(chan struct{})
		if err := c.DoOr(func() { close(ran) }, func() { wrong.Add(1) }); err != nil {
			t.Fatal(err)
		}
		<-ran
	}
	client.Close()
	until(t, "its end", c.IsClosed)
	if err := c.DoOr(func() { wrong.Add(1) }, func() { wrong.Add(1) }); err == nil {
		t.Error("a connection that has ended takes tasks")
	}
	if len(c.loop.promises) != 0 || wrong.Load() != 0 {
		t.Error(len(c.loop.promises), wrong.Load())
	}
}
