package replica

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/store"
	"ringmq/store/disk"
)

// masterOf listens as a master does and gives every connection to fn, in turn.
func masterOf(t *testing.T, fn func(conn *net.TCPConn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			fn(c.(*net.TCPConn))
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// reports reads a hello as a stock master does, and then reports until the end of the connection.
func reports(conn net.Conn, to chan<- int64) {
	var b [reportBytes]byte
	for {
		if _, err := io.ReadFull(conn, b[:]); err != nil {
			close(to)
			return
		}
		to <- int64(binary.BigEndian.Uint64(b[:]))
	}
}

// TestRecordedMaster: what a stock master once sent, to a slave that came with nothing and came again, becomes a log, and is reported
// as stock did.
func TestRecordedMaster(t *testing.T) {
	var units []golden.HAUnit
	var want []byte
	for _, u := range golden.HAUnits(t) {
		if u.Conn > 1 || u.From == "slave" {
			continue
		}
		units = append(units, u)
		if u.Kind == "transfer" {
			want = append(want, u.Bytes[headerBytes:]...)
		}
	}
	conn, reported := 0, make(chan struct{})
	addr := masterOf(t, func(c *net.TCPConn) {
		if conn > 1 {
			return
		}
		if conn == 1 {
			defer close(reported)
		}
		if _, err := io.CopyN(io.Discard, c, helloBytes); err != nil {
			t.Error(err)
		}
		got := make(chan int64, 4096)
		go reports(c, got)
		end := int64(0)
		for _, u := range units {
			if u.Conn == conn && len(u.Bytes) > 0 {
				h := parseHeader(u.Bytes)
				end = h.offset + int64(h.size)
				if _, err := c.Write(u.Bytes); err != nil {
					t.Error(err)
				}
			}
		}
		conn++
		for v := range got {
			if v > end {
				t.Errorf("%d is reported of a log of %d bytes", v, end)
			}
			if v == end {
				return
			}
		}
		t.Errorf("%d was never reported", end)
	})
	o := fileOptions(t, 16<<10) // as it was recorded
	o.MaxMessageBytes = 4 << 10
	slave := open(t, o)
	w := &warnings{}
	f := follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }, Logger: slog.New(w)})
	<-reported
	arrive(t, slave, int64(len(want)))
	if !bytes.Equal(content(t, slave, 0), want) {
		t.Error("the log is not what was sent")
	}
	if st := f.State(); st.Ours || st.DamagedBytes != 0 {
		t.Errorf("%+v %v", st, w.text)
	}
	if len(slave.Queues()) == 0 || len(slave.Gaps()) != 0 {
		t.Errorf("%d queues, gaps %v", len(slave.Queues()), slave.Gaps())
	}
}

// TestStockHello: a stock master, which reads whole groups of eight bytes and believes the last one, understands a hello.
func TestStockHello(t *testing.T) {
	slave := open(t, options(disk.NewMemory(), true))
	end := put(t, slave, 0, 20)
	arrive(t, slave, end)
	read := make(chan []byte, 1)
	addr := masterOf(t, func(c *net.TCPConn) {
		b := make([]byte, 1<<20)
		n, err := c.Read(b)
		if err != nil {
			return // it was closed before it said anything, and comes again unless the test is over
		}
		select {
		case read <- b[:n]:
		default: // it comes again and again
		}
	})
	follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }})
	b := <-read
	if len(b) == 0 || len(b)%reportBytes != 0 || int64(binary.BigEndian.Uint64(b[len(b)-reportBytes:])) != end {
		t.Errorf("%x", b)
	}
}

// TestLastSegment: a slave without a log begins where a stock master does, at the start of its last segment.
func TestLastSegment(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 200)
	arrive(t, master, end)
	from := end - end%testSegment
	want := content(t, master, from)
	addr := masterOf(t, func(c *net.TCPConn) {
		// The heartbeat may come first.
		b := header{offset: from}.append(nil)
		b = append(header{offset: from, size: int32(len(want))}.append(b), want...)
		_, _ = c.Write(b)
		_, _ = io.Copy(io.Discard, c)
	})
	o := options(disk.NewMemory(), true)
	slave := open(t, o)
	f := follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }})
	arrive(t, slave, end)
	if slave.LogMin() != from || !bytes.Equal(content(t, slave, from), want) {
		t.Errorf("the log begins at %d", slave.LogMin())
	}
	for _, q := range slave.Queues() {
		low := slave.MinOffset([]byte(q.Topic), q.QueueID)
		if low == 0 || slave.MaxOffset([]byte(q.Topic), q.QueueID) != master.MaxOffset([]byte(q.Topic), q.QueueID) {
			t.Errorf("%v begins at %d", q, low)
		}
		w := store.Want{Topic: []byte(q.Topic), QueueID: q.QueueID, MaxMessages: 32}
		if _, found, err := slave.Read(&w, nil); err != nil || found.Status != store.StatusOffsetTooSmall || found.NextOffset != low {
			t.Errorf("%v at 0: %v %d, %v", q, found.Status, found.NextOffset, err)
		}
	}
	f.Close()
	shut(t, slave)
	again := open(t, o)
	if again.LogMin() != from || again.LogMax() != end {
		t.Errorf("after a restart the log is %d to %d", again.LogMin(), again.LogMax())
	}
	same(t, master, again, from)
}

// TestOtherSegments: a stock master says nothing of the size of its segments, but one is seen to end where none of the slave's does.
func TestOtherSegments(t *testing.T) {
	o := options(disk.NewMemory(), true)
	o.SegmentBytes /= 2
	master := open(t, o)
	end := put(t, master, 0, 60)
	arrive(t, master, end)
	all := content(t, master, 0)
	addr := masterOf(t, func(c *net.TCPConn) {
		for at := 0; at < len(all); at += stockPieceBytes {
			b := all[at:min(at+stockPieceBytes, len(all))]
			if _, err := c.Write(append(header{offset: int64(at), size: int32(len(b))}.append(nil), b...)); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, c)
	})
	slave := open(t, options(disk.NewMemory(), true))
	f := follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }})
	eventually(t, "refused", func() bool { return strings.Contains(f.State().Refused, "mappedFileSizeCommitLog") })
	f.Close()
	arrive(t, slave, slave.LogMax())
	if n := slave.LogMax(); n > o.SegmentBytes || !bytes.Equal(content(t, slave, 0), all[:n]) {
		t.Errorf("%d bytes were taken", n)
	}
}

// TestOtherMaster: bytes that do not belong behind the log's end are never taken, the log stays as it is.
func TestOtherMaster(t *testing.T) {
	o := options(disk.NewMemory(), true)
	slave := open(t, o)
	end := put(t, slave, 0, 20)
	arrive(t, slave, end)
	before := content(t, slave, 0)
	for _, c := range []struct {
		name   string
		answer []byte
		why    string
	}{
		{"behind", header{offset: end - 50, size: 50}.append(nil), "where this slave's log ends"},
		{"ahead", header{offset: end + 50, size: 50}.append(nil), "where this slave's log ends"},
		{"heartbeat", header{offset: 0}.append(nil), "where this slave's log ends"},
		{"refused", welcome{version: 1, refusal: slaveAhead, end: end - 1, segmentBytes: testSegment}.append(nil), slaveAhead.String()},
		{"differs", welcome{version: 1, refusal: bytesDiffer, end: end + 9, segmentBytes: testSegment}.append(nil), bytesDiffer.String()},
		{"another log that begins here", welcome{version: 1, start: end, min: end, end: end + 9, segmentBytes: testSegment, history: 77}.append(nil), "was no copy of it"},
		{"some day's reason", welcome{version: 9, refusal: 77, end: end + 9, segmentBytes: testSegment}.append(nil), "reason 77"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &warnings{}
			times := make(chan struct{}, 100)
			addr := masterOf(t, func(conn *net.TCPConn) {
				_, _ = conn.Write(c.answer)
				_, _ = conn.Write(make([]byte, 50))
				_, _ = io.Copy(io.Discard, conn)
				times <- struct{}{}
			})
			f := follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }, Logger: slog.New(w), RetryTime: 5 * time.Millisecond})
			for range 3 {
				<-times
			}
			if st := f.State(); !strings.Contains(st.Refused, c.why) || st.Connected {
				t.Errorf("%+v", st)
			}
			if n := w.count("until somebody decides"); n != 1 {
				t.Errorf("said %d times: %v", n, w.text)
			}
			f.Close()
			if !bytes.Equal(content(t, slave, 0), before) || slave.LogMax() != end {
				t.Error("the log has changed")
			}
		})
	}
}

// TestBrokenMaster: whatever a master sends, nothing breaks.
func TestBrokenMaster(t *testing.T) {
	for i, answer := range [][]byte{
		header{offset: 0, size: -1}.append(nil), header{offset: 0, size: 1 << 30}.append(nil), header{offset: -5, size: 1 << 20}.append(nil),
		header{offset: -5, size: 3}.append(nil), []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
		welcome{version: 1, segmentBytes: testSegment, start: 1 << 40, end: 1 << 41}.append(nil)[:40],
		welcome{version: 1, segmentBytes: testSegment, start: 77, end: 1 << 41}.append(nil),
		status{end: 5}.append(nil),
	} {
		slave := open(t, options(disk.NewMemory(), true))
		times, rng := make(chan struct{}, 1000), rand.New(rand.NewSource(int64(i)))
		addr := masterOf(t, func(conn *net.TCPConn) {
			_, _ = conn.Write(answer)
			noise := make([]byte, rng.Intn(300))
			rng.Read(noise)
			_, _ = conn.Write(noise)
			_ = conn.CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
			times <- struct{}{}
		})
		f := follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }, RetryTime: time.Millisecond})
		for range 3 {
			<-times
		}
		f.Close()
		if slave.LogMax() != slave.LogMin() {
			t.Errorf("%q: %d to %d was taken", answer, slave.LogMin(), slave.LogMax())
		}
	}
}

// TestSilentMaster: a connection on which nothing comes is left, and so is the one to a master that is none any more.
func TestSilentMaster(t *testing.T) {
	came, ended := make(chan string, 100), make(chan struct{}, 100)
	silent := func(name string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) {
			came <- name
			_, _ = io.Copy(io.Discard, conn)
			ended <- struct{}{}
		}
	}
	first := masterOf(t, silent("first"))
	slave := open(t, options(disk.NewMemory(), true))
	f := follow(t, slave, nil, FollowerOptions{Master: func() string { return first }, HousekeepingTime: 50 * time.Millisecond})
	<-ended
	<-ended
	f.Close()
	old, next := masterOf(t, silent("old")), masterOf(t, silent("next"))
	var addr atomic.Pointer[string]
	addr.Store(&old)
	follow(t, slave, nil, FollowerOptions{Master: func() string { return *addr.Load() }})
	for name := range came {
		if name == "old" {
			addr.Store(&next)
		}
		if name == "next" {
			return
		}
	}
}

// TestPartOfAPiece: what came of a piece whose rest does not come is acknowledged as far as it is whole, and the rest joins it later.
func TestPartOfAPiece(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	first := put(t, master, 0, 3)
	end := put(t, master, 3, 3)
	arrive(t, master, end)
	want := content(t, master, 0)
	acked := make(chan struct{})
	addr := masterOf(t, func(c *net.TCPConn) {
		if _, err := io.CopyN(io.Discard, c, helloBytes); err != nil {
			return
		}
		got := make(chan int64, 4096)
		go reports(c, got)
		_, _ = c.Write(append(header{size: int32(len(want))}.append(nil), want[:first+100]...))
		for v := range got {
			switch {
			case v == first && acked != nil:
				close(acked)
				acked = nil
				_, _ = c.Write(want[first+100:])
			case v == end:
				return
			case v != 0 && v != first:
				t.Errorf("%d is reported", v)
			}
		}
	})
	slave := open(t, options(disk.NewMemory(), true))
	wait := acked
	follow(t, slave, nil, FollowerOptions{Master: func() string { return addr }, HeartbeatTime: time.Minute})
	<-wait
	arrive(t, slave, end)
	if !bytes.Equal(content(t, slave, 0), want) {
		t.Error("other bytes came")
	}
}

// TestFullSlave: a slave whose disk is full says so once, whatever connections end meanwhile, and not that the master is gone; and says when it goes on.
func TestFullSlave(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 200)
	arrive(t, master, end)
	d := disk.NewFaulty()
	slave := open(t, options(d, true))
	d.SetFree(testSegment / 2)
	stuck, goesOn, gone := &sayings{text: []byte("this slave's log takes nothing that the master sends")}, &sayings{text: []byte("takes what the master sends again")},
		&sayings{text: []byte("no connection to the master")}
	l := lead(t, master, LeaderOptions{Copies: 1})
	o := FollowerOptions{Logger: slog.New(slog.NewTextHandler(io.MultiWriter(stuck, goesOn, gone), nil))}
	f := follow(t, slave, l, o)
	eventually(t, "said", func() bool { return stuck.n.Load() > 0 })
	if s := f.State(); !s.Connected || s.Refused != "" || gone.n.Load() != 0 || goesOn.n.Load() != 0 {
		t.Errorf("%+v, %d times gone, %d times going on", s, gone.n.Load(), goesOn.n.Load())
	}
	d.SetFree(-1)
	arrive(t, slave, end)
	eventually(t, "said to go on", func() bool { return goesOn.n.Load() > 0 })
	if stuck.n.Load() != 1 || goesOn.n.Load() != 1 || gone.n.Load() != 0 {
		t.Errorf("said %d times that it is stuck, %d that it goes on, %d that the master is gone", stuck.n.Load(), goesOn.n.Load(), gone.n.Load())
	}
	same(t, master, slave, 0)
}

// TestOwnLogErrors: what is wrong with this side's log is no lost connection, and is said once over many attempts.
func TestOwnLogErrors(t *testing.T) {
	w := &warnings{}
	f := &Follower{o: FollowerOptions{}, store: open(t, options(disk.NewMemory(), true)), logger: slog.New(w), stop: t.Context()}
	for range 3 {
		f.report("a", ownLogError{store.ErrNotWritable})
		f.began(true) // connected in between
	}
	f.report("a", errFrame)
	if n, lost := w.count("takes nothing that the master sends"), w.count("no connection to the master"); n != 1 || lost != 1 {
		t.Errorf("%d and %d lines: %v", n, lost, w.text)
	}
	if f.lastError() != errFrame.Error() {
		t.Error(f.lastError())
	}
}
