package replica

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Who may be connected to a master. Nobody has to say who he is: whoever is let in may read the whole log, and what he acknowledges
// counts as a copy.

// maxPeers bounds the connections.
const maxPeers = 64

var (
	errPlace    = errors.New("another connection needed its place")
	errNoPlace  = errors.New("all places are taken, by slaves that are in step")
	errReplaced = errors.New("the same slave has connected again")
	errClosing  = errors.New("the master is closing")
	errStranger = errors.New("it comes neither from this machine nor from haAllowedCidrs")
)

// lets says whether a connection comes from where slaves are.
func (l *Leader) lets(conn *net.TCPConn) bool {
	if l.o.Lets == nil || l.o.Lets(addrOf(conn.RemoteAddr()), addrOf(conn.LocalAddr())) {
		return true
	}
	l.turnAway(conn.RemoteAddr(), errStranger)
	return false
}

func addrOf(a net.Addr) netip.Addr { return a.(*net.TCPAddr).AddrPort().Addr() }

// turnAway counts a connection that is not taken, and tells it once a second at most.
func (l *Leader) turnAway(from net.Addr, why error) {
	n := l.turnedAway.Add(1)
	if now := time.Now().Unix(); l.toldAway.Swap(now) != now {
		l.logger.Warn("a connection to the HA port was turned away", "from", from, "why", why, "turnedAway", n)
	}
}

// TurnedAway counts the connections that were closed as they came: from elsewhere than slaves are, or there was no place. Any goroutine.
func (l *Leader) TurnedAway() int64 { return l.turnedAway.Load() }

// admit notes a connection, in the place of the least useful one if there are too many. An error says why it is not taken.
func (l *Leader) admit(s *slave) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosing
	}
	if len(l.peers) >= 2*maxPeers { // those that were shown out are not gone yet
		return errNoPlace
	}
	if len(l.peers) >= maxPeers {
		least := l.leastUseful()
		if least == nil {
			return errNoPlace
		}
		least.leaving = true
		if least.why == nil {
			least.why = errPlace
		}
		least.reset()
	}
	l.peers[s] = struct{}{}
	l.done.Add(1)
	return nil
}

// replace ends an older connection of the same slave: it is one copy, however often it is connected. mu is held.
func (l *Leader) replace(s *slave) {
	if s.id == 0 || s.aside {
		return
	}
	for p := range l.peers {
		if p != s && p.reported && p.id == s.id && !p.aside && !p.replaced {
			p.replaced, p.leaving = true, true
			if p.why == nil {
				p.why = errReplaced
			}
			p.reset()
		}
	}
}

// leastUseful is the connection that may give its place up, nil if all are in step. mu is held.
func (l *Leader) leastUseful() (least *slave) {
	for p := range l.peers {
		if !p.leaving && !(p.reported && p.progress.inStep) && (least == nil || lessUseful(p, least) < 0) {
			least = p
		}
	}
	return least
}

// lessUseful orders connections that are not in step: those that have said nothing come first, the oldest of them before the others,
// then backups, then those that do not speak the extension, then those that have acknowledged nothing for the longest time.
func lessUseful(a, b *slave) int {
	if a.reported != b.reported {
		return yesLast(a.reported, b.reported)
	}
	if !a.reported {
		return cmp.Compare(a.came, b.came)
	}
	if a.aside != b.aside {
		return yesLast(b.aside, a.aside)
	}
	if a.ours != b.ours {
		return yesLast(a.ours, b.ours)
	}
	return cmp.Compare(a.progress.since, b.progress.since)
}

func yesLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
