package netpoll

import (
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestBudgetSpentOnHalfFrames: when memory is full of frames of which none is complete, they complete one after the other.
func TestBudgetSpentOnHalfFrames(t *testing.T) {
	const frameBytes, budget, peers = 1 << 20, 2 << 20, 8
	s, addr := serve(t, Options{Loops: 2, TotalBytes: budget}, &testHandler{})
	req := remoting.NewRequest(1)
	req.Body = make([]byte, frameBytes)
	frame := remoting.AppendCommand(nil, req)
	most := int64(0)
	done := make(chan error, peers)
	halves := make(chan struct{})
	var wrote atomic.Int64
	for range peers {
		conn := rawDial(t, addr)
		go func() {
			// Half of the frame is more than the socket's buffers may hold back, so not all of them get this far by themselves.
			_, err := conn.Write(frame[:frameBytes/2])
			if err == nil {
				wrote.Add(1)
				<-halves
				_, err = conn.Write(frame[frameBytes/2:])
			}
			if err == nil {
				readFrame(t, conn)
			}
			done <- err
		}()
	}
	until(t, "a spent budget", func() bool { return s.Stats().Paused > 0 })
	close(halves)
	for left := peers; left > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			left--
		case <-time.After(10 * time.Second):
			t.Fatalf("%d of %d frames never completed: %+v", left, peers, s.Stats())
		default:
			most = max(most, s.Stats().InboundBytes)
		}
	}
	// One frame may complete above the budget, and every connection has what it was reading when the budget was spent.
	if limit := int64(budget + frameBytes + peers*2*readBufferBytes); most > limit {
		t.Errorf("%d bytes held, the limit is %d", most, limit)
	}
	until(t, "empty buffers", func() bool { return s.Stats().HeldBytes == 0 && s.Stats().Paused == 0 && s.turn.Load() == 0 })
}

// TestSmallFramesPassASpentBudget: heartbeats go on beside those who spent the budget; who blocks it is closed.
func TestSmallFramesPassASpentBudget(t *testing.T) {
	var now atomic.Int64
	s, addr := serve(t, Options{Loops: 1, TotalBytes: 200 << 10, sweepInterval: time.Millisecond, Clock: func() time.Time { return time.Unix(now.Load(), 0) }}, &testHandler{})
	req := remoting.NewRequest(1)
	req.Body = make([]byte, 1<<20)
	frame := remoting.AppendCommand(nil, req)
	for range 3 {
		if _, err := rawDial(t, addr).Write(frame[:150<<10]); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "a spent budget", func() bool { return s.Stats().Paused > 0 && s.turn.Load() != 0 })
	c := dialTest(t, addr, DialOptions{})
	for range 10 {
		if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
			t.Fatal(err)
		}
	}
	// The one whose turn it is does not get on, nor does the next; without them the third is within the budget.
	for range 2 {
		blocks := s.turn.Load()
		now.Add(11)
		until(t, "the end of the one that blocks", func() bool { return s.turn.Load() != blocks })
		until(t, "another turn or an eased budget", func() bool { return s.turn.Load() != 0 || s.Stats().Paused == 0 })
	}
	if st := s.Stats(); st.Connections != 2 || st.Paused != 0 {
		t.Fatalf("%+v", st)
	}
	if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
}
