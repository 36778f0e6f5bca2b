package netpoll

import (
	"fmt"
	"os"
	"strconv"
	"strings"

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
	c.endTurn()
	if why&(slowReader|overBudget) != 0 {
		c.lookAfter()
	}
	c.disarm()
}

// lookAfter has the sweep look at the connection often, until ease says otherwise.
func (c *Conn) lookAfter() {
	if _, already := c.loop.strained[c]; already {
		return
	}
	c.loop.strained[c] = struct{}{}
	c.s.look()
}

// look has the sweep look once more at what is strained.
func (s *Server) look() {
	s.strained.Add(1)
	s.wakeSweep()
}

// wakeSweep has the sweep arm its timers anew. Any goroutine.
func (s *Server) wakeSweep() {
	select {
	case s.strain <- struct{}{}:
	default:
	}
}

// ease takes reasons away.
func (c *Conn) ease(why pauseReason) {
	was := c.paused
	c.paused &^= why
	if c.paused == 0 {
		c.polled = false
	}
	if _, strained := c.loop.strained[c]; strained && c.paused&(slowReader|overBudget) == 0 && !c.polled {
		delete(c.loop.strained, c)
		c.s.strained.Add(-1)
	}
	if was != 0 && c.paused == 0 {
		c.s.paused.Add(-1)
	}
}

// resume takes reasons away; when none is left, reading is armed again and what has been read is served.
func (c *Conn) resume(why pauseReason) {
	if c.closed.Load() || c.paused&why == 0 {
		return
	}
	c.ease(why)
	if c.paused != 0 {
		return
	}
	c.lastRead = c.s.o.Clock() // while nothing was read from it, it was not idle
	c.arm()
	if !c.serve() {
		c.hangUp()
	}
	c.account()
}

// disarm takes the connection out of reading on the loop's epoll descriptor. Output that is stuck still wants to be told when
// the socket takes more; but when all of it has left, gnet arms reading, and reads.
func (c *Conn) disarm() { c.control(0) }

// readBehind deals with a paused connection that gnet has read from for that reason. Once is little, every time would be
// without bound: until it goes on, its output is sent by the sweep.
func (c *Conn) readBehind() {
	c.polled = true
	c.lookAfter()
	c.disarm()
}

// pollOutput sends what the socket takes of a paused connection's output.
func (c *Conn) pollOutput() {
	for before := c.gc.OutboundBuffered(); before > 0; {
		// A failing write closes the connection through OnClose.
		_ = c.gc.Flush()
		if c.closed.Load() {
			return
		}
		after := c.gc.OutboundBuffered()
		if after == 0 {
			c.disarm() // gnet has armed reading
		}
		if after == before {
			return
		}
		before = after
	}
}

func (c *Conn) arm() { c.control(unix.EPOLLIN | unix.EPOLLPRI) }

func (c *Conn) control(events uint32) {
	if c.gc.OutboundBuffered() > 0 && !c.polled {
		events |= unix.EPOLLOUT
	}
	fd := c.gc.Fd()
	if err := unix.EpollCtl(c.loop.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Fd: int32(fd), Events: events}); err != nil {
		// Unpaused it could grow without end.
		c.s.o.Logger.Error("connection closed, epoll_ctl failed", "remote", c.remote, "error", err)
		c.hangUp()
	}
}

// findEpoll finds the epoll descriptor that watches a socket. gnet does not tell; the kernel does, in /proc/self/fdinfo.
func findEpoll(socket int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(socket, &st); err != nil {
		return -1, fmt.Errorf("fstat: %w", err)
	}
	inode := "ino:" + strconv.FormatUint(st.Ino, 16)
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1, err
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || target != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name())
		if err == nil && watches(string(info), socket, inode) {
			return strconv.Atoi(e.Name())
		}
	}
	return -1, fmt.Errorf("no epoll descriptor watches descriptor %d", socket)
}

// watches looks for a line like "tfd:       12 events:       19 data: c  pos:0 ino:4f1c sdev:9".
func watches(info string, socket int, inode string) bool {
	for line := range strings.Lines(info) {
		rest, ok := strings.CutPrefix(line, "tfd:")
		if !ok {
			continue
		}
		words := strings.Fields(rest)
		if len(words) == 0 || words[0] != strconv.Itoa(socket) {
			continue
		}
		for _, w := range words {
			if strings.HasPrefix(w, "ino:") {
				return w == inode
			}
		}
		return true // a kernel before 5.4 names no inode
	}
	return false
}
