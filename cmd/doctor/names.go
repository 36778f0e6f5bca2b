package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// nameServerSeen is what one name server answers.
type nameServerSeen struct {
	Addr    string
	Err     error // it could not be asked
	Version int32 // ordinal of its release
	Took    time.Duration
	Cluster remoting.ClusterInfo

	Config    map[string]string // nil: it does not say
	ConfigErr error
	Build     string // of ringmq; "": it does not say
}

// ours says that the name server is ringmq's, and not stock.
func (n *nameServerSeen) ours() bool { _, ok := n.Config["brokerAllowedCidrs"]; return ok }

// brokerSeen is one broker as a name server lists it and as it answers itself.
type brokerSeen struct {
	Name, Cluster string // "" until somebody told
	ID            int64
	Addr          string
	Given         bool // named by whoever asks
	Listed        bool // by a name server

	Err       error // no connection
	AnswerErr error // a connection, but no answer to 28
	Took      time.Duration
	FastErr   error // of the second port; nil too where it was not tried
	Version   int32 // ordinal of its release
	Runtime   map[string]string
	Config    map[string]string // nil: it does not say
	ConfigErr error
	Asked     time.Time // by this machine's clock, the middle of question and answer
	Copies    copiesSeen
	Wiped     []string // name servers that have producers leave it out, though it takes messages
}

func (b *brokerSeen) label() string {
	switch {
	case b.Name == "":
		return b.Addr
	case b.ID != 0:
		return fmt.Sprintf("%s/%d %s", b.Name, b.ID, b.Addr)
	}
	return b.Name + " " + b.Addr
}

// ours says that the broker is ringmq's, and not stock.
func (b *brokerSeen) ours() bool { _, ok := b.Config["diskEngine"]; return ok }

func (v *visit) askNameServer(ctx context.Context, addr string) nameServerSeen {
	n := nameServerSeen{Addr: addr}
	if _, n.Err = v.ask.Dial(ctx, addr); n.Err != nil {
		return n
	}
	began := time.Now()
	resp, err := v.ask.Body(ctx, addr, ask.Request(remoting.CodeGetBrokerClusterInfo), &n.Cluster)
	if n.Took, n.Err = time.Since(began), err; resp != nil {
		n.Version = resp.Version
	}
	if n.Err == nil {
		n.Config, n.Build, n.ConfigErr = v.ask.NamesrvConfig(ctx, addr)
	}
	return n
}

// registered are the brokers that the name servers know, each address once, by name and number.
func registered(names []nameServerSeen) []brokerSeen {
	var all []brokerSeen
	seen := map[listing]bool{}
	for _, n := range names {
		for _, name := range slices.Sorted(maps.Keys(n.Cluster.BrokerAddrTable)) {
			d := n.Cluster.BrokerAddrTable[name]
			if d == nil {
				continue
			}
			for _, id := range slices.Sorted(maps.Keys(d.BrokerAddrs)) {
				key := listing{name, d.BrokerAddrs[id]}
				if !seen[key] {
					seen[key] = true
					all = append(all, brokerSeen{Name: name, Cluster: d.Cluster, ID: id, Addr: key.addr, Listed: true})
				}
			}
		}
	}
	return all
}

// listing is what tells brokers of a route apart.
type listing struct{ name, addr string }

const (
	whyNames   = "clients and brokers find each other through it"
	fixNames   = "start it (ringmq namesrv), or correct the address: -n here, namesrvAddr in broker.conf, and in the clients"
	whyNoRoute = "clients only reach brokers that a name server lists"
	// What a client does without a master is the same with stock's brokers; only what becomes of the progress is not.
	whyNoMaster = "nobody can send to its queues; consumers go on where a slave has slaveReadEnable=true, and save their progress there: a master of ringmq takes it over when it returns, a stock one forgets it"
)

// judgeNames compares what the name servers say with each other.
func judgeNames(names []nameServerSeen) (all []Finding) {
	if len(names) == 0 {
		return []Finding{unknown("names", "no-name-server-given", "name server", "none was named, and nothing tells where one is").
			because(whyNames, "give one with -n host:port, or a broker with -b host:port")}
	}
	var good []nameServerSeen
	for _, n := range names {
		switch {
		case n.Err == nil:
			good = append(good, n)
		case ask.CodeOf(n.Err) == remoting.RespRequestCodeNotSupported:
			all = append(all, broken("names", "not-a-name-server", n.Addr, "it answers, but not as a name server: %v", n.Err).
				because(whyNames, "this is probably a broker's port: a name server listens on 9876, a broker on 10911"))
		default:
			all = append(all, broken("names", "name-server-unreachable", n.Addr, "%v", n.Err).because(whyNames, fixNames))
		}
	}
	if len(good) == 0 {
		return all
	}
	all = append(all, judgeTables(good)...)
	for _, n := range good[1:] {
		if d := difference(good[0].Cluster, n.Cluster); d != "" {
			all = append(all, broken("names", "name-servers-disagree", good[0].Addr+" and "+n.Addr, "%s", d).
				because("a client sees other brokers according to the name server it happens to ask",
					"list all name servers in namesrvAddr of every broker, and the same list in every client; a broker that was just started needs up to 30 s"))
		}
	}
	if len(all) == 0 {
		n := len(registered(good))
		all = append(all, ok("names", "name-servers-agree", addrsOf(good), "%s, the same at %s", plural(n, "broker"), plural(len(good), "name server")))
	}
	return all
}

func addrsOf(names []nameServerSeen) string {
	var addrs []string
	for _, n := range names {
		addrs = append(addrs, n.Addr)
	}
	return list(addrs)
}

// judgeTables looks for brokers that cannot work as they are listed.
func judgeTables(good []nameServerSeen) (all []Finding) {
	brokers := registered(good)
	if len(brokers) == 0 {
		return append(all, broken("names", "no-broker-registered", addrsOf(good), "it answers and knows no broker").
			because(whyNoRoute, "start a broker with namesrvAddr=%s in its broker.conf, or -n; look for \"not yet at\" in what it prints at its start", good[0].Addr))
	}
	masters, owner := map[string]bool{}, map[string]brokerSeen{}
	for _, b := range brokers {
		masters[b.Name] = masters[b.Name] || b.ID == 0
		if first, twice := owner[b.Addr]; twice && first.Name != b.Name {
			all = append(all, broken("names", "two-brokers-one-address", b.Addr, "listed as %s and as %s", first.Name, b.Name).
				because("messages for one of them arrive at the other, which does not know the queues",
					"give each broker its own brokerIP1 and listenPort; after a change of brokerName the old entry goes within two minutes"))
		}
		owner[b.Addr] = b
	}
	for _, name := range slices.Sorted(maps.Keys(masters)) {
		if !masters[name] {
			all = append(all, broken("names", "no-master", name, "only slaves are listed").
				because(whyNoMaster, "start the broker with brokerId=0, or see why it has ended"))
		}
	}
	return all
}

// difference says in what two name servers differ; "" when they agree.
func difference(a, b remoting.ClusterInfo) string {
	left, right := tableOf(a), tableOf(b)
	var texts []string
	for _, k := range slices.Sorted(maps.Keys(left)) {
		if !right[k] {
			texts = append(texts, "only the first knows "+k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(right)) {
		if !left[k] {
			texts = append(texts, "only the second knows "+k)
		}
	}
	return list(texts)
}

func tableOf(c remoting.ClusterInfo) map[string]bool {
	all := map[string]bool{}
	for name, d := range c.BrokerAddrTable {
		if d == nil {
			continue
		}
		for id, addr := range d.BrokerAddrs {
			all[fmt.Sprintf("%s/%d at %s of %s", name, id, addr, d.Cluster)] = true
		}
	}
	return all
}

// judgeRegistration looks for the broker that was named among those that are listed, by what it says its name is.
func judgeRegistration(names []nameServerSeen, brokers []brokerSeen) (all []Finding) {
	for i := range brokers {
		b := &brokers[i]
		if !b.Given || b.Listed || b.Runtime == nil {
			continue
		}
		for _, n := range names {
			if n.Err == nil {
				all = append(all, judgeListing(n, b))
			}
		}
	}
	return all
}

func judgeListing(n nameServerSeen, b *brokerSeen) Finding {
	about := b.label() + " at " + n.Addr
	d := n.Cluster.BrokerAddrTable[b.Name]
	if d == nil {
		seen := fmt.Sprintf("%s answers, and the name server does not list it", b.label())
		fix := "add " + n.Addr + " to namesrvAddr of the broker"
		if told := b.Config["namesrvAddr"]; told != "" {
			seen += "; it registers at " + told
			if slices.Contains(remoting.ServerNames(told), n.Addr) {
				fix = "the broker knows this name server: see in its log why it does not reach it, and whether another broker of its name is there"
			}
		} else if b.Config != nil {
			seen += "; its namesrvAddr is empty"
		}
		return broken("names", "broker-not-registered", about, "%s", seen).because(whyNoRoute, "%s", fix)
	}
	if addr := d.BrokerAddrs[b.ID]; addr != "" {
		return ok("names", "broker-registered", about, "listed as %s", addr)
	}
	return broken("names", "broker-not-registered", about, "its name is listed, its number %d is not", b.ID).
		because(whyNoRoute, "see in the log of the broker why it does not register")
}
