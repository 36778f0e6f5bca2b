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
	delay   time.Duration // of every byte, whatever is under way: a distance, no bound on how much passes
	rate    int           // bytes per second in either direction; 0: no bound
}

// chunk is bytes under way, and when they arrive.
type chunk struct {
	bytes []byte
	due   time.Time
}

// underWay is how many chunks of a direction may be: more of them wait where they are sent.
const underWay = 256

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
	way := make(chan chunk, underWay)
	var far sync.WaitGroup
	far.Go(func() { k.deliver(direction, way, from, to) })
	defer far.Wait()
	defer close(way)
	for {
		buf := make([]byte, 64<<10)
		n, err := from.Read(buf)
		if n > 0 {
			delay, live := k.pass(direction, n, from)
			if !live {
				return
			}
			way <- chunk{buf[:n], time.Now().Add(delay)}
		}
		if err != nil {
			return
		}
	}
}

// deliver hands over what has come its way, and ends the connection when nothing more will.
func (k *link) deliver(direction int, way <-chan chunk, from, to net.Conn) {
	for c := range way {
		if wait := time.Until(c.due); wait > 0 {
			time.Sleep(wait)
		}
		if !k.unmuted(direction, from) {
			break
		}
		if _, err := to.Write(c.bytes); err != nil {
			break
		}
	}
	k.part(from, to)
	for range way { // so that the other side of it can end
	}
}

// unmuted waits until a direction carries bytes; false when the connection has ended meanwhile.
func (k *link) unmuted(direction int, from net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.state.muted[direction] && k.open[from] {
		k.change.Wait()
	}
	return k.open[from]
}

// pass waits until bytes may be on their way, and tells for how long they are; false when the connection has ended meanwhile.
func (k *link) pass(direction, n int, from net.Conn) (delay time.Duration, live bool) {
	if !k.unmuted(direction, from) {
		return 0, false
	}
	k.mu.Lock()
	s := k.state
	k.bytes[direction] += int64(n)
	k.mu.Unlock()
	if s.rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(s.rate))
	}
	return s.delay, true
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
