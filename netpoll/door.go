package netpoll

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// reservedConns are places beyond the caps for this machine itself and for whom Options.Prefers names: an administrator gets in
// though clients have taken all others.
const reservedConns = 32

// refusal is the cap that a connection would pass.
type refusal uint8

const (
	letIn refusal = iota
	tooMany
	tooManyOfHost
	refusals
)

// door counts connections by host and says which are let in. Any goroutine.
//
//	count is the sum over hosts
//	count <= most + reservedConns, unless most was lowered since
type door struct {
	ceiling int64 // what the descriptors of the process allow
	isLocal func(remote, local netip.Addr) bool
	prefers func(remote netip.Addr) bool // nil: nobody

	mu      sync.Mutex
	asked   int64 // for most
	most    int64 // of all hosts; at most ceiling
	perHost int64 // of one that is not this machine; 0: no cap
	count   int64
	hosts   map[netip.Addr]int64

	turnedAway [refusals]atomic.Int64
	told       Seldom
}

// enter lets a connection in, or says which cap stands against it. Who was let in leaves.
func (d *door) enter(remote, local netip.Addr) refusal {
	mine := d.isLocal(remote, local)
	why := d.take(remote, mine, 0)
	// Whoever is asked whom he prefers may wait for others: never under mu.
	if why == letIn || !mine && (d.prefers == nil || !d.prefers(remote)) {
		return why
	}
	return d.take(remote, mine, reservedConns)
}

// take takes a place, one of so many more than the caps say.
func (d *door) take(remote netip.Addr, mine bool, more int64) refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.count >= d.most+more:
		return tooMany
	case d.perHost > 0 && !mine && d.hosts[remote] >= d.perHost+more:
		return tooManyOfHost
	}
	d.count++
	d.hosts[remote]++
	return letIn
}

func (d *door) leave(remote netip.Addr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count--
	if d.hosts[remote]--; d.hosts[remote] == 0 {
		delete(d.hosts, remote)
	}
}

// cap sets the caps and returns the one of all hosts that is in force; changed says whether anything else was asked for before.
func (d *door) cap(most, perHost int64) (inForce int64, changed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed = most != d.asked || perHost != d.perHost || d.most == 0
	d.asked, d.perHost, d.most = most, perHost, most
	if most <= 0 || most > d.ceiling {
		d.most = d.ceiling
	}
	return d.most, changed
}

// Cap sets how many connections may be open, of all hosts and of one; 0: no more than the descriptors of the process allow. Those
// that are open stay. It says in the log what is in force now. Any goroutine.
func (s *Server) Cap(most, perHost int64) {
	inForce, changed := s.door.cap(most, perHost)
	switch {
	case !changed:
	case most > inForce:
		s.o.Logger.Warn("maxConnections is more than the descriptors of this process allow beside its files", "maxConnections", most, "inForce", inForce, "descriptors", descriptors())
	default:
		s.o.Logger.Info("connections have a cap", "inForce", inForce, "ofOneHost", perHost, "descriptors", descriptors())
	}
}

// turnAway counts a connection that is not let in, and says so once a second at most.
func (s *Server) turnAway(c *Conn, why refusal) {
	n := s.door.turnedAway[why].Add(1)
	if !s.door.told.Now() {
		return
	}
	key := "maxConnections"
	if why == tooManyOfHost {
		key = "maxConnectionsPerHost"
	}
	s.o.Logger.Warn("connection turned away, there are too many", "from", c.remote, "key", key, "connections", s.conns.Load(), "turnedAway", n)
}
