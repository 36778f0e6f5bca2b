package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// judgeMembers looks at who is there.
func (g *groupSeen) judgeMembers() (all []Finding) {
	known := slices.ContainsFunc(g.Brokers, func(b groupAt) bool { return b.ConfigErr == nil })
	told := slices.ContainsFunc(g.Brokers, func(b groupAt) bool {
		return b.ConnErr == nil || ask.CodeOf(b.ConnErr) == remoting.RespConsumerNotOnline
	})
	if len(g.Members) == 0 && known && told {
		seen, why := "no client of it is connected", "nothing is consumed"
		if n := g.behind(); n > 0 {
			return append(all, broken("group", "group-has-no-member", g.Name, "%s; %d messages wait, %s", seen, n, g.lastProgress()).
				because(why, "start the consumer; if it runs, look whether its group, its name servers and its access are those of this cluster"))
		}
		return append(all, warning("group", "group-has-no-member", g.Name, "%s; nothing waits", seen).because(why, "start the consumer, if it should run"))
	}
	if len(g.Members) > 0 && len(g.Brokers) > 1 {
		for _, m := range g.Members {
			if missing := g.notAt(m); len(missing) > 0 {
				all = append(all, warning("group", "member-not-at-every-broker", m.ID, "%s, from %s: connected to %s and not to %s", m.Language, m.Addr, list(m.At), list(missing)).
					because("brokers tell members of different others, and queues are shared out wrongly", "see whether that host reaches the broker, and whether its route is old"))
			}
		}
	}
	for _, m := range g.Members {
		if m.Info == nil {
			all = append(all, unknown("group", "member-does-not-tell", m.ID, "%s, from %s: %v", m.Language, m.Addr, m.Err).
				because("its queues and subscriptions are not seen; old and some foreign clients never tell", "look at that client's own log; it may hang"))
			continue
		}
		if told := remoting.ServerNames(m.Info.Properties["PROP_NAMESERVER_ADDR"]); len(told) > 0 && len(g.NameServers) > 0 && !sameServers(told, g.NameServers) && !overlap(told, g.NameServers) {
			all = append(all, warning("group", "member-asks-other-name-servers", m.ID, "it asks %s; here it is %s", list(told), list(g.NameServers)).
				because("it may know other brokers and queues than the rest of the group", "give all members the same name servers, unless these are other names of the same"))
		}
	}
	return all
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

func (g *groupSeen) notAt(m memberSeen) (missing []string) {
	for i := range g.Brokers {
		if b := &g.Brokers[i]; b.ConnErr == nil && !slices.Contains(m.At, b.Broker) || ask.CodeOf(b.ConnErr) == remoting.RespConsumerNotOnline && g.hasQueues(b.Broker) {
			missing = append(missing, b.Broker)
		}
	}
	return missing
}

// hasQueues says that some topic of the group has queues on a broker.
func (g *groupSeen) hasQueues(broker string) bool {
	for q := range g.routed() {
		if q.BrokerName == broker {
			return true
		}
	}
	return false
}

// routed are the queues that members should share out, by the routes.
func (g *groupSeen) routed() map[remoting.MessageQueue]bool {
	all := map[remoting.MessageQueue]bool{}
	for topic, t := range g.Topics {
		for _, r := range t.Routes {
			if r.Route == nil {
				continue
			}
			for _, q := range r.Route.QueueDatas {
				if q.Perm&remoting.PermRead == 0 {
					continue
				}
				for id := range min(q.ReadQueueNums, 1<<16) {
					all[remoting.MessageQueue{Topic: topic, BrokerName: q.BrokerName, QueueID: id}] = true
				}
			}
		}
	}
	return all
}

// judgeAssignment compares the queues that members say they have with each other and with the routes.
func (g *groupSeen) judgeAssignment() (all []Finding) {
	if len(g.Members) == 0 || g.silent() {
		return nil
	}
	owners := map[remoting.MessageQueue][]string{}
	busy := map[string]bool{}
	for _, m := range g.Members {
		for _, e := range m.Info.Queues {
			if !e.Value.Dropped {
				owners[e.Queue] = append(owners[e.Queue], m.ID)
				busy[m.ID] = true
			}
		}
	}
	routed := g.routed()
	var orphans, twice, gone []string
	for _, q := range queuesOf(routed) {
		switch {
		case len(owners[q]) == 0:
			orphans = append(orphans, queueText(q))
		case len(owners[q]) > 1:
			twice = append(twice, queueText(q)+" ("+strings.Join(owners[q], " and ")+")")
		}
	}
	for q := range owners {
		if t := g.Topics[q.Topic]; t != nil && len(routed) > 0 && !routed[q] {
			gone = append(gone, queueText(q)+" ("+strings.Join(owners[q], ", ")+")")
		}
	}
	slices.Sort(gone)
	const stale = "clients ask for routes every 30 s: if it stays, see whether they reach the name server and have the same list of them; two clients with one client id (same host address and pid, or a set instanceName) share queues wrongly too"
	if len(orphans) > 0 {
		all = append(all, broken("group", "members-on-stale-route", g.Name, "no member has %s; the members are %s", list(orphans), clientsOf(g.Members)).
			because("messages in these queues are not consumed", "%s", stale))
	}
	if len(gone) > 0 {
		all = append(all, warning("group", "members-on-stale-route", g.Name, "members have queues that no route has: %s", list(gone)).
			because("they read from queues that are gone, and may miss those that are new", "%s", stale))
	}
	if len(twice) > 0 {
		all = append(all, warning("group", "queue-has-two-members", g.Name, "%s", list(twice)).
			because("messages are consumed twice", "it passes within 20 s after members come and go; if it stays, %s", stale))
	}
	if idle := len(g.Members) - len(busy); idle > 0 && len(orphans) == 0 && len(routed) > 0 {
		all = append(all, warning("group", "more-members-than-queues", g.Name, "%s, %s: %d have nothing to do", plural(len(g.Members), "member"), plural(len(routed), "queue"), idle).
			because("a queue is read by one member only", "more queues%s, or fewer members", g.wider()))
	}
	return all
}

// wider gives the first topic a queue for every member, where its brokers tell how it is and its messages are not ordered: by other queues
// they would come in another order.
func (g *groupSeen) wider() string {
	for _, topic := range slices.Sorted(maps.Keys(g.Topics)) {
		there := g.Topics[topic].there()
		var commands []string
		for _, name := range slices.Sorted(maps.Keys(there)) {
			at := there[name]
			n := int32((len(g.Members) + len(there) - 1) / len(there))
			if at.Config.Order {
				return ""
			}
			if at.Config.ReadQueueNums < n {
				commands = append(commands, (&share{topic: topic, at: at}).resizeCommand(n, max(n, at.Config.WriteQueueNums)))
			}
		}
		if len(commands) > 0 {
			return " (" + list(commands) + ")"
		}
	}
	return ""
}

func queuesOf(set map[remoting.MessageQueue]bool) []remoting.MessageQueue {
	return slices.SortedFunc(maps.Keys(set), func(a, b remoting.MessageQueue) int {
		if c := strings.Compare(a.Topic+"\x00"+a.BrokerName, b.Topic+"\x00"+b.BrokerName); c != 0 {
			return c
		}
		return int(a.QueueID - b.QueueID)
	})
}

func queueText(q remoting.MessageQueue) string {
	return fmt.Sprintf("%s %s/%d", q.Topic, q.BrokerName, q.QueueID)
}
