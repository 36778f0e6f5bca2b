package replica

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

// peer is a connection to a master that says what a test wants.
type peer struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, l *Leader) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &peer{t, conn}
}

func (p *peer) report(offset int64) {
	p.t.Helper()
	if _, err := p.conn.Write(binary.BigEndian.AppendUint64(nil, uint64(offset))); err != nil {
		p.t.Fatal(err)
	}
}

// frame reads one frame.
func (p *peer) frame() (header, []byte) {
	p.t.Helper()
	b := make([]byte, headerBytes)
	if _, err := io.ReadFull(p.conn, b); err != nil {
		p.t.Fatal(err)
	}
	h := parseHeader(b)
	if h.size < 0 || h.size > pieceBytes {
		p.t.Fatalf("%+v", h)
	}
	body := make([]byte, h.size)
	if _, err := io.ReadFull(p.conn, body); err != nil {
		p.t.Fatal(err)
	}
	return h, body
}

// ended waits until the master has closed the connection.
func (p *peer) ended() {
	p.t.Helper()
	if _, err := io.Copy(io.Discard, p.conn); err != nil && err.(net.Error).Timeout() {
		p.t.Fatal("the connection stays open")
	}
}

// TestStockSlave: a slave that reports 0 gets the last segment, in blocks as stock sends them or as they were asked for, and heartbeats
// when there is nothing.
func TestStockSlave(t *testing.T) {
	for asked, want := range map[int]int{0: stockPieceBytes, 1000: 1000} {
		t.Run(fmt.Sprintf("PieceBytes=%d", asked), func(t *testing.T) { followAsStock(t, asked, want) })
	}
}

func followAsStock(t *testing.T, asked, most int) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 300)
	arrive(t, master, end)
	l := lead(t, master, LeaderOptions{Copies: 1, PieceBytes: asked})
	p := dial(t, l)
	p.report(0)
	at := end - end%testSegment
	want := content(t, master, at)
	var got []byte
	beats, largest := 0, 0
	for beats < 2 || at < end { // a sender that is held up may say between two pieces that it is there
		h, body := p.frame()
		if h.offset != at || len(body) > most {
			t.Fatalf("%+v where the slave has everything to %d", h, at)
		}
		if len(body) == 0 {
			beats++
		}
		largest = max(largest, len(body))
		got, at = append(got, body...), at+int64(len(body))
	}
	if largest > most || largest < most/2 {
		t.Errorf("blocks of up to %d bytes, want %d", largest, most)
	}
	if !bytes.Equal(got, want) || at != end {
		t.Errorf("%d bytes to %d, want %d to %d", len(got), at, len(want), end)
	}
	p.report(at)
	eventually(t, "acknowledged", func() bool { s := l.Slaves(); return len(s) == 1 && s[0].AckOffset == end && !s[0].Ours })
}

// TestPieceBytes: what is asked for counts, within what the peer can take.
func TestPieceBytes(t *testing.T) {
	for _, c := range []struct {
		asked int
		ours  bool
		want  int
	}{{0, true, 1 << 20}, {0, false, 32 << 10}, {5000, true, 5000}, {5000, false, 5000}, {1 << 30, true, 64 << 20}, {1 << 30, false, 1 << 20}} {
		if got := (&LeaderOptions{PieceBytes: c.asked}).piece(c.ours); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// TestSaysWhenThereAreEnoughCopies: that there are too few is a warning, that there are enough again is none.
func TestSaysWhenThereAreEnoughCopies(t *testing.T) {
	w := &warnings{}
	master, slave := open(t, options(disk.NewMemory(), true)), open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 2, Logger: slog.New(w)})
	for i := range 3 {
		f := follow(t, slave, l, FollowerOptions{})
		eventually(t, "enough", func() bool { return l.Agreed().Enough })
		f.Close()
		// The agreement is published before its line is written.
		eventually(t, "not enough", func() bool { return !l.Agreed().Enough && w.count(tooFewCopies) >= i+2 })
		if n := w.count(tooFewCopies); n != i+2 {
			t.Errorf("%d warnings, want %d", n, i+2)
		}
	}
}

// TestStockSlaveGoesOn: one that has a part gets the rest, over the ends of segments but no block across one.
func TestStockSlaveGoesOn(t *testing.T) {
	master := open(t, options(disk.NewMemory(), false))
	end := put(t, master, 0, 300)
	arrive(t, master, end)
	l := lead(t, master, LeaderOptions{Copies: 1})
	p := dial(t, l)
	at := int64(testSegment / 2)
	want := content(t, master, at)
	p.report(at)
	var got []byte
	for at < end {
		h, body := p.frame()
		if h.offset != at || at/testSegment != (at+int64(len(body))-1)/testSegment && len(body) > 0 {
			t.Fatalf("%d bytes %+v where the slave has everything to %d", len(body), h, at)
		}
		got, at = append(got, body...), at+int64(len(body))
		p.report(at)
	}
	if !bytes.Equal(got, want) {
		t.Error("other bytes were sent than the log has")
	}
}

// TestNothingBeforeReport: the master says nothing to a peer that has said nothing, and ends it after a while.
func TestNothingBeforeReport(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	put(t, master, 0, 3)
	l := lead(t, master, LeaderOptions{Copies: 1, HousekeepingTime: 100 * time.Millisecond})
	p := dial(t, l)
	if b, err := io.ReadAll(p.conn); len(b) != 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	eventually(t, "counted", func() bool { return l.Garbage() == 1 })
}

// TestGarbage: what speaks something else is ended at once, and none of it is remembered.
func TestGarbage(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 3)
	arrive(t, master, end)
	l := lead(t, master, LeaderOptions{Copies: 2})
	broken := hello{version: 1, segmentBytes: testSegment}.append(nil)
	broken[20]++
	for _, text := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\xff\xff\xff\xff\xff\xff\xff\xff",
		"\x00\x00\x00\x9b\x00\x00\x00\x97{\"code\":105", "PING\r\n", string(broken), "",
	} {
		p := dial(t, l)
		if _, err := io.WriteString(p.conn, text); err != nil {
			t.Fatal(err)
		}
		if len(text) < reportBytes {
			p.conn.Close()
			continue
		}
		p.ended()
	}
	// One that begins well and goes on badly.
	for _, second := range []int64{end + 1, -1, 1 << 60} {
		p := dial(t, l)
		p.report(end)
		p.frame()
		p.report(second)
		p.ended()
	}
	eventually(t, "everything is over, and no connection remembered", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.garbage >= 6 && len(l.peers) == 0
	})
	if len(l.Refusals()) != 0 {
		t.Errorf("%+v", l.Refusals())
	}
}

// TestManyProbes: connections that say nothing do not keep a slave out.
func TestManyProbes(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 3)
	l := lead(t, master, LeaderOptions{Copies: 1})
	var probes []*peer
	for range 3 * maxPeers {
		probes = append(probes, dial(t, l))
	}
	slave := open(t, options(disk.NewMemory(), true))
	follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, end)
	l.mu.Lock()
	if n := len(l.peers); n > 2*maxPeers { // those that were shown out may not have left yet
		t.Errorf("%d connections", n)
	}
	l.mu.Unlock()
	probes[0].ended()
}

// TestSlowSlave: a slave that takes nothing keeps nobody waiting, and is ended when it says nothing either.
func TestSlowSlave(t *testing.T) {
	master := open(t, fileOptions(t, 4<<20))
	l := lead(t, master, LeaderOptions{Copies: 1, HousekeepingTime: 2 * time.Second})
	stuck := dial(t, l)
	end := put(t, master, 0, 5)
	arrive(t, master, end)
	stuck.report(end)
	slave := open(t, fileOptions(t, 4<<20))
	follow(t, slave, l, FollowerOptions{})
	end = put(t, master, 5, 10_000) // some 15 MB, more than sockets hold
	arrive(t, slave, end)
	arrive(t, master, end) // which may be slower to show what it sent
	eventually(t, "the one that says nothing is ended", func() bool { return len(l.Slaves()) == 1 })
	same(t, master, slave, 0)
}

// fileOptions are options of a store in files with segments of a size.
func fileOptions(t *testing.T, segment int64) (o store.Options) {
	o = options(disk.OS(), false)
	o.Root = t.TempDir()
	o.CommitLogDir = o.Root + "/commitlog"
	o.SegmentBytes, o.TailBytes = segment, 1<<20
	return o
}

// TestStockAhead: a stock slave with more than the master has is told apart from one that follows, and said once.
func TestStockAhead(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 30)
	arrive(t, master, end)
	w := &warnings{}
	l := lead(t, master, LeaderOptions{Copies: 1, Logger: slog.New(w)})
	for range 5 {
		p := dial(t, l)
		p.report(end + 100)
		p.ended()
	}
	eventually(t, "noted", func() bool { r := l.Refusals(); return len(r) == 1 && r[0].Times == 5 })
	if r := l.Refusals()[0]; r.Why != slaveAhead.String() || r.Offset != end+100 || r.Host != "127.0.0.1" {
		t.Errorf("%+v", r)
	}
	if n := w.count("slave refused"); n != 1 {
		t.Errorf("said %d times", n)
	}
	p := dial(t, l)
	p.report(end)
	p.frame()
	if r := l.Refusals(); len(r) != 0 {
		t.Errorf("%+v after it was taken", r)
	}
}

// TestPace: a slave is sent no more per second than was allowed.
func TestPace(t *testing.T) {
	now := time.Now()
	p := paced{perSecond: 1 << 20}
	var wait time.Duration
	for range 8 {
		wait = p.wait(1 << 20)
	}
	if since := time.Since(now); wait > 8*time.Second || wait < 8*time.Second-since-time.Millisecond {
		t.Errorf("8 MiB are to take %v", wait)
	}
	if (&paced{}).wait(1<<30) != 0 {
		t.Error("without a bound there is a wait")
	}
	var m meter
	m.count(1000, 0)
	m.count(500, 500*time.Millisecond)
	if got := m.rate(time.Second); got != 1500 {
		t.Errorf("%d bytes/s", got)
	}
	if got := m.rate(10 * time.Second); got != 0 {
		t.Errorf("%d bytes/s of an idle slave", got)
	}
}

// TestHangUp: when a slave is given up, the kernel sends nothing more to it, so that it never sends what a segment's pages have become once nothing pins
// them; when the leader ends, the slave gets what was given to the kernel.
func TestHangUp(t *testing.T) {
	for _, ends := range []bool{false, true} {
		t.Run(fmt.Sprintf("leader ends=%v", ends), func(t *testing.T) {
			o := fileOptions(t, 1<<20)
			o.SyncFlush = true
			master := open(t, o)
			first := put(t, master, 0, 1)
			end := put(t, master, 1, 600)
			arrive(t, master, end)
			left := &sayings{text: []byte("slave left")}
			l := lead(t, master, LeaderOptions{Copies: 1, HousekeepingTime: time.Hour, SlaveTimeout: time.Hour, PieceBytes: 256 << 10, Logger: slog.New(slog.NewTextHandler(left, nil))})
			p := dial(t, l)
			p.report(first) // more is on its way then than the slave's side takes while nobody reads it
			eventually(t, "under way", func() bool { s := l.Slaves(); return len(s) == 1 && s[0].SentOffset > first+256<<10 })
			if ends {
				l.Close()
			} else {
				p.report(end + 1) // which it cannot have
				eventually(t, "given up", func() bool { return left.n.Load() > 0 })
			}
			n, err := io.Copy(io.Discard, p.conn)
			if reset := errors.Is(err, syscall.ECONNRESET); reset == ends || err != nil && !reset || n == 0 {
				t.Errorf("%d bytes came, and then %v", n, err)
			}
		})
	}
}

// TestWatchRests: without slaves nothing ticks, unless something is stored.
func TestWatchRests(t *testing.T) {
	s := open(t, options(disk.NewMemory(), true))
	l := lead(t, s, LeaderOptions{})
	for from := range 2 {
		eventually(t, "nothing ticks", l.resting.Load)
		arrive(t, s, put(t, s, from, 1))
		eventually(t, "commits are looked at", func() bool { return !l.resting.Load() })
	}
}
