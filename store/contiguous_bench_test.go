package store

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
)

// row is pulls of one queue that has the log for itself: their records lie side by side in the first segment's file, which is in the page cache
// and in no other memory.
type row struct {
	s        *Store
	file     commitlog.Place
	fd       int
	messages int // a pull
	pulls    []rowPull
	out      []byte // the head of an answer, and room for the records of any
	at       int64
}

type rowPull struct {
	queue int64 // offset of the first message
	from  int64 // in the file
	bytes int
}

const (
	rowHead  = 220
	rowBytes = 40 << 20 // of the log, which are sent again and again: more than caches of processors hold
	rowLog   = 80 << 20 // as long is the log
)

// rowOf fills a store with messages of bodies of one size.
func rowOf(b *testing.B, body, messages int) *row {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush, o.IndexEnabled, o.TailBytes = false, false, 24<<20
	o.Limits = Limits{BytesInMemory: 8 << 20}
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	r := &row{s: s, messages: messages}
	m := message("T", 0, strings.Repeat("x", body), "UNIQ_KEY", "7F00000122D94E0E2F2A6DAEF39104F1")
	for at, n := int64(0), 0; at < rowLog; {
		p, err := s.Append(m)
		if errors.Is(err, ErrFull) {
			waitRoom(s)
			continue
		}
		if err != nil {
			b.Fatal(err)
		}
		if at = p.End; at > rowBytes {
			continue
		}
		if n%messages == 0 {
			r.pulls = append(r.pulls, rowPull{queue: p.QueueOffset, from: p.PhysicalOffset})
		}
		r.pulls[len(r.pulls)-1].bytes += int(p.Size)
		n++
	}
	r.pulls = r.pulls[:len(r.pulls)-1] // the last one may have too few
	settled(b, s)
	if r.file, err = s.log.Place(0, rowBytes); err != nil {
		b.Fatal(err)
	}
	r.fd = int(r.file.File.(interface{ Fd() uintptr }).Fd())
	r.out = make([]byte, rowHead, rowHead+8<<20)
	return r
}

func (r *row) close(b *testing.B) {
	r.file.Release()
	if err := r.s.Close(b.Context()); err != nil {
		b.Error(err)
	}
}

// copied reads the records in one call and sends them with their head in another.
func (r *row) copied(sock int, p rowPull) error {
	out := r.out[:rowHead+p.bytes]
	if _, err := r.file.File.ReadAt(out[rowHead:], p.from); err != nil {
		return err
	}
	return sendAll(sock, out, 0)
}

// sent has the kernel send the records out of the file.
func (r *row) sent(sock int, p rowPull) error {
	if err := sendAll(sock, r.out[:rowHead], unix.MSG_MORE); err != nil {
		return err
	}
	for r.at = p.from; p.bytes > 0; {
		n, err := unix.Sendfile(sock, r.fd, &r.at, p.bytes)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		p.bytes -= n
	}
	return nil
}

// pulled has the store read the records, as an event loop does.
func (r *row) pulled(sock int, p rowPull) error {
	budget := 4 << 20
	w := Want{Topic: []byte("T"), Offset: p.queue, MaxMessages: r.messages, Warm: &budget}
	out, f, ok := r.s.ReadHot(&w, r.out)
	if !ok { // a file of the queue that is not open yet
		var err error
		if out, f, err = r.s.Read(&w, r.out); err != nil {
			return err
		}
	}
	if f.Messages != r.messages || len(out) != rowHead+p.bytes {
		return fmt.Errorf("%d messages of %d bytes", f.Messages, len(out)-rowHead)
	}
	return sendAll(sock, out, 0)
}

func sendAll(sock int, b []byte, flags int) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(sock, b, nil, nil, flags|unix.MSG_NOSIGNAL)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		b = b[max(0, n):]
	}
	return nil
}

// sink is a TCP connection over loopback. What is sent there is thrown away and copied by nobody, so that the other side costs as
// little as it can.
func sink(b *testing.B) (sock int) {
	open := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			b.Fatal(err)
		}
		return fd
	}
	listener := open()
	defer unix.Close(listener)
	if err := errors.Join(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(listener, 1)); err != nil {
		b.Fatal(err)
	}
	addr, err := unix.Getsockname(listener)
	if err != nil {
		b.Fatal(err)
	}
	sock = open()
	if err := errors.Join(unix.Connect(sock, addr), unix.SetsockoptInt(sock, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)); err != nil {
		b.Fatal(err)
	}
	peer, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err != nil {
		b.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer unix.Close(peer)
		for buf := make([]byte, 1<<20); ; {
			n, _, err := unix.Recvfrom(peer, buf, unix.MSG_TRUNC)
			if n <= 0 && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	b.Cleanup(func() {
		_ = unix.Shutdown(sock, unix.SHUT_WR)
		<-gone
		_ = unix.Close(sock)
	})
	return sock
}

// threadNs is what this thread has used of the processors.
func threadNs(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkPullContiguous sends pulls of messages that lie side by side in a file of the log: read and written, by the kernel alone,
// and as the store reads them. thread-ns/message is the sender's processor time, all-ns/message that of the process, with what takes the
// bytes away.
func BenchmarkPullContiguous(b *testing.B) {
	for _, c := range []struct{ body, messages int }{{1 << 10, 32}, {64 << 10, 4}, {1 << 20, 1}} {
		b.Run(fmt.Sprintf("%dx%dKiB", c.messages, c.body>>10), func(b *testing.B) {
			r := rowOf(b, c.body, c.messages)
			defer r.close(b)
			for _, way := range []struct {
				name string
				send func(sock int, p rowPull) error
			}{{"copy", r.copied}, {"sendfile", r.sent}, {"store", r.pulled}} {
				b.Run(way.name, func(b *testing.B) { r.run(b, way.send) })
			}
		})
	}
}

func (r *row) run(b *testing.B, send func(sock int, p rowPull) error) {
	sock := sink(b)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread, all := threadNs(b), usedNs(b)
	for i := 0; b.Loop(); i++ {
		if err := send(sock, r.pulls[i%len(r.pulls)]); err != nil {
			b.Fatal(err)
		}
	}
	thread, all = threadNs(b)-thread, usedNs(b)-all
	messages := float64(b.N * r.messages)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/messages, "ns/message")
	b.ReportMetric(float64(thread)/messages, "thread-ns/message")
	b.ReportMetric(float64(all)/messages, "all-ns/message")
}
