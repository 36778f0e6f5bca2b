package member

import (
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll/remoting"
)

const shards = 64

// consumers are the consumer groups that have at least one connection. A group's members are changed under its shard's lock; its
// view, which pulls read, is replaced as a whole.
type consumers struct {
	clock func() time.Time
	parts [shards]consumerShard

	mu     sync.Mutex       // of everything that changes a group; taken before a shard's
	byConn map[uint64]*said // connection -> groups
	bytes  atomic.Int64     // of all groups and memberships
}

type consumerShard struct {
	mu     sync.RWMutex
	groups map[string]*consumerGroup
}

type consumerGroup struct {
	view    atomic.Pointer[Group]
	members map[uint64]*consumer // by connection
	print   int32                // fingerprint of the last heartbeat
}

type consumer struct {
	Client
	seen  time.Time
	bytes int // of the membership
}

func (c *consumers) init(clock func() time.Time) {
	c.clock, c.byConn = clock, map[uint64]*said{}
	for i := range c.parts {
		c.parts[i].groups = map[string]*consumerGroup{}
	}
}

// shard is chosen by FNV-1a.
func (c *consumers) shard(name []byte) *consumerShard {
	h := uint32(2166136261)
	for _, ch := range name {
		h = (h ^ uint32(ch)) * 16777619
	}
	return &c.parts[h%shards]
}

// Group returns a group that has members, nil otherwise. No allocation.
func (c *consumers) Group(name []byte) *Group {
	s := c.shard(name)
	s.mu.RLock()
	g := s.groups[string(name)]
	s.mu.RUnlock()
	if g == nil {
		return nil
	}
	return g.view.Load()
}

// registerConsumer takes one group of a heartbeat. tell: its members have to be told. differs: the group's last heartbeat had another
// fingerprint, or the group had no members and this one leaves out what it subscribes to.
func (c *consumers) registerConsumer(client Client, d *remoting.ConsumerData, fingerprint int32, withoutSub bool, wants Wants) (tell, differs bool) {
	var fresh []*Subscription
	if !withoutSub {
		fresh = c.prepare(d)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byConn[client.Conn] == nil {
		c.byConn[client.Conn] = newSaid()
	}

	s := c.shard([]byte(d.GroupName))
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[d.GroupName]
	if g != nil {
		differs = g.print != fingerprint
	} else {
		differs = withoutSub
		g = &consumerGroup{members: map[uint64]*consumer{}}
		g.view.Store(&Group{Name: d.GroupName, subscriptions: map[string]*Subscription{}})
		s.groups[d.GroupName] = g
	}
	g.print = fingerprint
	old := g.view.Load()
	next := *old
	next.ConsumeType, next.MessageModel, next.ConsumeFromWhere = d.ConsumeType, d.MessageModel, d.ConsumeFromWhere
	was, bytes := g.members[client.Conn], membershipBytes(client.ID, d.GroupName)
	if was != nil {
		c.bytes.Add(int64(-was.bytes))
	}
	g.members[client.Conn] = &consumer{Client: client, seen: c.clock(), bytes: bytes}
	c.bytes.Add(int64(bytes))
	replaced, changed := false, false
	if !withoutSub {
		replaced, changed, next.subscriptions = subscribe(old.subscriptions, d.SubscriptionDataSet, fresh)
	}
	if replaced || old.ConsumeType != next.ConsumeType || old.MessageModel != next.MessageModel || old.ConsumeFromWhere != next.ConsumeFromWhere {
		if replaced {
			next.bytes = 0
			for _, sub := range next.subscriptions {
				next.bytes += subscriptionBytes(&sub.SubscriptionData)
			}
			c.bytes.Add(int64(next.bytes - old.bytes))
		}
		g.view.Store(&next)
	}
	c.byConn[client.Conn].set(d.GroupName, bytes+next.bytes)
	return (was == nil || changed) && g.tells(wants), differs
}

// prepare makes the subscriptions that a group does not have yet, nil for others: codes are put in order before pulls have to wait for it.
func (c *consumers) prepare(d *remoting.ConsumerData) []*Subscription {
	var have map[string]*Subscription
	if g := c.Group([]byte(d.GroupName)); g != nil {
		have = g.subscriptions
	}
	fresh := make([]*Subscription, len(d.SubscriptionDataSet))
	for i := range fresh {
		if s := &d.SubscriptionDataSet[i]; replaces(s, have[s.Topic]) {
			fresh[i] = newSubscription(s)
		}
	}
	return fresh
}

// subscribe compares subscriptions; fresh are those that were prepared. changed: a topic came or went; replaced: there is anything new to store.
func subscribe(old map[string]*Subscription, all []remoting.SubscriptionData, fresh []*Subscription) (replaced, changed bool, next map[string]*Subscription) {
	next = make(map[string]*Subscription, len(all))
	for i := range all {
		d := &all[i]
		have := old[d.Topic]
		if !replaces(d, have) {
			next[d.Topic] = have
			continue
		}
		replaced, changed = true, changed || have == nil
		if fresh[i] == nil { // the group has changed meanwhile
			fresh[i] = newSubscription(d)
		}
		next[d.Topic] = fresh[i]
	}
	for topic := range old {
		if next[topic] == nil {
			replaced, changed = true, true
		}
	}
	if !replaced {
		return false, false, old
	}
	return replaced, changed, next
}

// replaces says that a subscription takes the place of the one that is there, if any.
func replaces(d *remoting.SubscriptionData, have *Subscription) bool {
	return have == nil || d.SubVersion > have.SubVersion
}

// tells says that the members are told of changes.
func (g *consumerGroup) tells(wants Wants) bool {
	view := g.view.Load()
	return view.MessageModel != Broadcasting && wants(view.Name)
}

func (g *consumerGroup) conns() []uint64 {
	all := make([]uint64, 0, len(g.members))
	for conn := range g.members {
		all = append(all, conn)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	return all
}

func (c *consumers) unregisterConsumer(conn uint64, group string, wants Wants) (tell bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forget(conn, group, wants)
}

// forget is unregisterConsumer under the lock.
func (c *consumers) forget(conn uint64, group string, wants Wants) (tell bool) {
	if s := c.byConn[conn]; s != nil {
		if s.drop(group); len(s.groups) == 0 {
			delete(c.byConn, conn)
		}
	}
	return c.leave(conn, group, wants)
}

// leave takes a connection out of a group, and the group out of the table with its last one. tell: there are others, who have to be
// told. Its cost does not depend on how many: a group may lose all its members at once.
func (c *consumers) leave(conn uint64, group string, wants Wants) (tell bool) {
	s := c.shard([]byte(group))
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[group]
	if g == nil || g.members[conn] == nil {
		return false
	}
	c.bytes.Add(int64(-g.members[conn].bytes))
	delete(g.members, conn)
	if len(g.members) == 0 {
		c.bytes.Add(int64(-g.view.Load().bytes))
		delete(s.groups, group)
		return false
	}
	return g.tells(wants)
}

func (c *consumers) removeConsumer(conn uint64, wants Wants) (changed []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	groups := c.byConn[conn]
	delete(c.byConn, conn)
	for _, group := range groups.names() {
		if c.leave(conn, group, wants) {
			changed = append(changed, group)
		}
	}
	return changed
}

// expireConsumers judges each membership by its own heartbeats: a connection may have left one group behind. A connection may be in stale
// more than once.
func (c *consumers) expireConsumers(limit time.Time, wants Wants) (stale []uint64, changed []string) {
	var silent []membership
	c.eachGroup(func(name string, g *consumerGroup) {
		for conn, m := range g.members {
			if m.seen.Before(limit) {
				silent = append(silent, membership{conn, name})
			}
		}
	})
	for some := range slices.Chunk(silent, forgottenAtOnce) {
		c.mu.Lock()
		for _, m := range some {
			if !c.silent(m, limit) {
				continue
			}
			stale = append(stale, m.conn)
			if c.forget(m.conn, m.group, wants) {
				changed = append(changed, m.group)
			}
		}
		c.mu.Unlock()
	}
	return stale, changed
}

// silent says that no heartbeat has come meanwhile.
func (c *consumers) silent(m membership, limit time.Time) bool {
	s := c.shard([]byte(m.group))
	s.mu.RLock()
	defer s.mu.RUnlock()
	g := s.groups[m.group]
	return g != nil && g.members[m.conn] != nil && g.members[m.conn].seen.Before(limit)
}

// eachGroup calls fn with every group, under the shard's lock.
func (c *consumers) eachGroup(fn func(name string, g *consumerGroup)) {
	for i := range c.parts {
		s := &c.parts[i]
		s.mu.RLock()
		for name, g := range s.groups {
			fn(name, g)
		}
		s.mu.RUnlock()
	}
}

// Subscription returns what a group wants of a topic: nil if nothing. known is false when the group has no member. No
// allocation; what is returned does not change.
func (c *consumers) Subscription(group, topic []byte) (_ *Subscription, known bool) {
	g := c.Group(group)
	if g == nil {
		return nil, false
	}
	return g.subscriptions[string(topic)], true
}

// Broadcasting says that every member of a group gets every message.
func (c *consumers) Broadcasting(group []byte) bool {
	g := c.Group(group)
	return g != nil && g.MessageModel == Broadcasting
}

// Consumers lists the clients of a group by connection; nil when it has none.
func (c *consumers) Consumers(group string) []Client {
	s := c.shard([]byte(group))
	s.mu.RLock()
	defer s.mu.RUnlock()
	g := s.groups[group]
	if g == nil {
		return nil
	}
	all := make([]Client, 0, len(g.members))
	for _, conn := range g.conns() {
		all = append(all, g.members[conn].Client)
	}
	return all
}

// Conns lists the connections of a group, none when it has no member.
func (c *consumers) Conns(group string) []uint64 {
	s := c.shard([]byte(group))
	s.mu.RLock()
	defer s.mu.RUnlock()
	if g := s.groups[group]; g != nil {
		return g.conns()
	}
	return nil
}

// Consumer finds one client of a group by its id.
func (c *consumers) Consumer(group, clientID string) (Client, bool) {
	for _, m := range c.Consumers(group) {
		if m.ID == clientID {
			return m, true
		}
	}
	return Client{}, false
}

// ConsumerIDs lists the client ids of a group, the body of 38.
func (c *consumers) ConsumerIDs(group string) []string {
	var ids []string
	for _, m := range c.Consumers(group) {
		if m.ID != "" {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// GroupsOfTopic lists the groups that subscribe to a topic at the moment.
func (c *consumers) GroupsOfTopic(topic string) []string {
	var names []string
	c.eachGroup(func(name string, g *consumerGroup) {
		if g.view.Load().subscriptions[topic] != nil {
			names = append(names, name)
		}
	})
	sort.Strings(names)
	return names
}

// ConsumerConnection is the body of 203; false when the group has no member.
func (c *consumers) ConsumerConnection(group string) (*remoting.ConsumerConnection, bool) {
	view, clients := c.Group([]byte(group)), c.Consumers(group)
	if view == nil || len(clients) == 0 {
		return nil, false
	}
	b := &remoting.ConsumerConnection{
		ConnectionSet: connections(clients), ConsumeFromWhere: view.ConsumeFromWhere, ConsumeType: view.ConsumeType, MessageModel: view.MessageModel,
		SubscriptionTable: make(map[string]remoting.SubscriptionData, len(view.subscriptions)),
	}
	for topic, s := range view.subscriptions {
		b.SubscriptionTable[topic] = s.SubscriptionData
	}
	return b, true
}

func connections(clients []Client) []remoting.Connection {
	all := make([]remoting.Connection, 0, len(clients))
	for _, c := range clients {
		all = append(all, remoting.Connection{ClientAddr: c.Addr.String(), ClientID: c.ID, Language: c.Language, Version: c.Version})
	}
	return all
}
