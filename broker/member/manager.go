package member

import (
	"net/netip"
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
	most  int64 // bytes of the table
}

// New makes an empty table. The clock's monotonic reading counts.
func New(clock func() time.Time) *Manager {
	m := &Manager{clock: clock, most: maxBytes}
	m.consumers.init(clock)
	m.producers.init(clock)
	return m
}

// Heartbeat takes what a client says of itself. Groups that do not exist must have been taken out of d before. subChanged is
// what the answer says as IS_SUB_CHANGE, whereupon the client says all again: always for a heartbeat of the first version, and for one of the
// second (with a fingerprint) when a group's last heartbeat had another, or when it leaves out what a group without members subscribes to.
func (m *Manager) Heartbeat(c Client, d *remoting.HeartbeatData, wants Wants) (subChanged bool, changed []string) {
	subChanged = d.HeartbeatFingerprint == 0
	withoutSub := withoutSub(d)
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

// withoutSub says that a heartbeat leaves subscriptions as they are.
func withoutSub(d *remoting.HeartbeatData) bool { return d.WithoutSub && d.HeartbeatFingerprint != 0 }

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
	all, changed := m.expireConsumers(limit, wants)
	seen := map[uint64]struct{}{}
	for _, conn := range append(all, m.expireProducers(limit)...) {
		if _, twice := seen[conn]; !twice {
			seen[conn] = struct{}{}
			stale = append(stale, conn)
		}
	}
	return stale, changed
}

// membership is one client in one group.
type membership struct {
	conn  uint64
	group string
}

// forgottenAtOnce bounds how long silent clients have the tables locked, which event loops wait for: there may be millions of memberships.
const forgottenAtOnce = 1000
