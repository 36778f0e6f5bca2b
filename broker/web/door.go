package web

import (
	"container/list"
	"net"
	"sync"
)

// maxConns is how many connections an address has at most: whoever opens more shall not take the descriptors that clients of the broker and its
// files need.
const maxConns = 64

// door lets connections in, maxConns at a time. Beyond that the one that has asked for nothing for the longest makes room, so that those who
// only hold connections keep no probe out; where all are being answered, the newcomer is closed. Any goroutine.
type door struct {
	*net.TCPListener
	mu   sync.Mutex
	open int
	idle list.List // of *visitor: those that are not being answered, the one that asked last at the end
}

// visitor is a connection that was let in.
type visitor struct {
	*net.TCPConn
	d     *door
	place *list.Element // under door.mu: in door.idle; nil: it is being answered, or gone
	gone  bool          // under door.mu
}

// visitorKey is where a request's context has its visitor.
type visitorKey struct{}

// Accept implements net.Listener.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if v := d.enter(c); v != nil {
			return v, nil
		}
		_ = c.Close()
	}
}

// enter returns nil where there is no room.
func (d *door) enter(c *net.TCPConn) *visitor {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open >= maxConns {
		first := d.idle.Front()
		if first == nil {
			return nil
		}
		out := first.Value.(*visitor)
		d.leave(out)
		_ = out.TCPConn.Close() // waits for nothing
	}
	v := &visitor{TCPConn: c, d: d}
	v.place = d.idle.PushBack(v)
	d.open++
	return v
}

// leave takes a visitor out, once. Under mu.
func (d *door) leave(v *visitor) {
	if v.gone {
		return
	}
	v.gone = true
	d.open--
	if v.place != nil {
		d.idle.Remove(v.place)
		v.place = nil
	}
}

// asks notes that a request of the visitor is being answered.
func (v *visitor) asks() {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	if v.place != nil {
		v.d.idle.Remove(v.place)
		v.place = nil
	}
}

// answered notes that none is any more.
func (v *visitor) answered() {
	v.d.mu.Lock()
	defer v.d.mu.Unlock()
	if !v.gone && v.place == nil {
		v.place = v.d.idle.PushBack(v)
	}
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.d.mu.Lock()
	v.d.leave(v)
	v.d.mu.Unlock()
	return v.TCPConn.Close()
}
