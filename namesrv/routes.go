package namesrv

import (
	"maps"
	"sort"
	"sync"
	"time"

	"ringmq/netpoll/remoting"
)

// routes are the five tables: clusters, brokers, their liveness, topics and filter servers. Methods may be called by any
// goroutine; time is passed in.
type routes struct {
	mu       sync.RWMutex
	clusters map[string]map[string]bool                // cluster -> broker names
	brokers  map[string]*remoting.BrokerData           // broker name -> addresses by id
	live     map[addrKey]*lease                        // who is alive
	topics   map[string]map[string]*remoting.QueueData // topic -> broker name -> its queues
	filters  map[addrKey][]string                      // filter servers, which only old brokers have
	mappings map[string]map[string]any                 // topic -> broker name -> mapping of a static topic
}

// addrKey names one broker process.
type addrKey struct{ cluster, addr string }

// lease is a broker's right to be in the tables.
type lease struct {
	name    string // of the broker
	last    time.Time
	timeout time.Duration
	version remoting.DataVersion
	haAddr  string
	conn    uint64 // the connection it registered by
}

// registration is one REGISTER_BROKER request.
type registration struct {
	cluster, name, addr, haAddr string
	id                          int64
	timeout                     time.Duration
	acting, hasActing           bool
	zone                        string
	conn                        uint64
	body                        *remoting.RegisterBrokerBody
	dropMissingTopics           bool
}

// registered is what came of a registration.
type registered struct {
	masterAddr, haAddr string // where a slave's master is

	joined   bool   // the address was not alive before
	replaced string // a live broker of the same cluster, name and id at another address, which is out of the route now
	keptFor  string // such a one that stays in the route, because its state is newer: nothing was registered
}

const defaultTimeout = 120 * time.Second

func newRoutes() *routes {
	return &routes{
		clusters: map[string]map[string]bool{}, brokers: map[string]*remoting.BrokerData{}, live: map[addrKey]*lease{},
		topics: map[string]map[string]*remoting.QueueData{}, filters: map[addrKey][]string{}, mappings: map[string]map[string]any{},
	}
}

// register enters a broker. Of two with the same cluster, name and id the later one counts, unless the other's state is newer. ok is
// false where stock refuses: a broker id that is new and brings exactly one topic, which is a change sent before the first full
// registration. What is refused leaves nothing in the tables.
func (t *routes) register(r *registration, now time.Time) (_ registered, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(r.body.TopicConfigSerializeWrapper.TopicConfigTable) == 1 && (t.brokers[r.name] == nil || t.brokers[r.name].BrokerAddrs[r.id] == "") {
		return registered{}, false
	}
	if t.clusters[r.cluster] == nil {
		t.clusters[r.cluster] = map[string]bool{}
	}
	t.clusters[r.cluster][r.name] = true
	b := t.brokers[r.name]
	first := b == nil
	if first {
		b = &remoting.BrokerData{BrokerName: r.name, Cluster: r.cluster, BrokerAddrs: map[int64]string{}}
		t.brokers[r.name] = b
	}
	b.EnableActingMaster, b.ZoneName = r.acting, r.zone
	for id, addr := range b.BrokerAddrs {
		if addr == r.addr && id != r.id {
			delete(b.BrokerAddrs, id)
		}
	}
	key := addrKey{r.cluster, r.addr}
	w := &r.body.TopicConfigSerializeWrapper
	var done registered
	old, known := b.BrokerAddrs[r.id]
	if known && old != r.addr {
		if l := t.live[addrKey{r.cluster, old}]; l != nil {
			if l.version.StateVersion > w.DataVersion.StateVersion {
				delete(t.live, key)
				return registered{keptFor: old}, true
			}
			done.replaced = old
		}
	}
	b.BrokerAddrs[r.id] = r.addr
	t.takeTopics(r, b, first || !known)
	done.joined = t.live[key] == nil
	t.live[key] = &lease{name: r.name, last: now, timeout: r.timeout, version: w.DataVersion, haAddr: r.haAddr, conn: r.conn}
	if len(r.body.FilterServerList) > 0 {
		t.filters[key] = r.body.FilterServerList
	} else {
		delete(t.filters, key)
	}
	if r.id == 0 {
		return done, true
	}
	master := b.BrokerAddrs[0]
	if l := t.live[addrKey{r.cluster, master}]; master != "" && l != nil {
		done.masterAddr, done.haAddr = master, l.haAddr
	}
	return done, true
}

// takeTopics enters the topics a master brings, or the slave that acts for it.
func (t *routes) takeTopics(r *registration, b *remoting.BrokerData, first bool) {
	w := &r.body.TopicConfigSerializeWrapper
	acts := r.hasActing && r.id == minID(b) && r.id != 0
	if r.id != 0 && !acts {
		return
	}
	old := t.live[addrKey{r.cluster, r.addr}]
	changed := first || old == nil || old.version != w.DataVersion
	if r.dropMissingTopics && changed && len(w.TopicQueueMappingInfoMap) == 0 {
		for topic, byBroker := range t.topics {
			if w.TopicConfigTable[topic] == nil && byBroker[r.name] != nil {
				delete(byBroker, r.name)
				if len(byBroker) == 0 {
					delete(t.topics, topic)
				}
			}
		}
	}
	for name, c := range w.TopicConfigTable {
		if !changed && t.topics[name][r.name] != nil {
			continue
		}
		perm := c.Perm
		if acts && r.acting {
			perm &^= remoting.PermWrite
		}
		if t.topics[name] == nil {
			t.topics[name] = map[string]*remoting.QueueData{}
		}
		t.topics[name][r.name] = &remoting.QueueData{BrokerName: r.name, Perm: perm, ReadQueueNums: c.ReadQueueNums, WriteQueueNums: c.WriteQueueNums, TopicSysFlag: c.TopicSysFlag}
	}
	for topic, m := range w.TopicQueueMappingInfoMap {
		if t.mappings[topic] == nil {
			t.mappings[topic] = map[string]any{}
		}
		t.mappings[topic][r.name] = m
	}
}

func minID(b *remoting.BrokerData) int64 {
	least := int64(-1)
	for id := range b.BrokerAddrs {
		if least < 0 || id < least {
			least = id
		}
	}
	return least
}

// unregister takes a broker process out, and with the last of its name its topics.
func (t *routes) unregister(cluster, name, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.remove(cluster, name, addr) {
		t.removeTopics(map[string]bool{name: true})
	}
}

// remove takes out all but the topics of a broker process, and reports whether it was the last of its name, so that they have
// to go.
func (t *routes) remove(cluster, name, addr string) (last bool) {
	delete(t.live, addrKey{cluster, addr})
	delete(t.filters, addrKey{cluster, addr})
	b := t.brokers[name]
	if b == nil {
		return false
	}
	maps.DeleteFunc(b.BrokerAddrs, func(_ int64, a string) bool { return a == addr })
	if len(b.BrokerAddrs) > 0 {
		if b.BrokerAddrs[0] == "" && b.EnableActingMaster {
			t.changePerm(name, func(p int32) int32 { return p &^ remoting.PermWrite })
		}
		return false
	}
	delete(t.brokers, name)
	delete(t.clusters[cluster], name)
	if len(t.clusters[cluster]) == 0 {
		delete(t.clusters, cluster)
	}
	return true
}

// removeTopics takes the topics of brokers out, in one look at all topics however many brokers there are.
func (t *routes) removeTopics(names map[string]bool) {
	for topic, byBroker := range t.topics {
		for name := range byBroker {
			if names[name] {
				delete(byBroker, name)
			}
		}
		if len(byBroker) == 0 {
			delete(t.topics, topic)
		}
	}
	for topic, byBroker := range t.mappings {
		for name := range byBroker {
			if names[name] {
				delete(byBroker, name)
			}
		}
		if len(byBroker) == 0 {
			delete(t.mappings, topic)
		}
	}
}

// removed is a broker that was taken out because it fell silent or its connection ended.
type removed struct {
	addr string
	conn uint64
}

// expire removes brokers whose lease has ended.
func (t *routes) expire(now time.Time) []removed {
	return t.removeWhere(func(l *lease) bool { return now.Sub(l.last) > l.timeout })
}

// connectionClosed removes what registered by a connection, at once: several brokers when one process holds them.
func (t *routes) connectionClosed(conn uint64) []removed {
	return t.removeWhere(func(l *lease) bool { return l.conn == conn })
}

func (t *routes) removeWhere(gone func(l *lease) bool) (all []removed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	names := map[string]bool{}
	for key, l := range t.live {
		if !gone(l) {
			continue
		}
		all = append(all, removed{key.addr, l.conn})
		if t.remove(key.cluster, l.name, key.addr) {
			names[l.name] = true
		}
	}
	if len(names) > 0 {
		t.removeTopics(names)
	}
	return all
}

// refresh renews a lease and returns the version it was last registered with; ok is false for a stranger.
func (t *routes) refresh(cluster, addr string, now time.Time) (v remoting.DataVersion, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.live[addrKey{cluster, addr}]
	if l == nil {
		return v, false
	}
	l.last = now
	return l.version, true
}

// changePerm changes the permissions of all topics of a broker and returns how many there are.
func (t *routes) changePerm(name string, change func(int32) int32) (topics int) {
	for _, byBroker := range t.topics {
		if q := byBroker[name]; q != nil {
			changed := *q
			changed.Perm = change(q.Perm)
			byBroker[name] = &changed
			topics++
		}
	}
	return topics
}

// setPerm is changePerm for requests.
func (t *routes) setPerm(name string, change func(int32) int32) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changePerm(name, change)
}

// deleteTopic forgets a topic, of one cluster's brokers only if a cluster is named.
func (t *routes) deleteTopic(topic, cluster string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cluster == "" {
		delete(t.topics, topic)
		return
	}
	for name := range t.clusters[cluster] {
		delete(t.topics[topic], name)
	}
	if len(t.topics[topic]) == 0 {
		delete(t.topics, topic)
	}
}

// addTopic enters queues of a topic for brokers that are known.
func (t *routes) addTopic(topic string, queues []remoting.QueueData) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range queues {
		q := queues[i]
		if t.brokers[q.BrokerName] == nil {
			continue
		}
		if t.topics[topic] == nil {
			t.topics[topic] = map[string]*remoting.QueueData{}
		}
		t.topics[topic][q.BrokerName] = &q
	}
}

// sizes of the tables, for the periodic log line.
func (t *routes) sizes() (clusters, brokers, live, topics, filters int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.clusters), len(t.brokers), len(t.live), len(t.topics), len(t.filters)
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for n := range m {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}
