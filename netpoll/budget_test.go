package netpoll

import (
	"net"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestBudgetSpentOnHalfFrames: when memory is full of frames of which none is complete, they complete one after the other.
func TestBudgetSpentOnHalfFrames(t *testing.T) {
	const frameBytes, budget, peers = 1 << 20, 2 << 20, 8
	// Time stands still: on a busy machine a frame may take longer to arrive than a peer has.
	now := time.Now()
	s, addr := serve(t, Options{Loops: 2, TotalBytes: budget, Clock: func() time.Time { return now }}, &testHandler{})
	req := remoting.NewRequest(1)
	req.Body = make([]byte, frameBytes)
	frame := remoting.AppendCommand(nil, req)
	most := int64(0)
	done := make(chan error, peers)
	halves := make(chan struct{})
	for range peers {
		conn := rawDial(t, addr)
		go func() {
			// Half of the frame is more than the socket's buffers may hold back, so not all of them get this far by themselves.
			_, err := conn.Write(frame[:frameBytes/2])
			if err == nil {
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
	look, late := time.NewTicker(100*time.Microsecond), time.After(patience)
	defer look.Stop()
	for left := peers; left > 0; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			left--
		case <-late:
			t.Fatalf("%d of %d frames never completed: %+v", left, peers, s.Stats())
		case <-look.C:
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
	until(t, "the third within the budget", func() bool { st := s.Stats(); return st.Connections == 2 && st.Paused == 0 })
	if _, err := c.Call(within(t), remoting.NewRequest(1)); err != nil {
		t.Fatal(err)
	}
}

// TestPeersThatReadLittleGoWhileMemoryIsShort: who holds much for long and takes little is closed, long before its time is over; who
// reads is known by it, has memory of its own, and stays.
func TestPeersThatReadLittleGoWhileMemoryIsShort(t *testing.T) {
	const budget, answerBytes = 8 << 20, 1 << 20
	var now atomic.Int64
	var refused atomic.Int64
	waiting := make(chan struct{}, 1)
	h := &testHandler{woken: func(int) {
		select {
		case <-waiting:
		default:
		}
	}}
	answer := make([]byte, answerBytes)
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		if !c.Spent() {
			b.Body(answer)
		} else if refused.Add(1) == 1 {
			waiting <- struct{}{}
			c.s.AwaitMemory(c.Loop())
		}
		c.PutOut(b.End())
		return Done
	}
	s, addr := serve(t, Options{Loops: 1, TotalBytes: budget, sweepInterval: time.Millisecond, Clock: func() time.Time { return time.Unix(now.Load(), 0) }}, h)
	reader := dialTest(t, addr, DialOptions{})
	read := func() int {
		resp, err := reader.Call(within(t), remoting.NewRequest(1))
		if err != nil {
			t.Fatal(err)
		}
		return len(resp.Body)
	}
	if read() != answerBytes {
		t.Fatal("no answer")
	}
	frame := remoting.AppendCommand(nil, remoting.NewRequest(1))
	var slow []*net.TCPConn
	for refused.Load() == 0 {
		slow = append(slow, rawDial(t, addr))
		for range 4 {
			if _, err := slow[len(slow)-1].Write(frame); err != nil {
				t.Fatal(err)
			}
		}
		if read() != answerBytes {
			t.Fatal("a peer that reads had to wait for those that do not")
		}
	}
	if held := s.Stats().OutboundBytes; held > budget/4*3 {
		t.Fatal(held, "bytes held")
	}
	now.Add(int64(shortTimeout/time.Second) + 1)
	until(t, "the end of those that read little", func() bool { return s.Stats().OutboundBytes <= budget/2 })
	until(t, "the loop being told", func() bool { return len(waiting) == 0 })
	if read() != answerBytes {
		t.Fatal("the peer that reads is gone")
	}
}
