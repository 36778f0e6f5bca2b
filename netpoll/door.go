package netpoll

import (
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
)

// place is what a connection takes: one of the places that the cap counts, or one of those that are kept beyond it. Those for this machine are
// nobody else's: an administrator gets in though clients have taken all others, and whoever passes for one whom Options.Prefers names.
type place uint8

const (
	ordinary place = iota
	ofThisMachine
	ofPreferred
	places
)

// reservedConns is how many places are kept of either kind, and how far whoever is preferred may pass the cap of one host.
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
//	the sum over taken is the sum over hosts
//	taken[ordinary] <= most, unless most was lowered since; taken[any other] <= reservedConns
type door struct {
	ceiling int64 // what the descriptors of the process allow
	isLocal func(remote, local netip.Addr) bool
	prefers func(remote netip.Addr) bool // nil: nobody

	mu      sync.Mutex
	asked   int64 // for most
	most    int64 // of all hosts; at most ceiling
	perHost int64 // of one that is not this machine; 0: no cap
	taken   [places]int64
	hosts   map[netip.Addr]int64

	turnedAway [refusals]atomic.Int64
	told       Seldom
}

// enter lets a connection in, or says which cap stands against it. Who was let in leaves the place that it has taken.
func (d *door) enter(remote, local netip.Addr) (refusal, place) {
	mine := d.isLocal(remote, local)
	kept := ordinary
	if mine {
		kept = ofThisMachine
	}
	why, at := d.take(remote, kept)
	// Whoever is asked whom he prefers may wait for others: never under mu.
	if why == letIn || mine || d.prefers == nil || !d.prefers(remote) {
		return why, at
	}
	return d.take(remote, ofPreferred)
}

// take takes an ordinary place or, where there is none, one that is kept for such a connection.
func (d *door) take(remote netip.Addr, kept place) (refusal, place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.perHost > 0 && kept != ofThisMachine {
		most := d.perHost
		if kept == ofPreferred {
			most += reservedConns
		}
		if d.hosts[remote] >= most {
			return tooManyOfHost, ordinary
		}
	}
	at := ordinary
	if d.taken[ordinary] >= d.most {
		if at = kept; kept == ordinary || d.taken[kept] >= reservedConns {
			return tooMany, ordinary
		}
	}
	d.taken[at]++
	d.hosts[remote]++
	return letIn, at
}

func (d *door) leave(remote netip.Addr, at place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken[at]--
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

// capSaid is the log's line about caps.
const capSaid = "connections beyond a number are closed as they come"

// Cap sets how many connections may be open, of all hosts and of one; 0: no more than the descriptors of the process allow. Those
// that are open stay. It says in the log what is in force now. Any goroutine.
func (s *Server) Cap(most, perHost int64) {
	inForce, changed := s.door.cap(most, perHost)
	switch {
	case !changed:
	case most > inForce:
		s.o.Logger.Warn("maxConnections is more than the descriptors of this process allow beside its files", "maxConnections", most, "inForce", inForce, "descriptors", descriptors())
	default:
		ofOneHost := "no limit"
		if perHost > 0 {
			ofOneHost = strconv.FormatInt(perHost, 10)
		}
		s.o.Logger.Info(capSaid, "most", inForce, "ofOneHost", ofOneHost, "descriptors", descriptors())
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
