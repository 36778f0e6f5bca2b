package netpoll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringmq/netpoll/remoting"
)

// Lines are outbound connections that one goroutine drives by itself: for load generators, which must cost little and keep
// time. Nothing here is safe for concurrent use. A line's failure ends that line, not the others.
type Lines struct {
	epoll  int
	all    []*Line
	events []unix.EpollEvent
	read   []byte
	dirty  []*Line
	born   time.Time
	readAt time.Duration
}

// Line is one connection of a set.
type Line struct {
	ls     *Lines
	index  int
	fd     int
	in     []byte // the beginning of a frame
	out    []byte // not yet given to the kernel
	queued bool   // in Lines.dirty
	full   bool   // the socket takes no more; epoll tells when it does
	err    error
}

const (
	lineReadBytes = 256 << 10
	lineEvents    = 256
)

// NewLines makes an empty set. Close it.
func NewLines() (*Lines, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("netpoll: epoll: %w", err)
	}
	return &Lines{epoll: fd, events: make([]unix.EpollEvent, lineEvents), read: make([]byte, lineReadBytes), born: time.Now()}, nil
}

// Dial adds a connection.
func (ls *Lines) Dial(ctx context.Context, addr string) (*Line, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, dupErr := -1, error(nil)
	if err := raw.Control(func(p uintptr) { fd, dupErr = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, fmt.Errorf("netpoll: %w", dupErr)
	}
	l := &Line{ls: ls, index: len(ls.all), fd: fd}
	if err := ls.watch(unix.EPOLL_CTL_ADD, l, unix.EPOLLIN); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	ls.all = append(ls.all, l)
	return l, nil
}

func (ls *Lines) watch(op int, l *Line, events uint32) error {
	if err := unix.EpollCtl(ls.epoll, op, l.fd, &unix.EpollEvent{Events: events, Fd: int32(l.index)}); err != nil {
		return fmt.Errorf("netpoll: epoll: %w", err)
	}
	return nil
}

// Close ends all connections.
func (ls *Lines) Close() {
	for _, l := range ls.all {
		l.end(ErrClosed)
	}
	_ = unix.Close(ls.epoll)
}

// Born is when the set was made: where its clock begins.
func (ls *Lines) Born() time.Time { return ls.born }

// Now is the time since the set was made, monotonic.
func (ls *Lines) Now() time.Duration { return time.Since(ls.born) }

// ReadAt is when the frame that Poll is handing over was read, on the clock of Now: one look for all that came at once.
func (ls *Lines) ReadAt() time.Duration { return ls.readAt }

// Len is how many lines were dialled, ended ones included.
func (ls *Lines) Len() int { return len(ls.all) }

// Index is the line's number in its set, from 0.
func (l *Line) Index() int { return l.index }

// Err is why the line has ended; nil while it lives.
func (l *Line) Err() error { return l.err }

// Out is the line's output for appending whole frames; PutOut gives it back. What was put leaves in one write with Poll.
func (l *Line) Out() []byte { return l.out }

// PutOut gives back what Out returned, with what was appended.
func (l *Line) PutOut(b []byte) {
	l.out = b
	if !l.queued {
		l.queued = true
		l.ls.dirty = append(l.ls.dirty, l)
	}
}

// Unsent is how many bytes put out the kernel has not taken.
func (l *Line) Unsent() int { return len(l.out) }

// Poll sends what was put out, waits up to timeout for something to read (0: not at all), and calls fn for every whole frame
// that has come; the frame is valid until fn returns. What fn puts out is sent before Poll returns.
func (ls *Lines) Poll(timeout time.Duration, fn func(l *Line, frame []byte)) error {
	ls.flush()
	n, err := ls.wait(timeout)
	if err != nil {
		return err
	}
	for _, ev := range ls.events[:n] {
		l := ls.all[ev.Fd]
		if l.err != nil {
			continue
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			l.full = false
			if err := ls.watch(unix.EPOLL_CTL_MOD, l, unix.EPOLLIN); err != nil {
				l.end(err)
				continue
			}
			l.flush()
		}
		if ev.Events&^unix.EPOLLOUT != 0 && l.err == nil {
			l.receive(fn)
		}
	}
	ls.flush()
	return nil
}

// wait asks without blocking first, so that a busy generator does not leave its processor to the scheduler.
func (ls *Lines) wait(timeout time.Duration) (int, error) {
	events := unsafe.Pointer(&ls.events[0])
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ls.epoll), uintptr(events), uintptr(len(ls.events)), 0, 0, 0)
	if errno == 0 && (n > 0 || timeout == 0) {
		return int(n), nil
	}
	ts := unix.NsecToTimespec(int64(max(timeout, 0)))
	n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(ls.epoll), uintptr(events), uintptr(len(ls.events)), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno == unix.ENOSYS {
		ms := (int64(max(timeout, 0)) + 999_999) / 1_000_000
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(ls.epoll), uintptr(events), uintptr(len(ls.events)), uintptr(ms), 0, 0)
	}
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("netpoll: epoll: %w", errno)
}

func (ls *Lines) flush() {
	for i, l := range ls.dirty {
		ls.dirty[i] = nil
		l.queued = false
		l.flush()
	}
	ls.dirty = ls.dirty[:0]
}

// flush gives the kernel what it takes.
func (l *Line) flush() {
	if l.full || len(l.out) == 0 || l.err != nil {
		return
	}
	n, err := rawWrite(l.fd, l.out)
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		l.end(err)
		return
	}
	l.out = l.out[:copy(l.out, l.out[n:])]
	if len(l.out) > 0 {
		l.full = true
		if err := l.ls.watch(unix.EPOLL_CTL_MOD, l, unix.EPOLLIN|unix.EPOLLOUT); err != nil {
			l.end(err)
		}
	}
}

// receive reads once and hands over whole frames.
func (l *Line) receive(fn func(l *Line, frame []byte)) {
	buf := l.ls.read
	left := copy(buf, l.in)
	if left == len(buf) { // a frame larger than the buffer gathers in l.in
		l.in = slices.Grow(l.in, lineReadBytes)
		buf, left = l.in[:cap(l.in)], len(l.in)
	}
	n, err := rawRead(l.fd, buf[left:])
	switch {
	case err != nil:
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			l.end(err)
		}
		return
	case n == 0:
		l.end(io.EOF)
		return
	}
	l.ls.readAt = l.ls.Now()
	rest := buf[:left+n]
	for len(rest) >= 4 && l.err == nil {
		total, _, err := remoting.FrameLength(rest)
		if err != nil {
			l.end(err)
			return
		}
		if len(rest) < total {
			break
		}
		fn(l, rest[:total])
		rest = rest[total:]
	}
	l.in = append(l.in[:0], rest...)
}

func (l *Line) end(err error) {
	if l.err != nil {
		return
	}
	l.err = fmt.Errorf("%w: %w", ErrClosed, err)
	l.in, l.out = nil, nil
	_ = unix.Close(l.fd)
}

// rawRead and rawWrite do not tell the scheduler: the sockets never block.
func rawRead(fd int, b []byte) (int, error) {
	return rawIO(unix.SYS_READ, fd, b)
}

func rawWrite(fd int, b []byte) (int, error) {
	return rawIO(unix.SYS_WRITE, fd, b)
}

func rawIO(call uintptr, fd int, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// KeepTime has the calling thread woken when its time has come, and not up to 50 us later, as the kernel does otherwise to save
// wake-ups. The goroutine must be locked to its thread.
func KeepTime() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}
