package replica

import (
	"bytes"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringmq/store"
	"ringmq/store/disk"
)

// watchedFS is the host's file system, and counts what becomes of the files of a directory.
type watchedFS struct {
	disk.FS
	dir  string
	came atomic.Int64 // bytes that were read into this process
	lent atomic.Int64 // times that the kernel was given a file to send from
}

type watchedFile struct {
	disk.File
	fs *watchedFS
}

type lentFile struct {
	syscall.RawConn
	fs *watchedFS
}

func (w *watchedFS) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := w.FS.Open(name, flag, perm)
	if err != nil || filepath.Dir(name) != w.dir {
		return f, err
	}
	return &watchedFile{f, w}, nil
}

func (f *watchedFile) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(b, off)
	f.fs.came.Add(int64(n))
	return n, err
}

func (f *watchedFile) SyscallConn() (syscall.RawConn, error) {
	c, err := f.File.(syscall.Conn).SyscallConn()
	return lentFile{c, f.fs}, err
}

func (l lentFile) Control(fn func(fd uintptr)) error {
	l.fs.lent.Add(1)
	return l.RawConn.Control(fn)
}

// dialNarrow connects as an empty slave of ours that has room for next to nothing.
func dialNarrow(t *testing.T, l *Leader, segment int64) *peer {
	t.Helper()
	narrow := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	}}
	conn, err := narrow.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(4 * time.Minute))
	if _, err := conn.Write(hello{version: helloVersion, segmentBytes: segment}.append(nil)); err != nil {
		t.Fatal(err)
	}
	return &peer{t, conn}
}

// log reads the log from its beginning to end.
func (p *peer) log(end int64) (all []byte) {
	p.t.Helper()
	for int64(len(all)) < end {
		var head [headerBytes]byte
		if _, err := io.ReadFull(p.conn, head[:]); err != nil {
			p.t.Fatalf("after %d bytes: %v", len(all), err)
		}
		h := parseHeader(head[:])
		body := make([]byte, h.size)
		if _, err := io.ReadFull(p.conn, body); err != nil {
			p.t.Fatalf("after %d bytes: %v", len(all), err)
		}
		if h.offset < 0 {
			continue // not of the log
		}
		if h.offset != int64(len(all)) {
			p.t.Fatalf("%d bytes at %d where %d were to follow", h.size, h.offset, len(all))
		}
		all = append(all, body...)
	}
	return all
}

// roll stores messages until the log goes on to another segment.
func roll(t *testing.T, s *store.Store, from int) (end int64) {
	t.Helper()
	segment := s.LogMax() / s.SegmentBytes()
	for s.LogMax()/s.SegmentBytes() == segment {
		end, from = put(t, s, from, 20), from+20
	}
	arrive(t, s, end)
	return end
}

// TestStalledPeerGetsWhatWasSent: a peer reads nothing while the segment is given up that it is being sent, by the kernel from the file. The
// log goes on, and the file is to be one of the next segments: it is not, before the peer has read on, gets the bytes of then, and says so.
func TestStalledPeerGetsWhatWasSent(t *testing.T) {
	for _, c := range []struct {
		name    string
		segment int64
		whole   bool // all of the segment has gone to the socket
	}{{"in the middle of sendfile", 4 << 20, false}, {"in the socket", 256 << 10, true}} {
		t.Run(c.name, func(t *testing.T) { stalledPeer(t, c.segment, c.whole) })
	}
}

func stalledPeer(t *testing.T, segment int64, whole bool) {
	o := fileOptions(t, segment)
	watched := &watchedFS{FS: o.FS, dir: o.CommitLogDir}
	o.FS, o.Spares = watched, 1
	master := open(t, o)
	end := roll(t, master, 0)
	l := lead(t, master, LeaderOptions{Copies: 1, PieceBytes: int(segment), HousekeepingTime: time.Hour})
	old, err := os.ReadFile(filepath.Join(o.CommitLogDir, "00000000000000000000"))
	if err != nil {
		t.Fatal(err)
	}
	watched.came.Store(0)
	p := dialNarrow(t, l, segment)
	sent := func() int64 {
		if list := l.Slaves(); len(list) == 1 {
			return list[0].SentOffset
		}
		return -1
	}
	eventually(t, "sent", func() bool {
		return watched.lent.Load() > 0 && (whole && sent() > segment || !whole && sent() == segment)
	})

	// The segment goes, and two more come.
	master.SetRetention(store.Retention{CommitLogMaxBytes: segment, WarningRatio: 100, DeleteIntervalMs: 1, MaxSegmentsPerRound: 1})
	eventually(t, "given up", func() bool { // what is not durable yet stays
		freed, err := master.CleanNow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return freed == segment
	})
	spare := filepath.Join(o.Root, "ringmq", "spare.tmp")
	file, err := os.Stat(spare)
	if err != nil {
		t.Fatal("what was given up is not kept for another segment: ", err)
	}
	for range 2 {
		end = roll(t, master, int(end))
	}
	if master.LogMin() != segment || !whole && sent() != segment {
		t.Fatalf("the log begins at %d, the peer was sent %d", master.LogMin(), sent())
	}
	if now, err := os.ReadFile(spare); err != nil || !bytes.Equal(now, old) {
		t.Fatal("the file was used again before the peer had its bytes: ", err)
	}

	_ = p.conn.(*net.TCPConn).SetReadBuffer(1 << 20)
	got := p.log(end)
	if !bytes.Equal(got[:segment], old) {
		t.Error("other bytes were sent than the segment had")
	}
	if !bytes.Equal(got[segment:], content(t, master, segment)) {
		t.Error("other bytes were sent than the log has")
	}
	again := func() bool {
		list, err := os.ReadDir(o.CommitLogDir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if info, err := e.Info(); err == nil && os.SameFile(info, file) {
				return true
			}
		}
		return false
	}
	if again() {
		t.Error("the file was used again before the peer had acknowledged its bytes")
	}
	p.report(end)
	go discard(p)
	eventually(t, "the peer holds nothing", func() bool { return l.Slaves()[0].AckOffset == end })
	eventually(t, "the file is a segment again", func() bool { // the next one may have been begun before the file was free
		end = roll(t, master, int(end))
		return again()
	})
}

// TestLargePiecesComeNotBy: an empty slave is sent a log in files from the files: this process does not read them.
func TestLargePiecesComeNotBy(t *testing.T) {
	const segment = 1 << 20
	o := fileOptions(t, segment)
	watched := &watchedFS{FS: o.FS, dir: o.CommitLogDir}
	o.FS = watched
	master, slave := open(t, o), open(t, fileOptions(t, segment))
	end := int64(0)
	for i := range 4 {
		end = roll(t, master, 10_000*i)
	}
	l := lead(t, master, LeaderOptions{Copies: 1})
	watched.came.Store(0)
	follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, end)
	// What is left of the last segment may be too little for it.
	if came, lent := watched.came.Load(), watched.lent.Load(); came > 64<<10 || lent < 4 {
		t.Errorf("of %d bytes of log %d were read here, and the kernel was given a file %d times", end, came, lent)
	}
	same(t, master, slave, 0)
}
