package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// groupSeen is a consumer group as brokers, members and routes tell of it.
type groupSeen struct {
	Name        string
	Topic       string // only this one is asked about; "": all that the group consumes
	NameServers []string
	Places      [][]string // where it may be made, for commands
	Brokers     []groupAt
	Members     []memberSeen // by client id
	Topics      map[string]*topicSeen
	Now         time.Time
}

// groupAt is the group on one master.
type groupAt struct {
	Broker    string
	Addr      string
	Config    *remoting.SubscriptionGroupConfig
	ConfigErr error
	AutoMake  bool // a group that asks is made
	Consumers *remoting.ConsumerConnection
	ConnErr   error
	Stats     *remoting.ConsumeStats
	StatsErr  error
	Min       map[remoting.MessageQueue]int64 // first offset of the queues of the group's topics
	Waiting   map[remoting.MessageQueue]int64 // when the first message was stored that the group has not consumed, ms
	Locks     []lockSeen
	Dead      int64 // messages in its dead letter topic
}

// memberSeen is one client of the group.
type memberSeen struct {
	ID       string
	Addr     string
	Language string
	At       []string // brokers it is connected to
	Info     *ask.RunningInfo
	Err      error
}

// lockSeen is a queue of an ordered group that no member says it holds.
type lockSeen struct {
	Queue remoting.MessageQueue
	Free  bool // it could be had
}

const (
	retryPrefix = "%RETRY%"
	deadPrefix  = "%DLQ%"
)

func (v *visit) lookAtGroup(ctx context.Context) []Finding {
	masters := v.masters()
	if len(masters) == 0 {
		return []Finding{unknown("group", "group-not-looked-at", v.o.Group, "no broker answers").because("brokers know who consumes and how far", "see what is wrong with the brokers first")}
	}
	g := v.readGroup(ctx, masters)
	return judgeGroup(g)
}

func (v *visit) readGroup(ctx context.Context, masters []*brokerSeen) *groupSeen {
	g := &groupSeen{Name: v.o.Group, Topic: v.o.Topic, NameServers: v.o.NameServers, Places: v.places(), Now: v.now(), Topics: map[string]*topicSeen{}}
	for _, b := range masters {
		g.Brokers = append(g.Brokers, v.readGroupAt(ctx, b))
	}
	g.findMembers()
	each(len(g.Members), func(i int) {
		m := &g.Members[i]
		addr := g.addrOf(m.At[0])
		m.Info, m.Err = v.ask.Running(ctx, addr, g.Name, m.ID)
	})
	for _, topic := range g.topics() {
		g.Topics[topic] = v.readTopic(ctx, topic)
	}
	for i := range g.Brokers {
		at := &g.Brokers[i]
		at.Min = g.firstOffsets(at.Broker)
		if dead, err := v.ask.TopicStats(ctx, at.Addr, deadPrefix+g.Name); err == nil {
			for _, e := range dead.OffsetTable {
				at.Dead += e.Value.MaxOffset - e.Value.MinOffset
			}
		}
	}
	v.findWaiting(ctx, g)
	if !v.o.NoMessage {
		v.tryLocks(ctx, g)
	}
	return g
}

func (v *visit) readGroupAt(ctx context.Context, b *brokerSeen) groupAt {
	at := groupAt{Broker: b.Name, Addr: b.Addr, AutoMake: b.Config["autoCreateSubscriptionGroup"] == "true"}
	at.Config, at.ConfigErr = v.ask.GroupConfig(ctx, b.Addr, v.o.Group)
	at.Consumers, at.ConnErr = v.ask.Consumers(ctx, b.Addr, v.o.Group)
	at.Stats, at.StatsErr = v.ask.ConsumeStats(ctx, b.Addr, v.o.Group, v.o.Topic)
	return at
}

func (g *groupSeen) addrOf(broker string) string {
	for i := range g.Brokers {
		if g.Brokers[i].Broker == broker {
			return g.Brokers[i].Addr
		}
	}
	return ""
}

// findMembers collects the clients that brokers list.
func (g *groupSeen) findMembers() {
	at := map[string]*memberSeen{}
	for i := range g.Brokers {
		b := &g.Brokers[i]
		if b.Consumers == nil {
			continue
		}
		for _, c := range b.Consumers.ConnectionSet {
			m := at[c.ClientID]
			if m == nil {
				m = &memberSeen{ID: c.ClientID, Addr: c.ClientAddr, Language: c.Language}
				at[c.ClientID] = m
			}
			m.At = append(m.At, b.Broker)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(at)) {
		g.Members = append(g.Members, *at[id])
	}
}

// topics are those that the group subscribes to or has consumed, without its own retries.
func (g *groupSeen) topics() []string {
	all := map[string]bool{}
	if g.Topic != "" {
		all[g.Topic] = true
	} else {
		for i := range g.Brokers {
			if c := g.Brokers[i].Consumers; c != nil {
				for topic := range c.SubscriptionTable {
					all[topic] = true
				}
			}
			if s := g.Brokers[i].Stats; s != nil {
				for _, e := range s.OffsetTable {
					all[e.Queue.Topic] = true
				}
			}
		}
	}
	delete(all, retryPrefix+g.Name)
	return slices.Sorted(maps.Keys(all))
}

// firstOffsets are the first offsets of the queues on a broker.
func (g *groupSeen) firstOffsets(broker string) map[remoting.MessageQueue]int64 {
	first := map[remoting.MessageQueue]int64{}
	for _, t := range g.Topics {
		for _, at := range t.Brokers {
			if at.Broker != broker || at.Stats == nil {
				continue
			}
			for _, e := range at.Stats.OffsetTable {
				first[e.Queue] = e.Value.MinOffset
			}
		}
	}
	return first
}

// broadcast says that every member reads all queues, and keeps its progress itself.
func (g *groupSeen) broadcast() bool {
	return slices.ContainsFunc(g.Brokers, func(b groupAt) bool { return b.Consumers != nil && b.Consumers.MessageModel == "BROADCASTING" })
}

// behind is how many messages are not consumed yet, retries among them.
func (g *groupSeen) behind() (n int64) {
	for i := range g.Brokers {
		if s := g.Brokers[i].Stats; s != nil {
			for _, e := range s.OffsetTable {
				n += max(e.Value.BrokerOffset-e.Value.ConsumerOffset, 0)
			}
		}
	}
	return n
}

// silent says that some member did not tell about itself, so that what no member has cannot be said.
func (g *groupSeen) silent() bool {
	return slices.ContainsFunc(g.Members, func(m memberSeen) bool { return m.Info == nil })
}

// judgeGroup says why a group does not consume, or that it does.
func judgeGroup(g *groupSeen) (all []Finding) {
	all = append(all, g.judgeKnown()...)
	all = append(all, g.judgeMembers()...)
	all = append(all, g.judgeSubscriptions()...)
	if !g.broadcast() {
		all = append(all, g.judgeAssignment()...)
		all = append(all, g.judgeProgress()...)
		all = append(all, g.judgeLocks()...)
	}
	all = append(all, g.judgeFailures()...)
	for _, topic := range slices.Sorted(maps.Keys(g.Topics)) {
		if topic == g.Topic {
			continue // looked at by itself
		}
		for _, f := range judgeTopic(g.Topics[topic]) {
			if f.State < OK {
				all = append(all, f)
			}
		}
	}
	if g.told() && len(g.Members) > 0 && !slices.ContainsFunc(all, func(f Finding) bool { return f.State == Broken || f.State == Warning }) {
		all = append(all, ok("group", "group-consumes", g.Name, "%s of %s, %d messages behind", plural(len(g.Members), "member"), list(slices.Sorted(maps.Keys(g.Topics))), g.behind()))
	}
	return all
}

// judgeKnown looks at the group's configuration.
func (g *groupSeen) judgeKnown() (all []Finding) {
	var strangers []string
	var missing []string // addresses of these
	var known *remoting.SubscriptionGroupConfig
	auto := false
	for i := range g.Brokers {
		b := &g.Brokers[i]
		auto = auto || b.AutoMake
		all = append(all, g.judgeSilence(b)...)
		if b.ConfigErr == nil && known == nil {
			known = b.Config
		}
		switch {
		case ask.CodeOf(b.ConfigErr) == remoting.RespSubscriptionGroupNotExist:
			strangers, missing = append(strangers, b.Broker), append(missing, b.Addr)
		case b.ConfigErr == nil && !b.Config.ConsumeEnable:
			all = append(all, broken("group", "group-may-not-consume", g.Name+" on "+b.Broker, "consumeEnable=false").
				because("pulls are refused with code 16", "%s", b.allow(g.Name, "consumeEnable")))
		case b.ConfigErr == nil && !b.Config.ConsumeBroadcastEnable && g.broadcast():
			all = append(all, broken("group", "group-may-not-broadcast", g.Name+" on "+b.Broker, "consumeBroadcastEnable=false, and its members broadcast").
				because("pulls are refused with code 16", "%s", b.allow(g.Name, "consumeBroadcastEnable")))
		}
	}
	if len(strangers) == 0 {
		return all
	}
	const why = "pulls of a group that a broker does not know are refused with code 26"
	switch {
	case len(strangers) < len(g.Brokers):
		all = append(all, warning("group", "group-not-at-every-broker", g.Name, "%s does not know it", list(strangers)).
			because(why, "make it there as others have it%s", g.makeThere(known, missing)))
	case auto:
		all = append(all, warning("group", "group-not-known", g.Name, "no broker knows it; it has never connected").
			because("nobody has consumed by this name", "look at the spelling, and whether the consumer has started and reaches the brokers"))
	default:
		all = append(all, broken("group", "group-not-known", g.Name, "no broker knows it, and autoCreateSubscriptionGroup=false").
			because(why, "make it%s; or look at the spelling", adminAt("updateSubGroup", g.Places, "-g", g.Name)))
	}
	return all
}

// allow sets one switch of the group, and leaves the others as the broker has them.
func (b *groupAt) allow(group, key string) string {
	c := *b.Config
	c.ConsumeEnable = c.ConsumeEnable || key == "consumeEnable"
	c.ConsumeBroadcastEnable = c.ConsumeBroadcastEnable || key == "consumeBroadcastEnable"
	if command := groupCommand(group, b.Addr, c); command != "" {
		return command
	}
	return "set " + key + "=true in the group's configuration at " + b.Addr + ", and leave the rest of it as it is"
}

// makeThere makes the group at those addresses as c has it, for a sentence that goes on with it.
func (g *groupSeen) makeThere(c *remoting.SubscriptionGroupConfig, addrs []string) string {
	var commands []string
	for _, addr := range addrs {
		if c == nil {
			return ""
		}
		if command := groupCommand(g.Name, addr, *c); command != "" {
			commands = append(commands, command)
		}
	}
	if len(commands) == 0 {
		return ""
	}
	return ": " + list(commands)
}

// judgeSilence names the questions that a broker did not answer.
func (g *groupSeen) judgeSilence(b *groupAt) (all []Finding) {
	for _, q := range []struct {
		what string
		err  error
		fine int32 // an answer too
	}{
		{"how it is configured", b.ConfigErr, remoting.RespSubscriptionGroupNotExist}, {"who its members are", b.ConnErr, remoting.RespConsumerNotOnline}, {"how far it is", b.StatsErr, remoting.RespSuccess},
	} {
		switch {
		case q.err == nil || ask.CodeOf(q.err) == q.fine:
		case refused(q.err):
			all = append(all, unknown("group", "access-refused", g.Name+" on "+b.Broker, "%s: %v", q.what, q.err).
				because("the group cannot be looked at", "ask from an account or address that may"))
		default:
			all = append(all, unknown("group", "group-not-told", g.Name+" on "+b.Broker, "%s: %v", q.what, q.err).
				because("what is not seen cannot be judged", "see the broker's log"))
		}
	}
	return all
}

// told says that every broker told how far the group is.
func (g *groupSeen) told() bool {
	return !slices.ContainsFunc(g.Brokers, func(b groupAt) bool { return b.StatsErr != nil })
}

// clientsOf joins what members are called for a sentence.
func clientsOf(all []memberSeen) string {
	var ids []string
	for _, m := range all {
		ids = append(ids, m.ID)
	}
	return list(ids)
}

// sameServers compares two lists of name servers, whatever their order.
func sameServers(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return strings.Join(a, ";") == strings.Join(b, ";")
}
