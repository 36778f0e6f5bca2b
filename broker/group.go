package broker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// memberGroup is what the name servers say about the brokers of this name: a slave looks every second, so that consumers return to
// their master as soon as it is in the route, and stay here while it is not.
type memberGroup struct {
	b      *Broker
	minID  atomic.Int64 // lowest id of a live broker; 0 as long as nobody has said otherwise, as in stock
	mu     sync.Mutex
	known  groupMaster
	lookAt chan struct{} // somebody says that something has changed
}

// groupMaster is where a group's master is.
type groupMaster struct {
	addr   string // "": it is not alive
	haAddr string // where it listened for slaves last; "": not known
}

// memberLookTime is how often a slave asks who is there.
const memberLookTime = time.Second

func newMemberGroup(b *Broker) *memberGroup {
	return &memberGroup{b: b, lookAt: make(chan struct{}, 1)}
}

// masterAlive says whether clients find the master in their routes. Any goroutine; no lock.
func (g *memberGroup) masterAlive() bool { return g.minID.Load() == 0 }

// master returns where the master is. Any goroutine.
func (g *memberGroup) master() groupMaster {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known
}

// registered takes the answer to a registration, which says where the master is if the name server knows one.
func (g *memberGroup) registered(addr, haAddr string) {
	if addr == "" {
		return
	}
	g.mu.Lock()
	was := g.known
	g.known = groupMaster{addr: addr, haAddr: haAddr}
	changed := g.known != was
	g.mu.Unlock()
	if changed {
		g.b.logger.Info("master found", "master", addr, "haServer", haAddr)
		g.b.replication.sync.poke()
	}
}

// look has the name servers asked soon. Any goroutine.
func (g *memberGroup) look() {
	select {
	case g.lookAt <- struct{}{}:
	default:
	}
}

// run looks until stop.
func (g *memberGroup) run(stop <-chan struct{}) {
	tick := time.NewTicker(memberLookTime)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(g.b.registrar.ctx, registerTimeout)
		g.ask(ctx)
		cancel()
		select {
		case <-stop:
			return
		case <-tick.C:
		case <-g.lookAt:
		}
	}
}

// ask asks all name servers, and takes what any of them says about a master.
func (g *memberGroup) ask(ctx context.Context) {
	var mu sync.Mutex
	ids := map[int64]string{}
	g.b.registrar.each(func(t *nameServer) {
		some, err := t.members(ctx)
		if err != nil {
			return // the registrar tells of name servers that are not there
		}
		mu.Lock()
		defer mu.Unlock()
		for id, addr := range some {
			ids[id] = addr
		}
	})
	if len(ids) == 0 {
		return
	}
	lowest := int64(-1)
	for id := range ids {
		if lowest < 0 || id < lowest {
			lowest = id
		}
	}
	g.tellMaster(ids[0])
	if was := g.minID.Swap(lowest); was != lowest {
		g.b.logger.Info("lowest broker id of the group changed", "was", was, "now", lowest)
		if lowest == 0 {
			g.b.holds.answerAll() // so that consumers hear of their master
		}
	}
}

// tellMaster takes the address of the live master, "" for none. Where it listens for slaves only a registration says.
func (g *memberGroup) tellMaster(addr string) {
	g.mu.Lock()
	was := g.known.addr
	if addr == "" {
		g.known.addr = ""
	}
	g.mu.Unlock()
	switch {
	case addr == "" && was != "":
		g.b.logger.Warn("master gone from the route", "master", was)
		g.b.replication.sync.poke()
	case addr != was && addr != "":
		g.b.registrar.full()
	}
}

// members asks a name server that this broker is registered at who is alive of its name, by id.
func (t *nameServer) members(ctx context.Context) (map[int64]string, error) {
	t.mu.Lock()
	c := t.client
	t.mu.Unlock()
	if c == nil {
		return nil, errConnectionLost
	}
	return t.r.b.askMembers(ctx, c)
}

// askMembers is 901.
func (b *Broker) askMembers(ctx context.Context, c *netpoll.Client) (map[int64]string, error) {
	cmd := remoting.NewRequest(remoting.CodeGetBrokerMemberGroup)
	cmd.Set("clusterName", b.cluster)
	cmd.Set("brokerName", b.name)
	resp, err := c.Call(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if resp.Code != remoting.RespSuccess {
		return nil, fmt.Errorf("code %d: %s", resp.Code, resp.Remark)
	}
	var body struct {
		BrokerMemberGroup struct {
			BrokerAddrs map[int64]string `json:"brokerAddrs"`
		} `json:"brokerMemberGroup"`
	}
	if err := remoting.Unmarshal(resp.Body, &body); err != nil {
		return nil, err
	}
	return body.BrokerMemberGroup.BrokerAddrs, nil
}

// slaveAddrs asks all name servers for the slaves of this group, over connections of its own.
func (b *Broker) slaveAddrs(ctx context.Context) []string {
	var mu sync.Mutex
	var addrs []string
	var all sync.WaitGroup
	for _, addr := range remoting.ServerNames(b.c.Text("namesrvAddr")) {
		all.Add(1)
		go func() {
			defer all.Done()
			c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
			if err != nil {
				return // the registrar tells of name servers that are not there
			}
			defer c.Close()
			members, err := b.askMembers(ctx, c)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for id, a := range members {
				if id != 0 && a != b.advertise.String() && !slices.Contains(addrs, a) {
					addrs = append(addrs, a)
				}
			}
		}()
	}
	all.Wait()
	return addrs
}
