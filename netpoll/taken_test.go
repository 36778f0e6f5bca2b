package netpoll

import (
	"io"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

type takenAt struct {
	took time.Duration
	all  bool
}

// asking answers each request with so many bytes, and says when its socket has taken them.
func asking(bytes int, limit time.Duration) (*testHandler, chan takenAt) {
	told := make(chan takenAt, 16)
	h := &testHandler{}
	h.serve = func(c *Conn, req *remoting.Command) Verdict {
		b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, 0)
		b.Body(make([]byte, bytes))
		c.PutOut(b.End())
		c.WhenTaken(limit, func(took time.Duration, all bool) { told <- takenAt{took, all} })
		return Done
	}
	return h, told
}

func wantTaken(t *testing.T, told chan takenAt) takenAt {
	t.Helper()
	select {
	case at := <-told:
		return at
	case <-time.After(patience):
		t.Fatal("nobody was told")
	}
	return takenAt{}
}

// TestWhenTaken: what the socket takes at once, what the peer takes late, what it does not take within the limit, and what it never
// will; nothing is looked at any more when all are told.
func TestWhenTaken(t *testing.T) {
	frame := remoting.AppendCommand(nil, remoting.NewRequest(1))
	t.Run("at once", func(t *testing.T) {
		h, told := asking(100, time.Hour)
		s, addr := serve(t, Options{Loops: 1}, h)
		for range 3 {
			if _, err := dialTest(t, addr, DialOptions{}).Call(within(t), remoting.NewRequest(1)); err != nil {
				t.Fatal(err)
			}
			if at := wantTaken(t, told); !at.all {
				t.Error(at)
			}
		}
		if n := s.strained.Load(); n != 0 {
			t.Error(n, "are looked at often")
		}
	})
	const large = 12 << 20 // more than the kernel keeps for a socket
	t.Run("late", func(t *testing.T) {
		h, told := asking(large, time.Hour)
		s, addr := serve(t, Options{Loops: 1}, h)
		conn := rawDial(t, addr)
		began := time.Now()
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		until(t, "a socket that is full", func() bool { return s.strained.Load() == 1 })
		full := time.Now()
		until(t, "some time", func() bool { return time.Since(full) > 100*time.Millisecond })
		if len(told) > 0 {
			t.Fatal("told while the peer read nothing")
		}
		waited := time.Since(full)
		if _, err := io.CopyN(io.Discard, conn, large); err != nil {
			t.Fatal(err)
		}
		if at := wantTaken(t, told); !at.all || at.took < waited || at.took > time.Since(began) {
			t.Errorf("%+v, of %s in which nothing was read", at, waited)
		}
		until(t, "nothing to look at", func() bool { return s.strained.Load() == 0 })
	})
	t.Run("limit", func(t *testing.T) {
		h, told := asking(large, 50*time.Millisecond)
		s, addr := serve(t, Options{Loops: 1}, h)
		if _, err := rawDial(t, addr).Write(frame); err != nil {
			t.Fatal(err)
		}
		if at := wantTaken(t, told); at.all || at.took < 50*time.Millisecond {
			t.Errorf("%+v", at)
		}
		until(t, "nothing to look at", func() bool { return s.strained.Load() == 0 })
	})
	t.Run("gone", func(t *testing.T) {
		h, told := asking(large, time.Hour)
		s, addr := serve(t, Options{Loops: 1}, h)
		conn := rawDial(t, addr)
		if _, err := conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		until(t, "a socket that is full", func() bool { return s.strained.Load() == 1 })
		_ = conn.SetLinger(0)
		_ = conn.Close()
		if at := wantTaken(t, told); at.all {
			t.Errorf("%+v", at)
		}
		until(t, "nothing to look at", func() bool { return s.strained.Load() == 0 })
	})
	t.Run("nothing to take", func(t *testing.T) {
		told, trips := make(chan takenAt, 1), make(chan time.Duration, 1)
		h := &testHandler{}
		h.serve = func(c *Conn, req *remoting.Command) Verdict {
			trips <- c.RoundTrip()
			c.WhenTaken(time.Hour, func(took time.Duration, all bool) { told <- takenAt{took, all} })
			return Done
		}
		_, addr := serve(t, Options{Loops: 1}, h)
		if _, err := rawDial(t, addr).Write(frame); err != nil {
			t.Fatal(err)
		}
		if at := wantTaken(t, told); !at.all {
			t.Errorf("%+v", at)
		}
		if d := <-trips; d <= 0 || d > patience {
			t.Error("round trip", d)
		}
	})
}
