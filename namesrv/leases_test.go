package namesrv

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// entry is a registration by connection 1.
func entry(cluster, name, addr string, topics ...string) *registration {
	b := &remoting.RegisterBrokerBody{}
	b.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{}
	for _, n := range topics {
		c := remoting.NewTopicConfig(n, 4, 6)
		b.TopicConfigSerializeWrapper.TopicConfigTable[n] = &c
	}
	return &registration{cluster: cluster, name: name, addr: addr, timeout: time.Minute, conn: 1, body: b}
}

// isEmpty says what is left in the tables.
func isEmpty(t *testing.T, r *routes) {
	t.Helper()
	if c, b, l, topics, f := r.sizes(); c+b+l+topics+f+len(r.holders)+len(r.held)+len(r.mappings) != 0 {
		t.Errorf("left: clusters %v brokers %v live %v topics %v filters %v holders %v held %v mappings %v", r.clusters, r.brokers, r.live, r.topics, r.filters, r.holders, r.held, r.mappings)
	}
}

// TestNothingStaysOfAConnection: whatever names, clusters and addresses a connection came with, all is gone when it ends.
func TestNothingStaysOfAConnection(t *testing.T) {
	now := time.Unix(1000, 0)
	newer := func(e *registration) *registration {
		e.body.TopicConfigSerializeWrapper.DataVersion.StateVersion = 9
		return e
	}
	static := entry("C", "x", "a:1", "T1", "T2")
	static.body.TopicConfigSerializeWrapper.TopicQueueMappingInfoMap = map[string]any{"T1": map[string]any{"bname": "x"}}
	for name, all := range map[string][]*registration{
		"one address, two names":       {entry("C", "first", "a:1", "T1", "T2"), entry("C", "second", "a:1", "T3", "T4")},
		"and back":                     {entry("C", "first", "a:1", "T1", "T2"), entry("C", "second", "a:1", "T3", "T4"), entry("C", "first", "a:1", "T1", "T2")},
		"one name, two clusters":       {entry("C1", "x", "a:1", "T1", "T2"), entry("C2", "x", "a:1", "T1", "T2")},
		"two addresses, one place":     {entry("C", "x", "a:1", "T1", "T2"), entry("C", "x", "b:1", "T1", "T2")},
		"kept for a newer one":         {newer(entry("C", "x", "a:1", "T1", "T2")), entry("C", "x", "b:1", "T1", "T2")},
		"its own place, then not":      {entry("C", "y", "b:1", "T5", "T6"), newer(entry("C", "x", "a:1", "T1", "T2")), entry("C", "x", "b:1", "T1", "T2")},
		"names of clusters cross":      {entry("C1", "x", "a:1", "T1", "T2"), newer(entry("C2", "y", "a:1", "T1", "T2")), entry("C2", "x", "b:1", "T1", "T2")},
		"a static topic, another name": {static, entry("C", "y", "a:1", "T1", "T2")},
	} {
		for _, how := range []string{"closed", "silent", "unregistered"} {
			t.Run(name+", "+how, func(t *testing.T) {
				r := newRoutes()
				for _, e := range all {
					r.register(e, now)
				}
				switch how {
				case "closed":
					r.connectionClosed(1)
				case "silent":
					r.expire(now.Add(time.Hour))
				default:
					for _, e := range all {
						r.unregister(e.cluster, "somebody else", e.addr)
					}
				}
				isEmpty(t, r)
			})
		}
	}
}

// TestNameInTwoClusters: what a name has in one cluster stays when the other one's lease ends.
func TestNameInTwoClusters(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRoutes()
	r.register(entry("C1", "x", "a:1", "T1", "T2"), now)
	r.register(entry("C2", "x", "a:1", "T1", "T2"), now)
	r.unregister("C1", "x", "a:1")
	route, ok := r.route("T1")
	if !ok || route.BrokerDatas[0].Cluster != "C2" || route.BrokerDatas[0].BrokerAddrs[0] != "a:1" {
		t.Error(route)
	}
	if info := r.clusterInfo(); len(info.ClusterAddrTable) != 1 || len(info.ClusterAddrTable["C2"]) != 1 {
		t.Error(info.ClusterAddrTable)
	}
}

// TestRegistrationsAreBounded: by connection and by host, and what is refused changes nothing.
func TestRegistrationsAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	host := netip.MustParseAddr("10.0.0.1")
	t.Run("brokers", func(t *testing.T) {
		r := newRoutes()
		for i := range maxHostBrokers + 1 {
			e := entry("C", fmt.Sprint("b", i), fmt.Sprint("a:", i))
			e.conn, e.host = uint64(i/maxConnBrokers), host
			got, ok := r.register(e, now)
			if !ok || (got.full != "") != (i == maxHostBrokers) {
				t.Fatal(i, got)
			}
			if again, _ := r.register(e, now); again.full != got.full {
				t.Fatal("again:", i, again)
			}
		}
		over := entry("C", "one more", "a:x")
		over.conn = 0
		if got, _ := r.register(over, now); !strings.Contains(got.full, "connection") || r.brokers["one more"] != nil {
			t.Error(got)
		}
	})
	t.Run("texts", func(t *testing.T) {
		long, most := strings.Repeat("x", maxNameBytes+1), strings.Repeat("x", maxNameBytes)
		for name, change := range map[string]func(e *registration, text string){
			"cluster":    func(e *registration, text string) { e.cluster = text },
			"name":       func(e *registration, text string) { e.name = text },
			"address":    func(e *registration, text string) { e.addr = text },
			"HA address": func(e *registration, text string) { e.haAddr = text },
			"zone":       func(e *registration, text string) { e.zone = text },
			"filter servers": func(e *registration, text string) {
				e.body.FilterServerList = slices.Repeat([]string{text}, 62+len(text)-maxNameBytes)
			},
		} {
			r := newRoutes()
			e := entry("C", "b", "a:1", "T", "U")
			change(e, long)
			if got, ok := r.register(e, now); !ok || got.full == "" {
				t.Error(name, got, ok)
			}
			isEmpty(t, r)
			change(e, most)
			if got, ok := r.register(e, now); !ok || got.full != "" {
				t.Error(name, got, ok)
			}
		}
	})
	t.Run("filter servers", func(t *testing.T) {
		r := newRoutes()
		with := func(i int, filters ...string) *registration {
			e := entry("C", fmt.Sprint("b", i), fmt.Sprint("a:", i))
			e.body.FilterServerList = filters
			return e
		}
		r.register(with(0), now)
		r.held["b0"] = maxConnUnits - 100
		filters := slices.Repeat([]string{strings.Repeat("x", 1000)}, 20) // 80 units
		if got, _ := r.register(with(1, filters...), now); got.full != "" {
			t.Error(got)
		}
		if got, _ := r.register(with(2, filters...), now); got.full == "" {
			t.Error("taken beyond the bound")
		}
		if got, _ := r.register(with(1), now); got.full != "" {
			t.Error(got)
		}
		if got, _ := r.register(with(2, filters...), now); got.full != "" {
			t.Error("although there is room again:", got)
		}
	})
	t.Run("topics", func(t *testing.T) {
		r := newRoutes()
		long := strings.Repeat("x", 1<<20)
		at := maxConnUnits / (len(long) / unitBytes)
		for i := range at + 1 {
			got, _ := r.register(entry("C", fmt.Sprint("b", i%3), fmt.Sprint("a:", i%3), fmt.Sprint(i, long), fmt.Sprint(i, "short")), now)
			if full := i >= at-1; (got.full != "") != full {
				t.Fatal(i, at, got)
			}
		}
		r.deleteTopic(fmt.Sprint(0, long), "")
		if got, _ := r.register(entry("C", "b0", "a:0", "more", long), now); got.full != "" {
			t.Error("although there is room again:", got.full)
		}
		r.connectionClosed(1)
		isEmpty(t, r)
	})
}
