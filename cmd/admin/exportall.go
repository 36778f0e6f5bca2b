package admin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func exportAll() *Command {
	return &Command{
		Name: "export", Short: "Write topics, groups and progress of brokers to one JSON file", Run: runExportAll,
		Flags: append([]Flag{
			{Long: "to", Usage: "file to write; one that is there is replaced", Required: true}, brokerFlag(), clusterFlag(),
		}, pickFlags()...),
	}
}

// pickFlags choose what of a document, or of brokers, is meant.
func pickFlags() []Flag {
	return []Flag{
		{Long: "topics", Usage: "only topics whose whole name this regular expression matches"},
		{Long: "groups", Usage: "only groups whose whole name this regular expression matches"},
	}
}

// pick chooses topics and groups by name.
type pick struct{ topics, groups *regexp.Regexp }

func pickOf(a Args) (p pick, err error) {
	for _, one := range []struct {
		flag string
		to   **regexp.Regexp
	}{{"topics", &p.topics}, {"groups", &p.groups}} {
		text, given := a[one.flag]
		if !given {
			continue
		}
		if *one.to, err = regexp.Compile("^(?:" + text + ")$"); err != nil {
			return p, fmt.Errorf("--%s: %w", one.flag, err)
		}
	}
	return p, nil
}

func matches(r *regexp.Regexp, name string) bool { return r == nil || r.MatchString(name) }

// topic leaves out what groups bring along by themselves.
func (p pick) topic(name string) bool {
	return !strings.HasPrefix(name, retryPrefix) && !strings.HasPrefix(name, deadPrefix) && matches(p.topics, name)
}

func (p pick) group(name string) bool { return !systemGroups[name] && matches(p.groups, name) }

// exporter gathers a document from one broker after the other.
type exporter struct {
	s      *Session
	pick   pick
	doc    *transfer
	untold []string // queues whose messages do not tell their time
	lacks  []string // what the document does not have
}

func runExportAll(ctx context.Context, s *Session, a Args, out *Out) error {
	p, err := pickOf(a)
	if err != nil {
		return err
	}
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	x := &exporter{s: s, pick: p, lacks: []string{}, doc: &transfer{FormatVersion: transferVersion, Order: map[string]string{}, Source: transferSource{Time: s.now().UnixMilli()}}}
	for _, addr := range addrs {
		if err := x.broker(ctx, addr); err != nil {
			return err
		}
	}
	x.order(ctx)
	x.doc.sort()
	file := a["to"]
	var text strings.Builder
	if err := x.doc.write(&text); err != nil {
		return err
	}
	if text.Len() > maxTransferBytes {
		return fmt.Errorf("the document has %d bytes, and import takes %d: choose with --topics and --groups, or export broker by broker", text.Len(), maxTransferBytes)
	}
	if err := replaceFile(file, []byte(text.String())); err != nil {
		return err
	}
	if n := len(x.untold); n > 0 {
		x.lacks = append(x.lacks, fmt.Sprintf("%d of the offsets have no time, since their messages cannot be read: %s", n, strings.Join(x.untold[:min(n, 5)], ", ")))
	}
	for _, what := range x.lacks {
		out.Textf("%s\n", what)
	}
	d := x.doc
	out.Textf("%s: %d topics, %d groups, %d offsets of %d brokers\n", file, len(d.Topics), len(d.Groups), len(d.Offsets), len(d.Source.Brokers))
	out.Set("file", file)
	out.Set("source", d.Source)
	out.Set("topics", len(d.Topics))
	out.Set("groups", len(d.Groups))
	out.Set("offsets", len(d.Offsets))
	out.Set("lacks", x.lacks)
	return nil
}

// whoIs is the configuration of a broker, which says who it is.
func (s *Session) whoIs(ctx context.Context, addr string) (map[string]string, error) {
	c, err := s.ask.BrokerConfig(ctx, addr)
	if err == nil && c["brokerName"] == "" {
		err = errors.New("its configuration has no brokerName")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return c, nil
}

func (x *exporter) broker(ctx context.Context, addr string) error {
	c, err := x.s.whoIs(ctx, addr)
	if err != nil {
		return err
	}
	name := c["brokerName"]
	runtime, _, err := x.s.ask.RuntimeInfo(ctx, addr)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	x.doc.Source.Cluster = c["brokerClusterName"]
	x.doc.Source.Brokers = append(x.doc.Source.Brokers, transferBroker{Name: name, Addr: addr, Version: runtime["brokerVersionDesc"]})
	var m metadata
	if err := x.s.addTopics(ctx, addr, false, &m); err != nil {
		return err
	}
	if err := x.s.addGroups(ctx, addr, &m); err != nil {
		return err
	}
	for topic, c := range m.Topics {
		if x.pick.topic(topic) {
			x.doc.Topics = append(x.doc.Topics, transferTopic{name, c})
		}
	}
	for group, c := range m.Groups {
		if x.pick.group(group) {
			x.doc.Groups = append(x.doc.Groups, transferGroup{name, c})
		}
	}
	return x.offsets(ctx, addr, name, &m)
}

// orderTable is request 219 for the queues of ordered topics; there is none as long as nobody gave one any.
func (s *Session) orderTable(ctx context.Context) (map[string]string, error) {
	var t remoting.KVTable
	err := s.fromNames(ctx, ask.Request(remoting.CodeGetKvlistByNamespace, "namespace", orderTopics), &t)
	if ask.CodeOf(err) == remoting.RespQueryNotFound {
		return nil, nil
	}
	return t.Table, err
}

// order adds the queues of ordered topics, which name servers keep. Whoever gave a broker alone may have no name server.
func (x *exporter) order(ctx context.Context) {
	table, err := x.s.orderTable(ctx)
	if err != nil {
		x.lacks = append(x.lacks, fmt.Sprintf("no name server says which queues ordered topics have: %v", err))
	}
	for _, one := range x.doc.Topics {
		if conf := table[one.Config.TopicName]; conf != "" {
			x.doc.Order[one.Config.TopicName] = conf
		}
	}
}

// offsets adds how far the groups chosen are in the topics chosen. Progress of groups and topics that are gone stays where it is.
func (x *exporter) offsets(ctx context.Context, addr, broker string, m *metadata) error {
	table, err := x.s.allProgress(ctx, addr)
	if err != nil {
		return err
	}
	stats := map[string]map[int32]remoting.TopicOffset{}
	times := map[messageAt]int64{}
	keys := slices.Sorted(maps.Keys(table))
	for i := range x.s.counted("progress of groups", len(keys)) {
		key := keys[i]
		topic, group, _ := strings.Cut(key, "@")
		if m.Topics[topic] == nil || m.Groups[group] == nil || !x.pick.topic(topic) || !x.pick.group(group) {
			continue
		}
		if stats[topic] == nil {
			if stats[topic], err = x.s.queueStats(ctx, addr, topic); err != nil {
				return err
			}
		}
		for _, id := range slices.Sorted(maps.Keys(table[key])) {
			q, there := stats[topic][id]
			offset := table[key][id]
			if !there || offset < 0 {
				continue // the topic had more queues once
			}
			at := x.storeTime(ctx, queueAt{remoting.MessageQueue{Topic: topic, BrokerName: broker, QueueID: id}, addr}, offset, q, times)
			x.doc.Offsets = append(x.doc.Offsets, transferOffset{Group: group, Topic: topic, Broker: broker, QueueID: id, Offset: offset, StoreTimestamp: at})
		}
	}
	return nil
}

// queueStats is request 202, by queue.
func (s *Session) queueStats(ctx context.Context, addr, topic string) (map[int32]remoting.TopicOffset, error) {
	t, err := s.ask.TopicStats(ctx, addr, topic)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", addr, topic, err)
	}
	all := make(map[int32]remoting.TopicOffset, len(t.OffsetTable))
	for _, e := range t.OffsetTable {
		all[e.Queue.QueueID] = e.Value
	}
	return all, nil
}

// messageAt names a message, so that its time is asked for once however many groups are at it.
type messageAt struct {
	remoting.MessageQueue
	offset int64
}

// storeTime is the time that an offset stands for; see transferOffset. A group that is before the first message goes on with that.
func (x *exporter) storeTime(ctx context.Context, q queueAt, offset int64, end remoting.TopicOffset, known map[messageAt]int64) int64 {
	switch {
	case end.MaxOffset <= end.MinOffset:
		return x.doc.Source.Time
	case offset >= end.MaxOffset && end.LastUpdateTimestamp > 0:
		return end.LastUpdateTimestamp + 1
	}
	at := messageAt{q.MessageQueue, min(max(offset, end.MinOffset), end.MaxOffset-1)}
	ms, there := known[at]
	if !there {
		ms = x.s.timeOf(ctx, q, at.offset)
		known[at] = ms
	}
	switch {
	case ms <= 0:
		x.untold = append(x.untold, fmt.Sprintf("%s at offset %d", queueText(q.MessageQueue), offset))
		return 0
	case offset >= end.MaxOffset:
		return ms + 1
	}
	return ms
}

// timeOf is the store time of a message in ms; 0: it cannot be read.
func (s *Session) timeOf(ctx context.Context, q queueAt, offset int64) int64 {
	got, err := s.pull(ctx, q, offset, 1, "*")
	if err != nil || len(got.messages) == 0 {
		return 0
	}
	return got.messages[0].StoreTimestamp
}
