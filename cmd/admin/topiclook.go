package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

const (
	retryPrefix = "%RETRY%"
	deadPrefix  = "%DLQ%"
)

func topicList() *Command {
	return &Command{
		Name: "topicList", Short: "List all topics", Reads: true, Run: runTopicList,
		Flags: []Flag{{Short: "c", Long: "clusterModel", Usage: "with their clusters and the groups that consume them", Kind: Switch}},
	}
}

func runTopicList(ctx context.Context, s *Session, a Args, out *Out) error {
	topics, err := s.topics(ctx)
	if err != nil {
		return err
	}
	if !a.Has("clusterModel") {
		out.Table("topics", "%v\n", Col{"", "topic"})
		for _, t := range topics {
			out.Row(t)
		}
		return nil
	}
	out.TableHeaded("topics", "%-20v  %-48v  %-48v\n", "%-20v  %-64v  %-64v\n", Col{"#Cluster Name", "clusterName"}, Col{"#Topic", "topic"}, Col{"#Consumer Group", "consumerGroup"})
	for i := range s.counted("topics", len(topics)) {
		t := topics[i]
		if strings.HasPrefix(t, retryPrefix) || strings.HasPrefix(t, deadPrefix) {
			continue
		}
		cluster, groups := "", []string(nil)
		if r, err := s.route(ctx, t); err == nil && len(r.BrokerDatas) > 0 {
			cluster = r.BrokerDatas[0].Cluster
			groups, _ = s.groupsOf(ctx, r, t)
		}
		if len(groups) == 0 {
			groups = []string{""}
		}
		for _, g := range groups {
			out.Row(front(cluster, 20), front(t, 64), front(g, 64))
		}
	}
	return nil
}

// groupsOf is request 300 at the brokers of a route: the first that answers knows, as stock has it; groups of the others are added.
func (s *Session) groupsOf(ctx context.Context, r *remoting.TopicRouteData, topic string) ([]string, error) {
	all := map[string]bool{}
	err := each(addrsOf(r, ""), func(addr string) error {
		var l remoting.GroupList
		if err := s.body(ctx, addr, ask.Request(remoting.CodeQueryTopicConsumeByWho, "topic", topic), &l); err != nil {
			return err
		}
		for _, g := range l.GroupList {
			all[g] = true
		}
		return nil
	})
	if len(all) > 0 {
		err = nil
	}
	return slices.Sorted(maps.Keys(all)), err
}

func topicRoute() *Command {
	return &Command{
		Name: "topicRoute", Short: "Show where a topic is", Reads: true, Run: runTopicRoute,
		Flags: []Flag{topicFlag(), {Short: "l", Long: "list", Usage: "as a list of brokers", Kind: Switch}},
	}
}

func runTopicRoute(ctx context.Context, s *Session, a Args, out *Out) error {
	r, err := s.route(ctx, a["topic"])
	if err != nil {
		return err
	}
	if !a.Has("list") && out.format != CSV {
		var pretty strings.Builder
		prettyJSON(&pretty, r.AppendJSON(nil))
		out.Textf("%s\n", addrsPattern.ReplaceAllStringFunc(pretty.String(), bareKeys))
		out.Set("brokerDatas", r.BrokerDatas)
		out.Set("filterServerTable", orEmpty(r.FilterServerTable))
		if r.OrderTopicConf != "" {
			out.Set("orderTopicConf", r.OrderTopicConf)
		}
		out.Set("queueDatas", r.QueueDatas)
		return nil
	}
	queues := map[string]remoting.QueueData{}
	for _, q := range r.QueueDatas {
		queues[q.BrokerName] = q
	}
	const row = "%-45v %-32v %-50v %-10v %-11v %-5v\n"
	out.Table("brokers", row, Col{"#ClusterName", "clusterName"}, Col{"#BrokerName", "brokerName"}, Col{"#BrokerAddrs", "brokerAddrs"}, Col{"#ReadQueue", "readQueueNums"},
		Col{"#WriteQueue", "writeQueueNums"}, Col{"#Perm", "perm"})
	read, write := int32(0), int32(0)
	for _, b := range r.BrokerDatas {
		q := queues[b.BrokerName]
		read, write = read+q.ReadQueueNums, write+q.WriteQueueNums
		out.Row(b.Cluster, b.BrokerName, Cell{b.BrokerAddrs, addrsText(b.BrokerAddrs)}, q.ReadQueueNums, q.WriteQueueNums, q.Perm)
	}
	out.Textf("%s\n"+row, strings.Repeat("-", 158), "Total:", len(queues), "", read, write, "")
	return nil
}

// addrsPattern finds the addresses of a broker in a route. Stock's library writes the numbers before them bare, and on one line.
var addrsPattern = regexp.MustCompile(`"brokerAddrs":\{\n[^}]*\n`)

var addrPattern = regexp.MustCompile(`\n\t*"(\d+)":`)

func bareKeys(addrs string) string { return addrPattern.ReplaceAllString(addrs, "$1:") }

func orEmpty[M ~map[K]V, K comparable, V any](m M) M {
	if m == nil {
		return M{}
	}
	return m
}

// addrsText prints addresses by broker id as Java prints a map.
func addrsText(addrs map[int64]string) string {
	var words []string
	for _, id := range slices.Sorted(maps.Keys(addrs)) {
		words = append(words, fmt.Sprintf("%d=%s", id, addrs[id]))
	}
	return "{" + strings.Join(words, ", ") + "}"
}

func topicStatus() *Command {
	return &Command{Name: "topicStatus", Short: "Show the offsets of a topic's queues", Reads: true, Run: runTopicStatus, Flags: []Flag{topicFlag(), routeCluster()}}
}

func runTopicStatus(ctx context.Context, s *Session, a Args, out *Out) error {
	r, err := s.route(ctx, cmp.Or(a["cluster"], a["topic"]))
	if err != nil {
		return err
	}
	var all remoting.TopicStats
	for _, addr := range addrsOf(r, "") {
		one, err := s.ask.TopicStats(ctx, addr, a["topic"])
		if err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
		all.OffsetTable = append(all.OffsetTable, one.OffsetTable...)
		if all.TopicPutTps += one.TopicPutTps; a.Has("cluster") {
			all.TopicPutTps = 0 // stock does not add it up then
		}
	}
	sortQueues(all.OffsetTable)
	out.Table("queues", "%-32v  %-4v  %-20v  %-20v    %v\n", Col{"#Broker Name", "brokerName"}, Col{"#QID", "queueId"}, Col{"#Min Offset", "minOffset"},
		Col{"#Max Offset", "maxOffset"}, Col{"#Last Updated", "lastUpdateTimestamp"})
	for _, e := range all.OffsetTable {
		updated := Cell{Value: e.Value.LastUpdateTimestamp}
		if e.Value.LastUpdateTimestamp > 0 {
			updated.Text = stamp(e.Value.LastUpdateTimestamp)
		}
		out.Row(front(e.Queue.BrokerName, 32), e.Queue.QueueID, e.Value.MinOffset, e.Value.MaxOffset, updated)
	}
	out.Textf("\nTopic Put TPS: %s\n", double(all.TopicPutTps))
	out.Set("topicPutTps", all.TopicPutTps)
	return nil
}

// sortQueues orders queues as stock does: by topic, broker and number.
func sortQueues[V any](t remoting.QueueTable[V]) {
	slices.SortStableFunc(t, func(a, b remoting.QueueEntry[V]) int { return compareQueues(a.Queue, b.Queue) })
}

func compareQueues(a, b remoting.MessageQueue) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(a.BrokerName, b.BrokerName), cmp.Compare(a.QueueID, b.QueueID))
}

func topicClusterList() *Command {
	return &Command{Name: "topicClusterList", Short: "Show which clusters have a topic", Reads: true, Run: runTopicClusterList, Flags: []Flag{topicFlag()}}
}

func runTopicClusterList(ctx context.Context, s *Session, a Args, out *Out) error {
	r, err := s.route(ctx, a["topic"])
	if err != nil {
		return err
	}
	clusters := map[string]bool{}
	for _, b := range r.BrokerDatas {
		clusters[b.Cluster] = true
	}
	out.Table("clusters", "%v\n", Col{"", "clusterName"})
	for _, c := range slices.Sorted(maps.Keys(clusters)) {
		out.Row(c)
	}
	return nil
}

func allocateMQ() *Command {
	return &Command{
		Name: "allocateMQ", Short: "Show how the queues of a topic would be shared out among clients", Reads: true, Run: runAllocateMQ,
		Flags: []Flag{topicFlag(), {Short: "i", Long: "ipList", Usage: "addresses of the clients, with commas between them", Required: true}},
	}
}

func runAllocateMQ(ctx context.Context, s *Session, a Args, out *Out) error {
	r, err := s.route(ctx, a["topic"])
	if err != nil {
		return err
	}
	queues := readableQueues(r, a["topic"])
	clients := strings.Split(a["ipList"], ",")
	shares := map[string][]remoting.MessageQueue{}
	for i, c := range clients {
		shares[c] = averageShare(queues, i, len(clients))
	}
	text, err := json.Marshal(map[string]any{"result": shares})
	if err != nil {
		return err
	}
	out.Textf("%s\n", text)
	out.Set("result", shares)
	return nil
}

// readableQueues are the queues that a consumer of a topic has to do with.
func readableQueues(r *remoting.TopicRouteData, topic string) (all []remoting.MessageQueue) {
	for _, q := range r.QueueDatas {
		if q.Perm&remoting.PermRead == 0 {
			continue
		}
		for id := range min(q.ReadQueueNums, 1<<16) {
			all = append(all, remoting.MessageQueue{Topic: topic, BrokerName: q.BrokerName, QueueID: id})
		}
	}
	slices.SortFunc(all, compareQueues)
	return all
}

// averageShare is what client i of n gets: stock's default way, neighbours together, the first clients one more.
func averageShare(queues []remoting.MessageQueue, i, n int) []remoting.MessageQueue {
	each, more := len(queues)/n, len(queues)%n
	begin := i*each + min(i, more)
	if i < more {
		each++
	}
	return append([]remoting.MessageQueue{}, queues[begin:begin+each]...)
}
