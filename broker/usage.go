package broker

import (
	"time"
	"unicode/utf8"

	"ringmq/broker/metrics"
	"ringmq/broker/quota"
	"ringmq/netpoll"
)

// usage is what the client of a connection has used since its loop last told; its loop's own. For each message only plain numbers are
// counted; while limits are enforced the client pays for them too.
type usage struct {
	c      *netpoll.Conn
	counts quota.Counts
	client *quota.Client // nil: the connection has used nothing yet
	id     string        // that the client's heartbeats name; "": none did, it is known by its host
	listed bool          // in loopState.users
	gone   bool          // the connection has ended
	slowed bool          // it is not read from, or soon again not, until a timer says so
	waits  bool          // the send that is offered next has had to wait
	since  time.Duration // and does from then on, in Broker.uptime
}

// maxClientID is how long an id may be that stands for a client in figures and lines.
const maxClientID = 255

// standsFor says that an id can name a client in figures and lines.
func standsFor(id string) bool {
	return id != "" && len(id) <= maxClientID && id != metrics.Others && utf8.ValidString(id)
}

// used counts what a connection's client used. On its loop.
func (l *loopState) used(u *usage, n quota.Counts) {
	for k := range n {
		u.counts[k] += n[k]
	}
	if !u.listed && !u.gone {
		u.listed = true
		l.users = append(l.users, u)
		if !l.owes.Load() {
			l.owes.Store(true)
		}
	}
	if q := &l.b.inForce.get().quotas; q.Enforced && !u.gone {
		l.clientOf(u).Charge(&n, q, l.now())
	}
}

// clientOf is the client of a connection that has not ended.
func (l *loopState) clientOf(u *usage) *quota.Client {
	if u.client == nil {
		name := u.id
		if name == "" {
			name = u.c.RemoteAddr().Addr().String()
		}
		u.client = l.b.clients.Join(name, l.now(), nil)
	}
	return u.client
}

// tellUsed adds to the clients of the loop what they used, once for every tick. On the loop, at the end of a turn.
func (l *loopState) tellUsed() {
	n := l.b.ticks.Load()
	if n == l.ticks {
		return
	}
	l.ticks = n
	for i, u := range l.users {
		l.users[i], u.listed = nil, false
		l.tell(u)
	}
	l.users = l.users[:0]
	l.owes.Store(false)
}

func (l *loopState) tell(u *usage) {
	if u.counts == (quota.Counts{}) || u.gone {
		return
	}
	l.clientOf(u).Add(&u.counts)
	u.counts = quota.Counts{}
}

// named is a heartbeat of a connection's client: from here on all connections that name this id are one client. On its loop.
func (b *Broker) named(c *netpoll.Conn, id string) {
	u := &c.State().(*connState).use
	if id == u.id || !standsFor(id) {
		return
	}
	u.id = id
	was := u.client
	if was == nil {
		return
	}
	l := b.loop(c.Loop())
	l.tell(u)
	u.client = b.clients.Join(id, l.now(), was)
	b.clients.Leave(was, l.now())
}

// leave is the end of a connection.
func (l *loopState) leave(u *usage) {
	l.tell(u)
	u.gone = true
	if u.client != nil {
		l.b.clients.Leave(u.client, l.now())
		u.client = nil
	}
}

// tickClients looks what clients used, and has the loops tell what they have used since.
func (b *Broker) tickClients() {
	b.clients.Tick(b.uptime(), &b.inForce.get().quotas)
	b.ticks.Add(1)
	for _, l := range b.loops {
		if l.owes.Load() {
			b.net.Wake(l.index)
		}
	}
}

// quotaOver is how many clients are above each limit, by what metrics call it.
func (b *Broker) quotaOver() map[string]int64 {
	over := map[string]int64{}
	for k, n := range b.clients.Over() {
		over[quota.Kind(k).String()] = n
	}
	return over
}

// afterwards calls fn after a time, on a goroutine of its own.
func afterwards(d time.Duration, fn func()) { time.AfterFunc(d, fn) }
