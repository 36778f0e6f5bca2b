package member

import (
	"fmt"
	"maps"
	"slices"
	"unsafe"

	"ringmq/netpoll/remoting"
)

// Bounds of what one connection may say of itself. No client comes near them.
const (
	MaxGroupsPerConn         = 10_000 // consumer groups, and as many producer groups
	MaxSubscriptionsPerGroup = 10_000
	MaxSubscriptionBytes     = 64 << 10 // of one
	maxNameBytes             = 1 << 10  // of a client, a producer group, or a way to consume
)

// maxBytes is about what all clients together may say of themselves. Who makes the table larger may have said no more than a part of what
// is still free: the fuller it is the less, so that a few that say very much leave room for all that say as much as clients do.
const (
	maxBytes    = 512 << 20
	partOfSpare = 16
)

// memberBytes is about what the membership in a group takes, without its texts.
const memberBytes = 256

// tagBytes is about what a tag of a subscription takes, without its text.
const tagBytes = 24

func membershipBytes(clientID, group string) int { return memberBytes + len(clientID) + len(group) }

// subscriptionBytes is about what a subscription takes, with the codes that are put in order beside it.
func subscriptionBytes(s *remoting.SubscriptionData) int {
	const codes = 8
	n := int(unsafe.Sizeof(Subscription{})) + memberBytes/4 + len(s.Topic) + len(s.SubString) + len(s.ExpressionType) + codes*len(s.CodeSet)
	for _, tag := range s.TagsSet {
		n += tagBytes + len(tag)
	}
	return n
}

// said is what a connection said of itself, with the bytes that each group takes. What members of a group share counts for all of them:
// any of them may be the last one to hold it.
type said struct {
	groups map[string]int
	bytes  int
}

func newSaid() *said { return &said{groups: map[string]int{}} }

// of is what a group takes, 0 if the connection does not name it. Of nobody too.
func (s *said) of(group string) int {
	if s == nil {
		return 0
	}
	return s.groups[group]
}

func (s *said) set(group string, bytes int) {
	s.bytes += bytes - s.groups[group]
	s.groups[group] = bytes
}

func (s *said) drop(group string) {
	if s != nil {
		s.bytes -= s.groups[group]
		delete(s.groups, group)
	}
}

// names are the groups in order. Of nobody too.
func (s *said) names() []string {
	if s == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(s.groups))
}

// size is how many groups there are with those that are new, and what all of them take then.
func (s *said) size(fresh map[string]int) (groups, bytes int) {
	if s != nil {
		groups, bytes = len(s.groups), s.bytes
	}
	for group, n := range fresh {
		was := s.of(group)
		if was == 0 {
			groups++
		}
		bytes += n - was
	}
	return groups, bytes
}

// Fits says why a heartbeat is not taken, together with what its connection said before; "" if it is. Of heartbeats that come at once
// each is judged as if the others had not come.
func (m *Manager) Fits(conn uint64, d *remoting.HeartbeatData) (refusal string) {
	if !sound(d) {
		return fmt.Sprintf("the heartbeat is too large: a connection may have %d groups, a group %d subscriptions of %d bytes, a name %d bytes",
			MaxGroupsPerConn, MaxSubscriptionsPerGroup, MaxSubscriptionBytes, maxNameBytes)
	}
	consumes, grows := m.consumers.with(conn, d)
	produces := make(map[string]int, len(d.ProducerDataSet))
	for _, g := range d.ProducerDataSet {
		produces[g.GroupName] = membershipBytes(d.ClientID, g.GroupName)
	}
	m.consumers.mu.Lock()
	groups, bytes := m.byConn[conn].size(consumes)
	m.consumers.mu.Unlock()
	m.producers.mu.Lock()
	producers, more := m.conns[conn].size(produces)
	for group, n := range produces {
		grows += max(0, n-m.conns[conn].of(group))
	}
	m.producers.mu.Unlock()
	if groups > MaxGroupsPerConn || producers > MaxGroupsPerConn {
		return fmt.Sprintf("the heartbeat is too large: a connection may have %d groups", MaxGroupsPerConn)
	}
	if spare := m.most - m.held(); grows > 0 && int64(bytes+more) > spare/partOfSpare {
		return fmt.Sprintf("the heartbeat is too large: what its connection says takes %d bytes, and all may have %d more", bytes+more, spare)
	}
	return ""
}

// held is about what the table takes.
func (m *Manager) held() int64 { return m.consumers.bytes.Load() + m.producers.bytes.Load() }

// sound says that nothing in a heartbeat is longer than it may be.
func sound(d *remoting.HeartbeatData) bool {
	if len(d.ClientID) > maxNameBytes || len(d.ConsumerDataSet) > MaxGroupsPerConn || len(d.ProducerDataSet) > MaxGroupsPerConn {
		return false
	}
	for i := range d.ProducerDataSet {
		if len(d.ProducerDataSet[i].GroupName) > maxNameBytes {
			return false
		}
	}
	for i := range d.ConsumerDataSet {
		g := &d.ConsumerDataSet[i]
		if len(g.SubscriptionDataSet) > MaxSubscriptionsPerGroup || max(len(g.ConsumeType), len(g.MessageModel), len(g.ConsumeFromWhere)) > maxNameBytes {
			return false
		}
		for j := range g.SubscriptionDataSet {
			if !soundSubscription(&g.SubscriptionDataSet[j]) {
				return false
			}
		}
	}
	return true
}

// soundSubscription bounds tags as the expression that they come from is: with what parts them.
func soundSubscription(s *remoting.SubscriptionData) bool {
	tags := 0
	for _, tag := range s.TagsSet {
		tags += len(tag) + len("||")
	}
	return len(s.Topic)+len(s.SubString)+len(s.ExpressionType)+4*len(s.CodeSet) <= MaxSubscriptionBytes && tags <= MaxSubscriptionBytes
}

// with is what the groups of a heartbeat take for its connection, and by how much the table grows with them.
func (c *consumers) with(conn uint64, d *remoting.HeartbeatData) (groups map[string]int, grows int) {
	groups = make(map[string]int, len(d.ConsumerDataSet))
	for i := range d.ConsumerDataSet {
		g := &d.ConsumerDataSet[i]
		member := membershipBytes(d.ClientID, g.GroupName)
		view, was := c.has(conn, g.GroupName)
		subs := view.bytes
		if !withoutSub(d) {
			subs = view.bytesWith(g.SubscriptionDataSet)
		}
		groups[g.GroupName] = member + subs
		grows += max(0, member-was) + max(0, subs-view.bytes)
	}
	return groups, grows
}

// has is a group as it is, and what the membership of a connection takes.
func (c *consumers) has(conn uint64, group string) (view *Group, member int) {
	s := c.shard([]byte(group))
	s.mu.RLock()
	defer s.mu.RUnlock()
	g := s.groups[group]
	if g == nil {
		return &Group{}, 0
	}
	if m := g.members[conn]; m != nil {
		member = m.bytes
	}
	return g.view.Load(), member
}

// bytesWith is what a group's subscriptions take when a member has said these: as subscribe chooses them.
func (g *Group) bytesWith(all []remoting.SubscriptionData) (n int) {
	for i := range all {
		if have := g.subscriptions[all[i].Topic]; !replaces(&all[i], have) {
			n += subscriptionBytes(&have.SubscriptionData)
			continue
		}
		n += subscriptionBytes(&all[i])
	}
	return n
}
