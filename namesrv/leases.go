package namesrv

import "net/netip"

// What a lease holds: the address of its broker, the broker's name in its cluster, and with the last one of the name its topics. With
// mu held:
//
//	an address in brokers[name] has a lease of that name
//	clusters[cluster] has a name only while a lease of that name is in the cluster
//	topics, mappings and held have a name only while brokers has it

// lend enters a lease and the name in its cluster.
func (t *routes) lend(key addrKey, l *lease) {
	t.live[key] = l
	if t.holders[l.name] == nil {
		t.holders[l.name] = map[addrKey]bool{}
	}
	t.holders[l.name][key] = true
	if t.clusters[key.cluster] == nil {
		t.clusters[key.cluster] = map[string]bool{}
	}
	t.clusters[key.cluster][l.name] = true
}

// endLease takes a lease out, and its name out of the cluster unless another lease holds it there. The address stays in brokers: that
// is remove's.
func (t *routes) endLease(key addrKey) {
	l := t.live[key]
	if l == nil {
		return
	}
	delete(t.live, key)
	delete(t.filters, key)
	held := t.holders[l.name]
	delete(held, key)
	if len(held) == 0 {
		delete(t.holders, l.name)
	}
	other := ""
	for k := range held {
		if k.cluster == key.cluster {
			return
		}
		if other == "" || k.cluster < other {
			other = k.cluster
		}
	}
	t.leaveCluster(key.cluster, l.name)
	if b := t.brokers[l.name]; b != nil && b.Cluster == key.cluster && len(held) > 0 {
		b.Cluster = other
	}
}

func (t *routes) leaveCluster(cluster, name string) {
	delete(t.clusters[cluster], name)
	if len(t.clusters[cluster]) == 0 {
		delete(t.clusters, cluster)
	}
}

// registeredFrom says that a live broker has registered from a host.
func (t *routes) registeredFrom(host netip.Addr) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, l := range t.live {
		if l.host == host {
			return true
		}
	}
	return false
}

// isHeld says that an address has a lease of a name, in whatever cluster.
func (t *routes) isHeld(name, addr string) bool {
	for key := range t.holders[name] {
		if key.addr == addr {
			return true
		}
	}
	return false
}
