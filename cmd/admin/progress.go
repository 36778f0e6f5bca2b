package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strings"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func consumerProgress() *Command {
	return &Command{
		Name: "consumerProgress", Short: "Show how far consumer groups are", Reads: true, Run: runConsumerProgress,
		Flags: []Flag{
			{Short: "g", Long: "groupName", Usage: "one group, by queue; without it all groups", Names: Groups},
			{Short: "t", Long: "topicName", Usage: "one topic of the group", Names: Topics},
			{Short: "s", Long: "showClientIP", Usage: "with the member that has each queue: true or false", Kind: TrueFalse},
			routeCluster(),
		},
	}
}

func runConsumerProgress(ctx context.Context, s *Session, a Args, out *Out) error {
	if a["groupName"] == "" {
		return s.progressOfAll(ctx, out)
	}
	group := a["groupName"]
	stats, silent, err := s.toldStats(ctx, group, a["topicName"])
	if err != nil {
		return err
	}
	sortQueues(stats.OffsetTable)
	cols := []Col{{"#Topic", "topic"}, {"#Broker Name", "brokerName"}, {"#QID", "queueId"}, {"#Broker Offset", "brokerOffset"}, {"#Consumer Offset", "consumerOffset"},
		{"#Diff", "diff"}, {"#Inflight", "inflight"}, {"#LastTime", "lastTimestamp"}}
	clients := map[remoting.MessageQueue]string(nil)
	if a.True("showClientIP", false) {
		clients = s.clientsOfQueues(ctx, group)
		cols = append(cols[:5:5], append([]Col{{"#Client IP", "clientIP"}}, cols[5:]...)...)
		const row = "%-64v  %-32v  %-4v  %-20v  %-20v  %-20v %-20v %-20v"
		out.TableHeaded("queues", row+"%v\n", row+" %v\n", cols...)
	} else {
		const row = "%-64v  %-32v  %-4v  %-20v  %-20v  %-20v %-20v"
		out.TableHeaded("queues", row+"%v\n", row+" %v\n", cols...)
	}
	diff, inflight := int64(0), int64(0)
	for _, e := range stats.OffsetTable {
		v := e.Value
		d, f := v.BrokerOffset-v.ConsumerOffset, v.PullOffset-v.ConsumerOffset
		diff, inflight = diff+d, inflight+f
		row := []any{front(e.Queue.Topic, 64), front(e.Queue.BrokerName, 32), e.Queue.QueueID, v.BrokerOffset, v.ConsumerOffset}
		if clients != nil {
			row = append(row, cmp.Or(clients[e.Queue], "N/A"))
		}
		out.Row(append(row, d, f, lastTime(v.LastTimestamp, "N/A"))...)
	}
	out.Textf("\nConsume TPS: %.2f\nConsume Diff Total: %d\nConsume Inflight Total: %d\n", stats.ConsumeTps, diff, inflight)
	out.Set("consumeTps", stats.ConsumeTps)
	out.Set("diffTotal", diff)
	out.Set("inflightTotal", inflight)
	return silent.err()
}

// consumeStats is toldStats where all brokers have to answer.
func (s *Session) consumeStats(ctx context.Context, group, topic string) (*remoting.ConsumeStats, error) {
	all, silent, err := s.toldStats(ctx, group, topic)
	if err == nil {
		err = silent.err()
	}
	return all, err
}

// toldStats is request 208 at every broker of the group: what those say that answer, and which do not, by address.
func (s *Session) toldStats(ctx context.Context, group, topic string) (*remoting.ConsumeStats, away, error) {
	r, err := s.route(ctx, retryPrefix+group)
	if ask.CodeOf(err) == remoting.RespTopicNotExist && topic != "" {
		r, err = s.route(ctx, topic)
	}
	if ask.CodeOf(err) == remoting.RespTopicNotExist {
		return nil, nil, fmt.Errorf("no broker knows the consumer group %s: %w", group, err)
	}
	if err != nil {
		return nil, nil, err
	}
	all, silent := &remoting.ConsumeStats{}, away{}
	for _, addr := range addrsOf(r, "") {
		one, err := s.ask.ConsumeStats(ctx, addr, group, topic)
		if err != nil {
			silent[addr] = fmt.Errorf("%s: %w", addr, err)
			continue
		}
		all.OffsetTable = append(all.OffsetTable, one.OffsetTable...)
		all.ConsumeTps += one.ConsumeTps
	}
	switch {
	case len(all.OffsetTable) > 0:
		return all, silent, nil
	case len(silent) > 0:
		return nil, silent, silent.err()
	}
	switch c, err := s.connection(ctx, group, ""); {
	case err != nil:
		return nil, nil, noProgressError("the consumer group " + group + " has consumed nothing yet, and no member of it is connected")
	case c.MessageModel == "BROADCASTING":
		return nil, nil, noProgressError("the consumer group " + group + " broadcasts: its members keep their progress themselves")
	}
	return all, nil, nil
}

// noProgressError says why the brokers have no progress of a group.
type noProgressError string

func (e noProgressError) Error() string { return string(e) }

// progressSilence is who did not tell of a group, from what toldStats returned. Without progress, or unknown everywhere, it has told all there is.
func progressSilence(group string, silent away, err error) away {
	var none noProgressError
	if err == nil || len(silent) > 0 || errors.As(err, &none) || ask.CodeOf(err) == remoting.RespTopicNotExist {
		return silent
	}
	return away{group: fmt.Errorf("%s: %w", group, err)}
}

// clientsOfQueues asks every member which queues it has; those that do not tell have none here.
func (s *Session) clientsOfQueues(ctx context.Context, group string) map[remoting.MessageQueue]string {
	all := map[remoting.MessageQueue]string{}
	_ = s.eachRunning(ctx, group, "", false, "", func(c remoting.Connection, r *running, err error) {
		if err != nil {
			return
		}
		host, _, _ := net.SplitHostPort(c.ClientAddr)
		for _, e := range r.Queues {
			all[e.Queue] = cmp.Or(host, c.ClientAddr)
		}
	})
	return all
}

func (s *Session) progressOfAll(ctx context.Context, out *Out) error {
	topics, err := s.topics(ctx)
	if err != nil {
		return err
	}
	out.Table("groups", "%-64v  %-6v  %-24v %-5v  %-14v  %-7v  %v\n", Col{"#Group", "group"}, Col{"#Count", "count"}, Col{"#Version", "version"}, Col{"#Type", "type"},
		Col{"#Model", "model"}, Col{"#TPS", "tps"}, Col{"#Diff Total", "diffTotal"})
	var groups []string
	for _, t := range topics {
		if group, retry := strings.CutPrefix(t, retryPrefix); retry {
			groups = append(groups, group)
		}
	}
	silent := away{}
	for p := range ahead(s, "groups", groups, func(group string) (groupProgress, error) { return s.progressOf(ctx, group), nil }) {
		out.Row(p.row...)
		maps.Copy(silent, p.silent)
	}
	return silent.err()
}

// groupProgress is the row of a group, and who did not tell what belongs in it.
type groupProgress struct {
	row    []any
	silent away
}

// progressOf is the progress of a group; what cannot be asked stays empty.
func (s *Session) progressOf(ctx context.Context, group string) groupProgress {
	tps, diff := 0.0, int64(0)
	stats, silent, err := s.toldStats(ctx, group, "")
	if err == nil {
		tps = stats.ConsumeTps
		for _, e := range stats.OffsetTable {
			diff += e.Value.BrokerOffset - e.Value.ConsumerOffset
		}
	}
	count, version, kind, model := 0, "OFFLINE", "", ""
	if c, err := s.connection(ctx, group, ""); err == nil && len(c.ConnectionSet) > 0 {
		count, version = len(c.ConnectionSet), versionName(oldest(c))
		if kind = "PUSH"; c.ConsumeType == "CONSUME_ACTIVELY" {
			kind = "PULL"
		}
		if c.ConsumeType == "CONSUME_PASSIVELY" {
			model = c.MessageModel
		}
	}
	return groupProgress{[]any{front(group, 64), count, version, kind, model, Cell{tps, fmt.Sprint(int64(tps))}, diff}, progressSilence(group, silent, err)}
}

func oldest(c *remoting.ConsumerConnection) int32 {
	v := c.ConnectionSet[0].Version
	for _, one := range c.ConnectionSet {
		v = min(v, one.Version)
	}
	return v
}

// connection is request 203 at a broker, or, where none is named, at the brokers of the group's retry topic until one has members of it.
func (s *Session) connection(ctx context.Context, group, broker string) (*remoting.ConsumerConnection, error) {
	var addrs []string
	if broker != "" {
		addr, err := s.brokerAt(ctx, broker)
		if err != nil {
			return nil, err
		}
		addrs = []string{addr}
	} else {
		r, err := s.route(ctx, retryPrefix+group)
		if ask.CodeOf(err) == remoting.RespTopicNotExist {
			return nil, fmt.Errorf("no broker knows the consumer group %s: %w", group, err)
		}
		if err != nil {
			return nil, err
		}
		addrs = addrsOf(r, "")
	}
	var errs []error
	for _, addr := range addrs {
		c, err := s.ask.Consumers(ctx, addr, group)
		if err == nil && len(c.ConnectionSet) > 0 {
			return c, nil
		}
		if ask.CodeOf(err) == remoting.RespConsumerNotOnline {
			err = &offlineError{group, err}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", addr, err))
		}
	}
	if len(errs) == 0 {
		return nil, &offlineError{group, nil}
	}
	return nil, errors.Join(errs...)
}

// offlineError says that a group has no members.
type offlineError struct {
	group string
	err   error
}

func (e *offlineError) Unwrap() error { return e.err }

func (e *offlineError) Error() string {
	return fmt.Sprintf("no client of the consumer group %s is connected", e.group)
}

func brokerConsumeStats() *Command {
	b := brokerFlag()
	b.Required = true
	return &Command{
		Name: "brokerConsumeStats", Short: "Show how far all groups are that consume from a broker", Reads: true, Run: runBrokerConsumeStats,
		Flags: []Flag{
			b, {Short: "o", Long: "order", Usage: "only ordered topics: true or false", Kind: TrueFalse},
			{Short: "t", Long: "timeoutMillis", Usage: "how long to wait for the answer, in place of --timeout", Kind: Number},
			{Short: "l", Long: "level", Usage: "only queues with so many messages to go, or more", Kind: Number},
		},
	}
}

func runBrokerConsumeStats(ctx context.Context, s *Session, a Args, out *Out) error {
	if ms := a.Number("timeoutMillis", s.timeout.Milliseconds()); ms <= 0 {
		return fmt.Errorf("-t (--timeoutMillis) %d: no time to wait", ms)
	} else if a.Has("timeoutMillis") {
		s.timeout = time.Duration(ms) * time.Millisecond
		s.redial()
	}
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	var all remoting.BrokerConsumeStats
	if err := s.body(ctx, addrs[0], ask.Request(remoting.CodeGetBrokerConsumeStats, "isOrder", a.Or("order", "false")), &all); err != nil {
		return err
	}
	out.Table("queues", "%-64v  %-64v  %-32v  %-4v  %-20v  %-20v  %-20v  %v\n", Col{"#Topic", "topic"}, Col{"#Group", "group"}, Col{"#Broker Name", "brokerName"}, Col{"#QID", "queueId"},
		Col{"#Broker Offset", "brokerOffset"}, Col{"#Consumer Offset", "consumerOffset"}, Col{"#Diff", "diff"}, Col{"#LastTime", "lastTimestamp"})
	for _, g := range all.Groups {
		for i := range g.Stats {
			sortQueues(g.Stats[i].OffsetTable)
			for _, e := range g.Stats[i].OffsetTable {
				v := e.Value
				diff := v.BrokerOffset - v.ConsumerOffset
				if diff < a.Number("level", 0) || v.LastTimestamp <= 0 {
					continue // of queues that nothing was consumed of stock says nothing either
				}
				out.Row(front(e.Queue.Topic, 64), g.Group, front(e.Queue.BrokerName, 32), e.Queue.QueueID, v.BrokerOffset, v.ConsumerOffset, diff, lastTime(v.LastTimestamp, "-"))
			}
		}
	}
	out.Textf("\nDiff Total: %d\n", all.TotalDiff)
	out.Set("totalDiff", all.TotalDiff)
	out.Set("totalInflightDiff", all.InflightDiff)
	return nil
}
