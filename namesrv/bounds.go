package namesrv

import (
	"encoding/json"
	"fmt"

	"ringmq/netpoll/remoting"
)

// Nobody has to say who he is, so what one peer may enter has bounds, far beyond what a process with brokers in it brings. A unit is
// a topic of a broker; one with a name, or a mapping, of more than unitBytes takes several. What a broker says of itself, with the
// addresses of its filter servers, takes some more if it is as long.
const (
	maxNameBytes   = 1 << 10  // of a broker, its cluster or zone, or an address of it
	maxFilterBytes = 64 << 10 // of the addresses of its filter servers
	maxConnBrokers = 256
	maxConnUnits   = 1 << 20
	maxHostBrokers = 1 << 10
	maxHostUnits   = 4 << 20
	unitBytes      = 256
)

func unitsOf(bytes int) int64 { return 1 + int64(bytes/unitBytes) }

// filterBytes is about what the addresses of filter servers take.
func (r *registration) filterBytes() (n int) {
	const each = 24
	for _, addr := range r.body.FilterServerList {
		n += each + len(addr)
	}
	return n
}

// ownUnits are those of the broker itself, none as a rule.
func (r *registration) ownUnits() int64 {
	return int64((len(r.cluster) + len(r.name) + len(r.addr) + len(r.haAddr) + len(r.zone) + r.filterBytes()) / unitBytes)
}

// full says which bound a registration would pass, "" if none: its own, that of its connection, or that of the host that it came from. mu
// is held.
func (t *routes) full(r *registration) string {
	if max(len(r.cluster), len(r.name), len(r.addr), len(r.haAddr), len(r.zone)) > maxNameBytes {
		return fmt.Sprintf("a name or an address of more than %d bytes", maxNameBytes)
	}
	if r.filterBytes() > maxFilterBytes {
		return fmt.Sprintf("addresses of filter servers of more than %d bytes", maxFilterBytes)
	}
	brokers, units := 1, t.held[r.name]+t.brings(r)+r.ownUnits()
	hostBrokers, hostUnits := brokers, units
	for key, l := range t.live {
		ofConn, ofHost := l.conn == r.conn, r.host.IsValid() && l.host == r.host
		if !ofConn && !ofHost || key == (addrKey{r.cluster, r.addr}) {
			continue
		}
		more := l.units
		if l.name != r.name {
			more += t.held[l.name]
		}
		if ofConn {
			brokers, units = brokers+1, units+more
		}
		if ofHost {
			hostBrokers, hostUnits = hostBrokers+1, hostUnits+more
		}
	}
	switch {
	case brokers > maxConnBrokers:
		return fmt.Sprintf("more than %d brokers by one connection", maxConnBrokers)
	case units > maxConnUnits:
		return fmt.Sprintf("more than %d topics by one connection", maxConnUnits)
	case hostBrokers > maxHostBrokers:
		return fmt.Sprintf("more than %d brokers of one host", maxHostBrokers)
	case hostUnits > maxHostUnits:
		return fmt.Sprintf("more than %d topics of one host", maxHostUnits)
	}
	return ""
}

// brings are the units that a registration may add to those of its name.
func (t *routes) brings(r *registration) (units int64) {
	if r.id != 0 && !r.hasActing {
		return 0
	}
	w := &r.body.TopicConfigSerializeWrapper
	for topic := range w.TopicConfigTable {
		if t.topics[topic][r.name] == nil {
			units += unitsOf(len(topic))
		}
	}
	for topic := range w.TopicQueueMappingInfoMap {
		if t.mappings[topic][r.name] == nil {
			units += unitsOf(len(topic))
		}
	}
	return units
}

// putQueues enters or replaces a broker's queues of a topic.
func (t *routes) putQueues(topic string, q *remoting.QueueData) {
	if t.topics[topic] == nil {
		t.topics[topic] = map[string]*remoting.QueueData{}
	}
	if t.topics[topic][q.BrokerName] == nil {
		t.held[q.BrokerName] += unitsOf(len(topic))
	}
	t.topics[topic][q.BrokerName] = q
}

// dropQueues takes out a broker's queues of a topic.
func (t *routes) dropQueues(topic, name string) {
	if t.topics[topic][name] == nil {
		return
	}
	t.held[name] -= unitsOf(len(topic))
	delete(t.topics[topic], name)
	if len(t.topics[topic]) == 0 {
		delete(t.topics, topic)
	}
}

// putMapping enters or replaces a broker's mapping of a static topic.
func (t *routes) putMapping(topic, name string, m any) {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // it was read from JSON
	}
	if t.mappings[topic] == nil {
		t.mappings[topic] = map[string]json.RawMessage{}
	}
	if old := t.mappings[topic][name]; old != nil {
		t.held[name] -= unitsOf(len(topic) + len(old))
	}
	t.held[name] += unitsOf(len(topic) + len(b))
	t.mappings[topic][name] = b
}
