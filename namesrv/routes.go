package namesrv

import (
	"encoding/json"
	"maps"
	"net/netip"
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
	mappings map[string]map[string]json.RawMessage     // topic -> broker name -> mapping of a static topic
	holders  map[string]map[addrKey]bool               // broker name -> keys of its leases in live
	held     map[string]int64                          // broker name -> units that its topics and mappings take
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
	conn    uint64     // the connection it registered by
	host    netip.Addr // from which that came
	units   int64      // of the broker itself
}

// registration is one REGISTER_BROKER request.
type registration struct {
	cluster, name, addr, haAddr string
	id                          int64
	timeout                     time.Duration
	acting, hasActing           bool
	zone                        string
	conn                        uint64
	host                        netip.Addr // that the connection comes from; not valid: not known
	body                        *remoting.RegisterBrokerBody
	dropMissingTopics           bool
}

// registered is what came of a registration.
type registered struct {
	masterAddr, haAddr string // where a slave's master is

	joined   bool   // the address was not alive before
	replaced string // a live broker of the same cluster, name and id at another address, which is out of the route now
	keptFor  string // such a one that stays in the route, because its state is newer: nothing was registered
	full     string // the bound that it would have passed: nothing was registered
}

const defaultTimeout = 120 * time.Second

func newRoutes() *routes {
	return &routes{
		clusters: map[string]map[string]bool{}, brokers: map[string]*remoting.BrokerData{}, live: map[addrKey]*lease{},
		topics: map[string]map[string]*remoting.QueueData{}, filters: map[addrKey][]string{}, mappings: map[string]map[string]json.RawMessage{},
		holders: map[string]map[addrKey]bool{}, held: map[string]int64{},
	}
}

// register enters a broker. Of two with the same cluster, name and id the later one counts, unless the other's state is newer. ok is
// false where stock refuses: a broker id that is new and brings exactly one topic, which is a change sent before the first full
// registration. What is refused leaves nothing in the tables. An address that comes with another name than before gives its first one up.
func (t *routes) register(r *registration, now time.Time) (_ registered, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(r.body.TopicConfigSerializeWrapper.TopicConfigTable) == 1 && (t.brokers[r.name] == nil || t.brokers[r.name].BrokerAddrs[r.id] == "") {
		return registered{}, false
	}
	if full := t.full(r); full != "" {
		return registered{full: full}, true
	}
	key := addrKey{r.cluster, r.addr}
	if l := t.live[key]; l != nil && l.name != r.name && t.remove(r.cluster, l.name, r.addr) {
		t.removeTopics(map[string]bool{l.name: true})
	}
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
	w := &r.body.TopicConfigSerializeWrapper
	var done registered
	old, known := b.BrokerAddrs[r.id]
	if known && old != r.addr {
		if l := t.live[addrKey{r.cluster, old}]; l != nil {
			if l.version.StateVersion > w.DataVersion.StateVersion {
				t.endLease(key)
				return registered{keptFor: old}, true
			}
			done.replaced = old
		}
	}
	b.BrokerAddrs[r.id] = r.addr
	t.takeTopics(r, b, first || !known)
	done.joined = t.live[key] == nil
	t.lend(key, &lease{name: r.name, last: now, timeout: r.timeout, version: w.DataVersion, haAddr: r.haAddr, conn: r.conn, host: r.host, units: r.ownUnits()})
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
				t.dropQueues(topic, r.name)
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
		t.putQueues(name, &remoting.QueueData{BrokerName: r.name, Perm: perm, ReadQueueNums: c.ReadQueueNums, WriteQueueNums: c.WriteQueueNums, TopicSysFlag: c.TopicSysFlag})
	}
	for topic, m := range w.TopicQueueMappingInfoMap {
		t.putMapping(topic, r.name, m)
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
	last := map[string]bool{}
	if l := t.live[addrKey{cluster, addr}]; l != nil && t.remove(cluster, l.name, addr) {
		last[l.name] = true
	}
	if t.remove(cluster, name, addr) {
		last[name] = true
	}
	if len(last) > 0 {
		t.removeTopics(last)
	}
}

// remove takes out all but the topics of a broker process, and reports whether it was the last of its name, so that they have
// to go.
func (t *routes) remove(cluster, name, addr string) (last bool) {
	t.endLease(addrKey{cluster, addr})
	b := t.brokers[name]
	if b == nil || t.isHeld(name, addr) {
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
	t.leaveCluster(cluster, name)
	for key := range t.holders[name] { // of processes whose places others have taken
		t.leaveCluster(key.cluster, name)
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
	for name := range names {
		delete(t.held, name)
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
	for name := range t.topics[topic] {
		if cluster == "" || t.clusters[cluster][name] {
			t.dropQueues(topic, name)
		}
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
		t.putQueues(topic, &q)
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
