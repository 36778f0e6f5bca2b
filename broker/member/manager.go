package member

import (
	"net/netip"
	"slices"
	"time"

	"ringmq/netpoll/remoting"
)

// Client is how one connection introduced itself to a group.
type Client struct {
	Conn     uint64 // the connection's number, unique in the broker's life
	ID       string // clientID of the heartbeat
	Addr     netip.AddrPort
	Language string
	Version  int32
}

// Wants says whether a group's members want to be told of changes (notifyConsumerIdsChangedEnable of its configuration).
type Wants func(group string) bool

// Manager is the table of producers and consumers. Any goroutine. Methods that change a consumer group return its name when its
// members have to be told with NOTIFY_CONSUMER_IDS_CHANGED; Conns lists them.
type Manager struct {
	consumers
	producers
	clock func() time.Time
}

// New makes an empty table. The clock's monotonic reading counts.
func New(clock func() time.Time) *Manager {
	m := &Manager{clock: clock}
	m.consumers.init(clock)
	m.producers.init(clock)
	return m
}

// Bounds of what one connection may say of itself. No client comes near them.
const (
	MaxGroupsPerConn         = 10_000 // consumer groups, and as many producer groups
	MaxSubscriptionsPerGroup = 10_000
	MaxSubscriptionBytes     = 64 << 10 // of one
)

// Fits says whether a heartbeat keeps within the bounds, together with what its connection said before.
func (m *Manager) Fits(conn uint64, d *remoting.HeartbeatData) bool {
	for i := range d.ConsumerDataSet {
		g := &d.ConsumerDataSet[i]
		if len(g.SubscriptionDataSet) > MaxSubscriptionsPerGroup {
			return false
		}
		for j := range g.SubscriptionDataSet {
			s := &g.SubscriptionDataSet[j]
			if len(s.Topic)+len(s.SubString)+4*len(s.CodeSet) > MaxSubscriptionBytes {
				return false
			}
		}
	}
	consumes := make([]string, len(d.ConsumerDataSet))
	for i := range consumes {
		consumes[i] = d.ConsumerDataSet[i].GroupName
	}
	produces := make([]string, len(d.ProducerDataSet))
	for i := range produces {
		produces[i] = d.ProducerDataSet[i].GroupName
	}
	m.consumers.mu.Lock()
	fits := union(m.byConn[conn], consumes) <= MaxGroupsPerConn
	m.consumers.mu.Unlock()
	m.producers.mu.Lock()
	fits = fits && union(m.conns[conn], produces) <= MaxGroupsPerConn
	m.producers.mu.Unlock()
	return fits
}

// union is how many names there are with those that are new.
func union(have map[string]struct{}, names []string) int {
	n := len(have)
	for _, name := range names {
		if _, there := have[name]; !there {
			n++
		}
	}
	return n
}

// Heartbeat takes what a client says of itself. Groups that do not exist must have been taken out of d before. subChanged is
// what the answer says as IS_SUB_CHANGE: always for a heartbeat of the first version, and for one of the second (with a
// fingerprint) when a group's last heartbeat had another.
func (m *Manager) Heartbeat(c Client, d *remoting.HeartbeatData, wants Wants) (subChanged bool, changed []string) {
	subChanged = d.HeartbeatFingerprint == 0
	withoutSub := d.WithoutSub && d.HeartbeatFingerprint != 0
	for i := range d.ConsumerDataSet {
		g := &d.ConsumerDataSet[i]
		tell, differs := m.registerConsumer(c, g, d.HeartbeatFingerprint, withoutSub, wants)
		subChanged = subChanged || differs
		if tell {
			changed = append(changed, g.GroupName)
		}
	}
	for _, g := range d.ProducerDataSet {
		m.registerProducer(c, g.GroupName)
	}
	return subChanged, changed
}

// Unregister takes a client out of a producer group and a consumer group; "" is none. A client is known by its connection; its id
// is not asked.
func (m *Manager) Unregister(conn uint64, producerGroup, consumerGroup string, wants Wants) (changed []string) {
	if producerGroup != "" {
		m.unregisterProducer(conn, producerGroup)
	}
	if consumerGroup != "" && m.unregisterConsumer(conn, consumerGroup, wants) {
		changed = []string{consumerGroup}
	}
	return changed
}

// ConnClosed forgets a connection that has ended.
func (m *Manager) ConnClosed(conn uint64, wants Wants) (changed []string) {
	m.removeProducer(conn)
	return m.removeConsumer(conn, wants)
}

// Expire forgets clients that have been silent for longer than timeout. The connections in stale should be closed.
func (m *Manager) Expire(timeout time.Duration, wants Wants) (stale []uint64, changed []string) {
	limit := m.clock().Add(-timeout)
	stale, changed = m.expireConsumers(limit, wants)
	for _, conn := range m.expireProducers(limit) {
		if !slices.Contains(stale, conn) {
			stale = append(stale, conn)
		}
	}
	return stale, changed
}
