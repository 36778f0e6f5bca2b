package member

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

// producers are the producer groups that have at least one connection.
type producers struct {
	clock  func() time.Time
	mu     sync.Mutex
	groups map[string]map[uint64]*producer
	conns  map[uint64]*said // connection -> groups: its end must not cost a look at all
	next   map[string]int   // who is asked next about a transaction
	bytes  atomic.Int64     // of all memberships
}

type producer struct {
	Client
	seen time.Time
}

func (p *producers) init(clock func() time.Time) {
	p.clock, p.groups, p.conns, p.next = clock, map[string]map[uint64]*producer{}, map[uint64]*said{}, map[string]int{}
}

// registerProducer takes one producer group of a heartbeat.
func (p *producers) registerProducer(c Client, group string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.groups[group] == nil {
		p.groups[group] = map[uint64]*producer{}
	}
	p.groups[group][c.Conn] = &producer{Client: c, seen: p.clock()}
	if p.conns[c.Conn] == nil {
		p.conns[c.Conn] = newSaid()
	}
	bytes := membershipBytes(c.ID, group)
	p.bytes.Add(int64(bytes - p.conns[c.Conn].of(group)))
	p.conns[c.Conn].set(group, bytes)
}

// unregisterProducer takes a connection out of a group.
func (p *producers) unregisterProducer(conn uint64, group string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leave(conn, group)
}

func (p *producers) leave(conn uint64, group string) {
	if s := p.conns[conn]; s != nil {
		p.bytes.Add(int64(-s.of(group)))
		if s.drop(group); len(s.groups) == 0 {
			delete(p.conns, conn)
		}
	}
	delete(p.groups[group], conn)
	if len(p.groups[group]) == 0 {
		delete(p.groups, group)
		delete(p.next, group)
	}
}

func (p *producers) removeProducer(conn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, group := range p.conns[conn].names() {
		p.leave(conn, group)
	}
}

// expireProducers is expireConsumers for them.
func (p *producers) expireProducers(limit time.Time) (stale []uint64) {
	for some := range slices.Chunk(p.silent(limit), forgottenAtOnce) {
		p.mu.Lock()
		for _, m := range some {
			if was := p.groups[m.group][m.conn]; was != nil && was.seen.Before(limit) {
				p.leave(m.conn, m.group)
				stale = append(stale, m.conn)
			}
		}
		p.mu.Unlock()
	}
	return stale
}

func (p *producers) silent(limit time.Time) (all []membership) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for group, members := range p.groups {
		for conn, m := range members {
			if m.seen.Before(limit) {
				all = append(all, membership{conn, group})
			}
		}
	}
	return all
}

// Producers lists the clients of a group by connection; nil when it has none.
func (p *producers) Producers(group string) []Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list(group)
}

func (p *producers) list(group string) []Client {
	var all []Client
	for _, m := range p.groups[group] {
		all = append(all, m.Client)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Conn < all[j].Conn })
	return all
}

// Producer picks a client of a group, another one each time.
func (p *producers) Producer(group string) (Client, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.list(group)
	if len(all) == 0 {
		return Client{}, false
	}
	p.next[group]++
	return all[p.next[group]%len(all)], true
}

// ProducerConnection is the body of 204; false when the group has no member.
func (p *producers) ProducerConnection(group string) (*remoting.ProducerConnection, bool) {
	all := p.Producers(group)
	if len(all) == 0 {
		return nil, false
	}
	return &remoting.ProducerConnection{ConnectionSet: connections(all)}, true
}

// ProducerTable is the body of 328.
func (p *producers) ProducerTable() remoting.ProducerTable {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := remoting.ProducerTable{Data: make(map[string][]remoting.ProducerInfo, len(p.groups))}
	for group, members := range p.groups {
		for _, c := range p.list(group) {
			t.Data[group] = append(t.Data[group], remoting.ProducerInfo{
				ClientID: c.ID, Language: c.Language, LastUpdateTimestamp: members[c.Conn].seen.UnixMilli(), RemoteIP: "/" + c.Addr.String(), Version: c.Version,
			})
		}
	}
	return t
}
