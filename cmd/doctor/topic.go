package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// topicSeen is a topic as name servers and brokers tell of it.
type topicSeen struct {
	Name    string
	Routes  []routeSeen
	Brokers []topicAt
	Auto    bool       // some broker makes topics when somebody sends
	Places  [][]string // where it may be made, for commands
	Names   []string   // name servers, for commands
	Now     time.Time
}

type routeSeen struct {
	NameServer string
	Route      *remoting.TopicRouteData
	Err        error
}

// topicAt is the topic on one master.
type topicAt struct {
	Broker string
	Addr   string
	Config *remoting.TopicConfig
	Err    error
	Stats  *remoting.TopicStats
}

func (v *visit) lookAtTopic(ctx context.Context, name string) []Finding {
	return judgeTopic(v.readTopic(ctx, name))
}

func (v *visit) readTopic(ctx context.Context, name string) *topicSeen {
	t := &topicSeen{Name: name, Places: v.places(), Names: v.o.NameServers, Now: v.now()}
	for _, n := range v.names {
		if n.Err == nil {
			r, err := v.ask.Route(ctx, n.Addr, name)
			t.Routes = append(t.Routes, routeSeen{n.Addr, r, err})
		}
	}
	for _, b := range v.masters() {
		t.Auto = t.Auto || b.Config["autoCreateTopicEnable"] == "true"
		at := topicAt{Broker: b.Name, Addr: b.Addr}
		if at.Config, at.Err = v.ask.TopicConfig(ctx, b.Addr, name); at.Err == nil {
			at.Stats, _ = v.ask.TopicStats(ctx, b.Addr, name)
		}
		t.Brokers = append(t.Brokers, at)
	}
	return t
}

// there says which brokers have the topic.
func (t *topicSeen) there() map[string]*topicAt {
	all := map[string]*topicAt{}
	for i := range t.Brokers {
		if t.Brokers[i].Err == nil {
			all[t.Brokers[i].Broker] = &t.Brokers[i]
		}
	}
	return all
}

// judgeTopic compares a topic's routes with its brokers.
func judgeTopic(t *topicSeen) (all []Finding) {
	there := t.there()
	routed := 0
	for _, r := range t.Routes {
		switch ask.CodeOf(r.Err) {
		case remoting.RespSuccess:
			routed++
			all = append(all, t.judgeRoute(r, there)...)
		case remoting.RespTopicNotExist:
			if len(there) > 0 {
				all = append(all, broken("topic", "topic-not-in-route", t.Name, "%s has it, name server %s does not list it", list(slices.Sorted(maps.Keys(there))), r.NameServer).
					because("clients of this name server do not find the topic", "name it in namesrvAddr of the broker; if it is there, see in the broker's log why it does not register"))
			}
		default:
			all = append(all, unknown("topic", "route-not-told", t.Name, "name server %s: %v", r.NameServer, r.Err).because("the topic's route cannot be compared", "see the name server's log"))
		}
	}
	if routed == 0 && len(there) == 0 {
		return append(all, t.judgeMissing())
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		all = append(all, t.judgeAt(there[name])...)
	}
	if len(all) == 0 {
		all = append(all, ok("topic", "topic-route", t.Name, "%s", t.summary(there)))
	}
	return all
}

func (t *topicSeen) judgeMissing() Finding {
	command := adminAt("updateTopic", t.Places, "-t", t.Name)
	if t.Auto {
		return warning("topic", "topic-not-there", t.Name, "no name server lists it and no broker has it; autoCreateTopicEnable=true").
			because("consumers wait for it; the first send makes it", "send a message, or make it now%s", command)
	}
	return broken("topic", "topic-not-there", t.Name, "no name server lists it and no broker has it").
		because("sends fail with \"No route info of this topic\", and consumers wait for it", "make it%s; brokers do not make topics by themselves (autoCreateTopicEnable=false); or look at the spelling", command)
}

// judgeRoute looks at one name server's route.
func (t *topicSeen) judgeRoute(r routeSeen, there map[string]*topicAt) (all []Finding) {
	listed := map[string]*remoting.BrokerData{}
	for i := range r.Route.BrokerDatas {
		listed[r.Route.BrokerDatas[i].BrokerName] = &r.Route.BrokerDatas[i]
	}
	routed := map[string]bool{}
	for _, q := range r.Route.QueueDatas {
		routed[q.BrokerName] = true
		s := &share{topic: t.Name, q: q, ordered: r.Route.OrderTopicConf != "", at: there[q.BrokerName], names: t.Names, alone: len(there) == 1}
		if b := listed[q.BrokerName]; b != nil {
			s.master, s.cluster = b.BrokerAddrs[0], b.Cluster
		}
		all = append(all, t.judgeShare(r.NameServer, s, len(there) > 0)...)
	}
	for name := range maps.Keys(there) {
		if !routed[name] {
			all = append(all, broken("topic", "topic-not-in-route", t.Name+" on "+name, "the broker has it, the route of name server %s leaves it out", r.NameServer).
				because("its queues get no messages, and those in them are not consumed", "see in the broker's log whether it registers at %s; brokerPermission may have been taken", r.NameServer))
		}
	}
	return all
}

// judgeShare looks at what a name server lists for one broker. anywhere: some broker has the topic.
func (t *topicSeen) judgeShare(namesrv string, s *share, anywhere bool) []Finding {
	q, about := s.q, t.Name+" on "+s.q.BrokerName
	switch {
	case s.master == "":
		return []Finding{broken("topic", "topic-broker-gone", about, "name server %s lists queues there, and no master", namesrv).
			because("sends to it fail, and nobody consumes but from a slave that is listed and has slaveReadEnable=true", "start the broker %s, or delete the topic from the name server", q.BrokerName)}
	case s.at == nil && t.asked(q.BrokerName):
		return []Finding{broken("topic", "topic-route-stale", about, "name server %s lists it, the broker does not have it", namesrv).
			because("clients send and pull there and are refused", "%s", s.again(anywhere))}
	case q.Perm&remoting.PermWrite == 0 && q.Perm&remoting.PermRead != 0:
		return []Finding{warning("topic", "topic-not-writable", about, "perm=%d in the route of %s", q.Perm, namesrv).
			because("producers leave this broker out; if it is the only one they fail with \"No route info of this topic\"", "%s", s.allow(remoting.PermWrite))}
	case q.Perm&remoting.PermRead == 0:
		return []Finding{broken("topic", "topic-not-readable", about, "perm=%d in the route of %s", q.Perm, namesrv).
			because("consumers leave these queues out: what is in them is not consumed", "%s", s.allow(remoting.PermRead))}
	case q.WriteQueueNums == 0 || q.ReadQueueNums == 0:
		n := cmp.Or(max(q.ReadQueueNums, q.WriteQueueNums), 8) // that of a new topic where there is none at all
		return []Finding{broken("topic", "topic-without-queues", about, "%d queues to write, %d to read", q.WriteQueueNums, q.ReadQueueNums).
			because("nobody can send there, or nobody consume", "%s", s.resize(n, n))}
	case q.WriteQueueNums > q.ReadQueueNums:
		return []Finding{broken("topic", "topic-queues-never-read", about, "%d queues to write, %d to read", q.WriteQueueNums, q.ReadQueueNums).
			because("messages in the last queues are never consumed", "%s", s.resize(q.WriteQueueNums, q.WriteQueueNums))}
	}
	return nil
}

func (t *topicSeen) asked(broker string) bool {
	return slices.ContainsFunc(t.Brokers, func(b topicAt) bool { return b.Broker == broker && ask.CodeOf(b.Err) == remoting.RespTopicNotExist })
}

// judgeAt looks at the topic as one broker has it.
func (t *topicSeen) judgeAt(b *topicAt) (all []Finding) {
	if b.Config.Perm&remoting.PermWrite == 0 && len(t.Routes) == 0 {
		all = append(all, warning("topic", "topic-not-writable", t.Name+" on "+b.Broker, "perm=%d", b.Config.Perm).
			because("producers are refused with code 16", "%s", (&share{topic: t.Name, at: b}).allow(remoting.PermWrite)))
	}
	return all
}

func (t *topicSeen) summary(there map[string]*topicAt) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(there)) {
		b := there[name]
		text := plural(int(b.Config.ReadQueueNums), "queue") + " on " + name
		if b.Stats != nil {
			messages, last := int64(0), int64(0)
			for _, e := range b.Stats.OffsetTable {
				messages += e.Value.MaxOffset - e.Value.MinOffset
				last = max(last, e.Value.LastUpdateTimestamp)
			}
			text += fmt.Sprintf(", %s messages, last %s", strconv.FormatInt(messages, 10), ago(last, t.Now))
		}
		texts = append(texts, text)
	}
	for _, r := range t.Routes {
		if len(there) > 0 || r.Route == nil {
			continue
		}
		for _, q := range r.Route.QueueDatas {
			texts = append(texts, plural(int(q.ReadQueueNums), "queue")+" on "+q.BrokerName+", by the route of "+r.NameServer)
		}
	}
	return strings.Join(texts, "; ")
}
