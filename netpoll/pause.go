package netpoll

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// pauseReason says why a connection is not read from. It goes on when no reason is left.
type pauseReason uint8

const (
	held       pauseReason = 1 << iota // the handler could not take a frame
	asked                              // Pause
	slowReader                         // the peer leaves too much unread
	overBudget                         // all connections together hold too much
)

// Pause stops reading from the connection until Resume.
func (c *Conn) Pause() { c.pause(asked) }

// Resume lets the connection go on after Pause or Hold: the frame that was not taken is offered again. Any goroutine.
func (c *Conn) Resume() {
	_ = c.Do(func() { c.resume(held | asked) })
}

func (c *Conn) pause(why pauseReason) {
	if c.paused == 0 {
		c.s.paused.Add(1)
	}
	c.paused |= why
	c.disarm()
}

// resume takes reasons away; when none is left, reading is armed again and what has been read is served.
func (c *Conn) resume(why pauseReason) {
	if c.closed.Load() || c.paused&why == 0 {
		return
	}
	c.paused &^= why
	if c.paused != 0 {
		return
	}
	c.s.paused.Add(-1)
	c.arm()
	switch c.serve() {
	case gnet.Close:
		_ = c.gc.Close()
	default:
		c.account()
	}
}

// account counts what the connection holds against its own bound and the budget, and pauses it when either is passed.
func (c *Conn) account() {
	in, out := c.gc.InboundBuffered(), c.gc.OutboundBuffered()
	c.unsent.Store(int64(out))
	now := int64(in + out)
	total := c.s.held.Add(now - c.counted)
	c.counted = now
	switch {
	case out > 4*c.s.o.OutboundBytesPerConn:
		c.s.o.Logger.Warn("connection closed, its peer does not read", "remote", c.remote, "unread", out)
		_ = c.gc.Close()
	case out > c.s.o.OutboundBytesPerConn && c.paused&slowReader == 0:
		c.pause(slowReader)
	case total > c.s.o.TotalBytes && now > 0 && c.paused&overBudget == 0:
		c.pause(overBudget)
	}
}

// reconsider looks whether the reasons that go away by themselves are gone.
func (c *Conn) reconsider() {
	c.s.held.Add(int64(c.gc.InboundBuffered()+c.gc.OutboundBuffered()) - c.counted)
	c.counted = int64(c.gc.InboundBuffered() + c.gc.OutboundBuffered())
	var over pauseReason
	if c.gc.OutboundBuffered() <= c.s.o.OutboundBytesPerConn/2 {
		over |= slowReader
	}
	if c.s.held.Load() <= c.s.o.TotalBytes*3/4 {
		over |= overBudget
	}
	if c.paused&over != 0 {
		c.resume(over)
	}
}

// disarm takes the connection out of reading on the loop's epoll descriptor. Output that is stuck still wants to be told when
// the socket takes more.
func (c *Conn) disarm() { c.control(0) }

func (c *Conn) arm() { c.control(unix.EPOLLIN | unix.EPOLLPRI) }

func (c *Conn) control(events uint32) {
	if c.loop.epoll < 0 {
		fd, err := findEpoll(c.gc.Fd())
		if err != nil {
			panic("netpoll: the event loop's epoll descriptor cannot be found: " + err.Error())
		}
		c.loop.epoll = fd
	}
	if c.gc.OutboundBuffered() > 0 {
		events |= unix.EPOLLOUT
	}
	fd := c.gc.Fd()
	if err := unix.EpollCtl(c.loop.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Fd: int32(fd), Events: events}); err != nil {
		c.s.o.Logger.Error("netpoll: epoll_ctl", "remote", c.remote, "error", err)
	}
}

// findEpoll finds the epoll descriptor that watches a socket. gnet does not tell; the kernel does, in /proc/self/fdinfo.
func findEpoll(socket int) (int, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	want := "tfd:"
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || target != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(info), "\n") {
			rest, ok := strings.CutPrefix(line, want)
			if !ok {
				continue
			}
			if fields := strings.Fields(rest); len(fields) > 0 && fields[0] == strconv.Itoa(socket) {
				return strconv.Atoi(e.Name())
			}
		}
	}
	return 0, fmt.Errorf("no epoll descriptor watches descriptor %d", socket)
}
