package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func resetOffsetByTime() *Command {
	return &Command{
		Name: "resetOffsetByTime", Short: "Set a consumer group back, or forward, to a time", Run: runResetOffsetByTime,
		Flags: []Flag{
			groupFlag("g", "group"), topicFlag(),
			{Short: "s", Long: "timestamp", Usage: "now, milliseconds since 1970, or yyyy-MM-dd#HH:mm:ss:SSS; -1: the end", Kind: Moment, Required: true},
			{Short: "f", Long: "force", Usage: "forward too: true (the default) or false", Kind: TrueFalse},
			{Short: "b", Long: "broker", Usage: "with -q: broker of one queue, host:port", Names: BrokerAddrs},
			{Short: "q", Long: "queue", Usage: "one queue of the broker", Kind: Number},
			{Short: "o", Long: "offset", Usage: "with -b and -q: offset to set it to, whatever the time", Kind: Number},
			routeCluster(),
		},
	}
}

func runResetOffsetByTime(ctx context.Context, s *Session, a Args, out *Out) error {
	at, _ := a.Moment("timestamp", s.now())
	if a.Has("broker") != a.Has("queue") {
		return errors.New("-b (--broker) and -q (--queue) go together")
	}
	if a.Has("broker") {
		return s.resetQueue(ctx, a, at, out)
	}
	if a.Has("offset") {
		return errors.New("-o (--offset) needs a queue: -b (--broker) and -q (--queue)")
	}
	return s.resetTopic(ctx, a, at, out, true)
}

func (s *Session) resetQueue(ctx context.Context, a Args, at int64, out *Out) error {
	group, topic, queue, broker := a["group"], a["topic"], a["queue"], a["broker"]
	out.Textf("start reset consumer offset by specified, group[%s], topic[%s], queueId[%s], broker[%s], timestamp(string)[%s], timestamp(long)[%d]\n",
		group, topic, queue, broker, a["timestamp"], at)
	to := a.Number("offset", 0)
	if !a.Has("offset") {
		var err error
		if to, err = s.offsetAt(ctx, broker, topic, queue, at); err != nil {
			return err
		}
	}
	out.Textf("reset consumer offset to %d\n", to)
	req := ask.Request(remoting.CodeInvokeBrokerToResetOffset, "topic", topic, "group", group, "queueId", queue, "offset", strconv.FormatInt(to, 10),
		"timestamp", "-1", "isForce", "true")
	if _, err := s.call(ctx, broker, req); err != nil {
		return err
	}
	out.Set("queueId", a.Number("queue", 0))
	out.Set("offset", to)
	return nil
}

// offsetAt is request 29, or 30 for the end.
func (s *Session) offsetAt(ctx context.Context, broker, topic, queue string, at int64) (int64, error) {
	req := ask.Request(remoting.CodeSearchOffsetByTimestamp, "topic", topic, "queueId", queue, "timestamp", strconv.FormatInt(at, 10))
	if at < 0 {
		req = ask.Request(remoting.CodeGetMaxOffset, "topic", topic, "queueId", queue)
	}
	return s.offsetOf(ctx, broker, req)
}

func (s *Session) offsetOf(ctx context.Context, broker string, req *remoting.Command) (int64, error) {
	resp, err := s.call(ctx, broker, req)
	if err != nil {
		return 0, err
	}
	n, there, err := resp.Int64("offset")
	if err == nil && !there {
		err = errors.New("the answer has no offset")
	}
	return n, err
}

// resetTopic is request 222 at every broker of the topic. Old brokers ask the members to do it; where there are none, the progress is
// set from here.
func (s *Session) resetTopic(ctx context.Context, a Args, at int64, out *Out, head bool) error {
	group, topic, force := a["group"], a["topic"], a.True("force", true)
	r, err := s.route(ctx, topic)
	if err != nil {
		return err
	}
	var table remoting.QueueTable[int64]
	for i := range r.BrokerDatas {
		addr := addrOf(&r.BrokerDatas[i])
		if addr == "" || a["cluster"] != "" && a["cluster"] != r.BrokerDatas[i].Cluster {
			continue
		}
		var one remoting.ResetOffsets
		err := s.body(ctx, addr, ask.Request(remoting.CodeInvokeBrokerToResetOffset, "topic", topic, "group", group, "timestamp", strconv.FormatInt(at, 10),
			"isForce", strconv.FormatBool(force)), &one)
		if ask.CodeOf(err) == remoting.RespConsumerNotOnline {
			return s.resetOffline(ctx, a, r, at, out)
		}
		if err != nil {
			return err
		}
		table = append(table, one.OffsetTable...)
	}
	sortQueues(table)
	if head {
		out.Textf("start reset consumer offset by specified, group[%s], topic[%s], force[%t], timestamp(string)[%s], timestamp(long)[%d]\n", group, topic, force, a["timestamp"], at)
	}
	out.Table("queues", "%-40v  %-40v  %-40v\n", Col{"#brokerName", "brokerName"}, Col{"#queueId", "queueId"}, Col{"#offset", "offset"})
	for _, e := range table {
		out.Row(front(e.Queue.BrokerName, 32), e.Queue.QueueID, e.Value)
	}
	return nil
}

func (s *Session) resetOffline(ctx context.Context, a Args, r *remoting.TopicRouteData, at int64, out *Out) error {
	group, topic, force := a["group"], a["topic"], a.True("force", true)
	if text := a["timestamp"]; text != "" {
		out.Textf("reset consumer offset by specified consumerGroup[%s], topic[%s], force[%t], timestamp(string)[%s], timestamp(long)[%d]\n", group, topic, force, text, at)
	}
	out.Table("queues", "%-20v  %-20v  %-20v  %-20v  %-20v  %-20v\n", Col{"#brokerName", "brokerName"}, Col{"#queueId", "queueId"}, Col{"#brokerOffset", "brokerOffset"},
		Col{"#consumerOffset", "consumerOffset"}, Col{"#timestampOffset", "timestampOffset"}, Col{"#resetOffset", "resetOffset"})
	return each(addrsOf(r, a["cluster"]), func(addr string) error {
		stats, err := s.ask.ConsumeStats(ctx, addr, group, topic)
		if err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
		sortQueues(stats.OffsetTable)
		for _, e := range stats.OffsetTable {
			to, err := s.offsetAt(ctx, addr, topic, strconv.Itoa(int(e.Queue.QueueID)), at)
			if err != nil {
				return err
			}
			set := e.Value.ConsumerOffset
			if force || to <= set {
				set = to
				if err := s.commit(ctx, addr, group, e.Queue, to); err != nil {
					return err
				}
			}
			out.Row(front(e.Queue.BrokerName, 32), e.Queue.QueueID, e.Value.BrokerOffset, e.Value.ConsumerOffset, to, set)
		}
		return nil
	})
}

// commit is request 15.
func (s *Session) commit(ctx context.Context, addr, group string, q remoting.MessageQueue, offset int64) error {
	_, err := s.call(ctx, addr, ask.Request(remoting.CodeUpdateConsumerOffset, "consumerGroup", group, "topic", q.Topic, "queueId", strconv.Itoa(int(q.QueueID)),
		"commitOffset", strconv.FormatInt(offset, 10)))
	return err
}

func skipAccumulatedMessage() *Command {
	return &Command{
		Name: "skipAccumulatedMessage", Short: "Set a consumer group to the end of a topic", Run: runSkipAccumulatedMessage,
		Flags: []Flag{groupFlag("g", "group"), topicFlag(), {Short: "f", Long: "force", Usage: "true (the default) or false", Kind: TrueFalse}, routeCluster()},
	}
}

func runSkipAccumulatedMessage(ctx context.Context, s *Session, a Args, out *Out) error {
	return s.resetTopic(ctx, a, -1, out, false)
}

func cloneGroupOffset() *Command {
	return &Command{
		Name: "cloneGroupOffset", Short: "Set a consumer group to where another is in a topic", Run: runCloneGroupOffset,
		Flags: []Flag{
			groupFlag("s", "srcGroup"), groupFlag("d", "destGroup"), topicFlag(),
			{Short: "o", Long: "offline", Usage: "not looked at, as in stock", Kind: TrueFalse},
		},
	}
}

// runCloneGroupOffset copies the progress in the topic and in no other: stock's copies what the group has in every topic, to the
// brokers of this one.
func runCloneGroupOffset(ctx context.Context, s *Session, a Args, out *Out) error {
	stats, err := s.consumeStats(ctx, a["srcGroup"], a["topic"])
	if err != nil {
		return err
	}
	r, err := s.route(ctx, a["topic"])
	if err != nil {
		return err
	}
	addrs := map[string]string{}
	for i := range r.BrokerDatas {
		addrs[r.BrokerDatas[i].BrokerName] = addrOf(&r.BrokerDatas[i])
	}
	sortQueues(stats.OffsetTable)
	out.Table("queues", "%.0[1]v", Col{"", "brokerName"}, Col{"", "queueId"}, Col{"", "offset"})
	for _, e := range stats.OffsetTable {
		if strings.HasPrefix(e.Queue.Topic, retryPrefix) || addrs[e.Queue.BrokerName] == "" {
			continue
		}
		if err := s.commit(ctx, addrs[e.Queue.BrokerName], a["destGroup"], e.Queue, e.Value.ConsumerOffset); err != nil {
			return err
		}
		out.Row(e.Queue.BrokerName, e.Queue.QueueID, e.Value.ConsumerOffset)
	}
	out.Textf("clone group offset success. srcGroup[%s], destGroup=[%s], topic[%s]\n", a["srcGroup"], a["destGroup"], a["topic"])
	return nil
}
