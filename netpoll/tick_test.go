package netpoll

import (
	"context"
	"slices"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestSilent: a loop that is held up is told apart from one that turns, however many ask, and speaks again when it goes on.
func TestSilent(t *testing.T) {
	reached, gate := make(chan int, 1), make(chan struct{})
	h := &testHandler{serve: func(c *Conn, req *remoting.Command) Verdict {
		if string(req.Body) == "hold" {
			reached <- c.Loop()
			<-gate
		}
		c.PutOut(remoting.AppendReply(c.Out(), req.Encoding, req.Opaque, 0, ""))
		return Done
	}}
	s, addr := serve(t, Options{Loops: 2}, h)
	if silent := s.Silent(within(t)); len(silent) != 0 {
		t.Fatalf("silent without a connection: %v", silent)
	}
	first := dialTest(t, addr, DialOptions{})
	for range 4 {
		dialTest(t, addr, DialOptions{})
	}
	if silent := s.Silent(within(t)); len(silent) != 0 {
		t.Fatalf("silent: %v", silent)
	}
	answered := make(chan error, 1)
	go func() {
		req := remoting.NewRequest(remoting.CodeHeartBeat)
		req.Body = []byte("hold")
		_, err := first.Call(context.Background(), req)
		answered <- err
	}()
	held := <-reached
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		if silent := s.Silent(ctx); !slices.Contains(silent, held) {
			t.Errorf("loop %d is held up, silent are %v", held, silent)
		}
		cancel()
	}
	if a, b := s.loops[held].tick(), s.loops[held].tick(); a == nil || a != b {
		t.Error("a loop that has not answered is asked again")
	}
	close(gate)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if silent := s.Silent(within(t)); len(silent) != 0 {
		t.Errorf("silent after it went on: %v", silent)
	}
}
