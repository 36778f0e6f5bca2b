package broker

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// slowReader is a connection of which nothing is read until it is told to.
type slowReader struct{ conn *net.TCPConn }

func (r *rig) slowReader(requests ...*remoting.Command) slowReader {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.broker.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	s := slowReader{conn.(*net.TCPConn)}
	for _, req := range requests {
		if _, err := conn.Write(remoting.AppendCommand(nil, req)); err != nil {
			r.t.Fatal(err)
		}
	}
	return s
}

// read returns the next answer, nil when it does not come.
func (s slowReader) read(t testing.TB) *remoting.Command {
	_ = s.conn.SetReadDeadline(time.Now().Add(patience))
	var head [4]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		t.Error(err)
		return nil
	}
	frame := append(head[:], make([]byte, binary.BigEndian.Uint32(head[:]))...)
	if _, err := io.ReadFull(s.conn, frame[4:]); err != nil {
		t.Error(err)
		return nil
	}
	var c remoting.Command
	if err := c.Decode(frame); err != nil {
		t.Error(err)
		return nil
	}
	return c.Clone()
}

// TestPullsOfSlowReadersArePutOff: peers that ask and do not read take a bounded part of memory, whether they ask for what is there or
// wait for what comes; a peer that reads and all that is not a pull go on; the pulls are answered when there is memory, with no new
// bytes from anybody.
func TestPullsOfSlowReadersArePutOff(t *testing.T) {
	t.Parallel()
	const budget, peers, each, bodyBytes = 32 << 20, 8, 8, 1 << 20 // what loops put out beyond half of it stays below three quarters
	for name, at := range map[string]int64{"there": 0, "to come": 1} {
		r := &rig{t: t, root: t.TempDir()}
		r.startRoutes("127.0.0.1", 0)
		r.startAltered(func(b *Broker) { b.connBytes, b.connShort = budget, time.Minute })
		c := r.dial()
		send := func(n int64) {
			want(t, c.call(sendTo("Large", 0, "", strings.Repeat("x", bodyBytes))), 0, "")
			r.visibleMax("Large", 0, n)
		}
		send(1)
		if got := bodies(t, c.call(pullOf("G", "Large", 0, 0, "*", 0))); len(got) != 1 { // from now on it is known to read
			t.Fatal(len(got))
		}
		var slow []slowReader
		for range peers {
			asks := []*remoting.Command{request(remoting.CodeGetMaxOffset, "topic", "Large", "queueId", 0)}
			for range each {
				asks = append(asks, pullOf("G", "Large", 0, at, "*", time.Minute))
			}
			slow = append(slow, r.slowReader(asks...))
		}
		if at > 0 {
			r.heldNow(peers * each)
			send(2)
		}
		most := int64(0)
		until(t, "pulls that are put off", func() bool {
			st := r.broker.net.Stats()
			most = max(most, st.OutboundBytes)
			return st.OutboundBytes > budget/2-bodyBytes && r.broker.holds.bytes.Held() > 0 && r.broker.holds.count.Load() == 0
		})
		for range 20 {
			if got := bodies(t, c.call(pullOf("G", "Large", 0, at, "*", 0))); len(got) != 1 || len(got[0]) != bodyBytes {
				t.Fatal("a peer that reads got", len(got))
			}
			most = max(most, r.broker.net.Stats().OutboundBytes)
		}
		loops := int64(len(r.broker.loops))
		if limit := int64(budget/2) + loops*(turnAnswerBytes+2*bodyBytes); most > limit {
			t.Errorf("%s: %d bytes held for peers that do not read, the limit is %d", name, most, limit)
		}
		var reading sync.WaitGroup
		for i, s := range slow {
			if i == 0 {
				_ = s.conn.Close() // what it asked for is forgotten
				continue
			}
			reading.Go(func() {
				for n := range 1 + each {
					if a := s.read(t); a == nil || a.Code != remoting.RespSuccess || (n > 0) != (len(a.Body) > bodyBytes) {
						t.Errorf("answer %d: %v", n, a)
						return
					}
				}
			})
		}
		reading.Wait()
		until(t, "nothing held for anybody", func() bool {
			st := r.broker.net.Stats()
			return r.broker.holds.bytes.Held() == 0 && st.HeldBytes == 0 && st.Paused == 0
		})
		r.stopBroker()
	}
}

// TestLongAnswersNeedMemory: while it is short, what would be long is refused as a broker refuses that has too much to do.
func TestLongAnswersNeedMemory(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.connBytes = 8 << 20 })
	c := r.dial()
	want(t, c.call(sendTo("Large", 0, "", strings.Repeat("x", 3<<20))), 0, "")
	r.visibleMax("Large", 0, 1)
	view := request(remoting.CodeViewMessageById, "offset", 0)
	var slow []slowReader
	for range 5 {
		slow = append(slow, r.slowReader(view, view, view, view))
	}
	another := r.dial()
	short := func() bool { return r.broker.net.Stats().OutboundBytes > 4<<20 }
	until(t, "one who asks while memory is short", func() bool {
		before := short()
		a := another.call(view)
		if a.Code == busy.Code {
			want(t, a, busy.Code, busy.Remark)
			return before && short()
		}
		want(t, a, 0, "")
		if before && short() {
			return false // it may have been less in between: what is on its way goes on into the kernel
		}
		for _, s := range slow { // who asked while answers were on their way was refused
			if _, err := s.conn.Write(remoting.AppendCommand(nil, view)); err != nil {
				t.Fatal(err)
			}
		}
		return false
	})
	want(t, r.dial().call(request(remoting.CodeGetMaxOffset, "topic", "Large", "queueId", 0)), 0, "")
	for _, s := range slow {
		_ = s.conn.Close()
	}
	until(t, "memory", func() bool { return r.broker.net.Stats().OutboundBytes == 0 })
	want(t, c.call(view), 0, "")
}
