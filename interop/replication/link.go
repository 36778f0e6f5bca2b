package main

import (
	"net"
	"sync"
	"time"
)

// Directions of a link, as the slave sees them: it dials.
const (
	toSlave  = 0
	toMaster = 1
)

// link carries the bytes between a slave and its master's HA port and can fail like a network. All methods may be called by any
// goroutine.
type link struct {
	listener net.Listener
	target   string

	mu     sync.Mutex
	change *sync.Cond
	open   map[net.Conn]bool // both ends of every connection
	state  linkState
	bytes  [2]int64 // carried, by direction
	closed bool
	all    sync.WaitGroup
}

// linkState is what is wrong with a link; its zero value is nothing.
type linkState struct {
	refused bool          // nobody gets through, and who was connected is no more
	muted   [2]bool       // bytes of this direction stay where they are
	delay   time.Duration // of every chunk
	rate    int           // bytes per second in either direction; 0: no bound
}

func newLink(addr, target string) (*link, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	k := &link{listener: l, target: target, open: map[net.Conn]bool{}}
	k.change = sync.NewCond(&k.mu)
	k.all.Go(k.accept)
	return k, nil
}

func (k *link) close() {
	k.mu.Lock()
	k.closed = true
	k.drop()
	k.mu.Unlock()
	_ = k.listener.Close()
	k.all.Wait()
}

// set makes the link be as described from now on.
func (k *link) set(s linkState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state = s
	if s.refused {
		k.drop()
	}
	k.change.Broadcast()
}

// drop ends all connections; the lock is held.
func (k *link) drop() {
	for c := range k.open {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		_ = c.Close()
	}
	clear(k.open)
	k.change.Broadcast()
}

func (k *link) accept() {
	for {
		c, err := k.listener.Accept()
		if err != nil {
			return
		}
		k.all.Go(func() { k.join(c) })
	}
}

// join connects a slave's connection with the master.
func (k *link) join(slave net.Conn) {
	k.mu.Lock()
	refused := k.state.refused || k.closed
	k.mu.Unlock()
	if refused {
		_ = slave.Close()
		return
	}
	master, err := net.DialTimeout("tcp", k.target, 2*time.Second)
	if err != nil {
		_ = slave.Close()
		return
	}
	k.mu.Lock()
	if k.state.refused || k.closed {
		k.mu.Unlock()
		_ = slave.Close()
		_ = master.Close()
		return
	}
	k.open[slave], k.open[master] = true, true
	k.mu.Unlock()
	k.all.Go(func() { k.pump(toSlave, master, slave) })
	k.pump(toMaster, slave, master)
}

// pump carries one direction until either end goes.
func (k *link) pump(direction int, from, to net.Conn) {
	defer k.part(from, to)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !k.pass(direction, n, from) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits for as long as bytes take; false when the connection has ended meanwhile.
func (k *link) pass(direction, n int, from net.Conn) bool {
	k.mu.Lock()
	for k.state.muted[direction] && k.open[from] {
		k.change.Wait()
	}
	s, live := k.state, k.open[from]
	k.bytes[direction] += int64(n)
	k.mu.Unlock()
	wait := s.delay
	if s.rate > 0 {
		wait += time.Duration(n) * time.Second / time.Duration(s.rate)
	}
	if wait > 0 {
		time.Sleep(wait)
	}
	return live
}

func (k *link) part(a, b net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, a)
	delete(k.open, b)
	_ = a.Close()
	_ = b.Close()
	k.change.Broadcast()
}
