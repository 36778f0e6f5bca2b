package namesrv

import (
	"encoding/json"
	"maps"
	"strings"

	"ringmq/netpoll/remoting"
)

// route returns where a topic is, false if nobody has it.
func (t *routes) route(topic string) (*remoting.TopicRouteData, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	byBroker := t.topics[topic]
	if len(byBroker) == 0 {
		return nil, false
	}
	r := &remoting.TopicRouteData{FilterServerTable: map[string][]string{}}
	for _, name := range sortedKeys(byBroker) {
		r.QueueDatas = append(r.QueueDatas, *byBroker[name])
		b := t.brokers[name]
		if b == nil {
			continue
		}
		r.BrokerDatas = append(r.BrokerDatas, copyBroker(b))
		for _, addr := range b.BrokerAddrs {
			if f := t.filters[addrKey{b.Cluster, addr}]; len(f) > 0 {
				r.FilterServerTable[addr] = f
			}
		}
	}
	if len(r.BrokerDatas) == 0 {
		return nil, false
	}
	if m := t.mappings[topic]; len(m) > 0 {
		r.TopicQueueMapping, _ = json.Marshal(m)
	}
	return r, true
}

func copyBroker(b *remoting.BrokerData) remoting.BrokerData {
	c := *b
	c.BrokerAddrs = maps.Clone(b.BrokerAddrs)
	return c
}

// inZone keeps the brokers of a zone, and those whose master is elsewhere.
func inZone(r *remoting.TopicRouteData, zone string) {
	kept := map[string]bool{}
	brokers := r.BrokerDatas[:0]
	for _, b := range r.BrokerDatas {
		if b.BrokerAddrs[0] == "" || strings.EqualFold(b.ZoneName, zone) {
			kept[b.BrokerName] = true
			brokers = append(brokers, b)
		}
	}
	r.BrokerDatas = brokers
	queues := r.QueueDatas[:0]
	for _, q := range r.QueueDatas {
		if kept[q.BrokerName] {
			queues = append(queues, q)
		}
	}
	r.QueueDatas = queues
}

// clusterInfo is the answer to 106.
func (t *routes) clusterInfo() *remoting.ClusterInfo {
	t.mu.RLock()
	defer t.mu.RUnlock()
	info := &remoting.ClusterInfo{BrokerAddrTable: map[string]*remoting.BrokerData{}, ClusterAddrTable: map[string][]string{}}
	for name, b := range t.brokers {
		c := copyBroker(b)
		info.BrokerAddrTable[name] = &c
	}
	for cluster, names := range t.clusters {
		info.ClusterAddrTable[cluster] = sortedKeys(names)
	}
	return info
}

// topicNames lists all topics, those of a cluster, or those whose system flag satisfies a test.
func (t *routes) topicNames(want func(byBroker map[string]*remoting.QueueData) bool) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	names := []string{}
	for _, topic := range sortedKeys(t.topics) {
		if want == nil || want(t.topics[topic]) {
			names = append(names, topic)
		}
	}
	return names
}

func (t *routes) clusterTopics(cluster string) []string {
	return t.topicNames(func(byBroker map[string]*remoting.QueueData) bool {
		for name := range byBroker {
			if t.clusters[cluster][name] {
				return true
			}
		}
		return false
	})
}

// Bits of a topic's system flag.
const (
	flagUnit    int32 = 1
	flagUnitSub int32 = 2
)

func (t *routes) topicsByFlag(has, hasNot int32) []string {
	return t.topicNames(func(byBroker map[string]*remoting.QueueData) bool {
		for _, q := range byBroker {
			return q.TopicSysFlag&has == has && q.TopicSysFlag&hasNot == 0
		}
		return false
	})
}

// systemTopics are the topics named after clusters and brokers, and one broker's address.
func (t *routes) systemTopics() remoting.TopicList {
	t.mu.RLock()
	defer t.mu.RUnlock()
	list := remoting.TopicList{TopicList: []string{}}
	for _, cluster := range sortedKeys(t.clusters) {
		list.TopicList = append(list.TopicList, cluster)
		list.TopicList = append(list.TopicList, sortedKeys(t.clusters[cluster])...)
	}
	for _, name := range sortedKeys(t.brokers) {
		for _, addr := range t.brokers[name].BrokerAddrs {
			list.BrokerAddr = addr
			return list
		}
	}
	return list
}

// brokerAddrs are the addresses of a broker name by id, none if nobody has that name.
func (t *routes) brokerAddrs(name string) map[int64]string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if b := t.brokers[name]; b != nil {
		return maps.Clone(b.BrokerAddrs)
	}
	return map[int64]string{}
}
