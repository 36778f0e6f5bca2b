package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ringmq/broker/meta"
	"ringmq/broker/stats"
	"ringmq/netpoll/remoting"
	"ringmq/store/tally"
)

// Others is the topic and the group of the series of all that have none of their own. No topic and no group can be called so.
const Others = "(other)"

// How many of the counters' units make a metric's.
const (
	microsPerMs = 1e3
	microsPerS  = 1e6
)

// processors, as stock names them.
var processors = []string{"send", "async_put", "pull", "ack", "query_message", "client_manager", "heartbeat", "lite_pull", "transaction", "consumer_manager", "admin", "reply"}

func (c *Collector) stats() {
	for _, p := range processors {
		c.gauge("rocketmq_processor_watermark", float64(c.f.Waiting[p]), p)
	}
	c.gauge("rocketmq_broker_permission", float64(c.f.Permission))
	c.gauge("rocketmq_topic_number", float64(c.f.Topics))
	c.gauge("rocketmq_consumer_group_number", float64(c.f.Groups))
}

// requests shows what came in and went out, and how long it took.
func (c *Collector) requests() {
	if c.shows("rocketmq_messages_in_total") {
		c.incoming()
		c.outgoing()
		c.s.Stats().Creations(func(k stats.Creation, h tally.Counts) {
			if h.N() == 0 {
				return
			}
			status := "success"
			if k.Failed {
				status = "failure"
			}
			if k.Topic {
				c.histogram("rocketmq_topic_create_execution_time_milliseconds", h, microsPerMs, status, yes(k.System))
			} else {
				c.histogram("rocketmq_consumer_group_create_execution_time_milliseconds", h, microsPerMs, status)
			}
		})
	}
	c.s.Stats().Rpcs(func(k stats.RpcKey, h tally.Counts) {
		if h.N() == 0 {
			return
		}
		result, code := "success", "unknown"
		if k.Oneway {
			result = "oneway"
		}
		if k.Request != stats.UnknownRequest {
			code = strings.ToLower(remoting.CodeName(k.Request))
		}
		c.histogram("rocketmq_rpc_latency_milliseconds", h, microsPerMs, "remoting", code, strings.ToLower(remoting.RespName(k.Response)), yes(k.LongPolling), result)
	})
}

// incoming: a row's values are messages, bytes, the sum of sizes, and sizes by bucket; its family is the kind.
func (c *Collector) incoming() {
	t := c.intakes
	t.begin()
	c.s.Stats().Intakes(func(in stats.Intake) {
		t.values = in.Append(t.values)
		t.add(key{in.Topic, in.Kind.String()})
	})
	show := func(r row, topic string) {
		at := []string{topic, r.family, yes(meta.IsSystemTopic(topic))}
		c.counter("rocketmq_messages_in_total", r.vals[0], at...)
		c.counter("rocketmq_throughput_in_total", r.vals[1], at...)
		c.histogram("rocketmq_message_size", tally.Counts{Bounds: stats.MessageBytes(), Sum: r.vals[2], Counts: r.vals[3:]}, 1, at...)
	}
	own, rest := t.split()
	for _, r := range own {
		show(r, r.name)
	}
	for _, r := range rest {
		show(r, Others)
	}
}

func (c *Collector) outgoing() {
	// As on the way in, what is tried again and dead letters are not counted: stock's metrics leave them out.
	first := func(fn func(stats.Outlet)) {
		c.s.Stats().Outlets(func(o stats.Outlet) {
			if !strings.HasPrefix(o.Key, meta.RetryPrefix) && !strings.HasPrefix(o.Key, meta.DLQPrefix) {
				fn(o)
			}
		})
	}
	c.byGroup(c.outlets, first, func(topic, group, system string, messages, bytes int64) {
		c.counter("rocketmq_messages_out_total", messages, topic, group, system)
		c.counter("rocketmq_throughput_out_total", bytes, topic, group, system)
	})
}

// byGroup shows what is counted by topic and group.
func (c *Collector) byGroup(t *top, each func(func(stats.Outlet)), show func(topic, group, system string, messages, bytes int64)) {
	t.begin()
	each(func(o stats.Outlet) {
		t.values = append(t.values, o.Messages, o.Bytes)
		t.add(key{name: o.Key})
	})
	own, rest := t.split()
	for _, r := range own {
		topic, group, _ := strings.Cut(r.name, "@")
		show(topic, group, yes(meta.IsSystemTopic(topic) || stockLabelsSystem(group)), r.vals[0], r.vals[1])
	}
	for _, r := range rest {
		show(Others, Others, "false", r.vals[0], r.vals[1])
	}
}

// stockLabelsSystem says whether stock's metrics call a group the system's. They go by this beginning alone, in letters of either case; what a
// group may do is another list, meta.IsSystemGroup, and has the names in capitals only.
func stockLabelsSystem(group string) bool {
	return strings.HasPrefix(strings.ToLower(group), "cid_rmq_sys_")
}

func (c *Collector) connections() {
	for _, p := range alike(c.f.Producers) {
		c.gauge("rocketmq_producer_connections", float64(p.count), p.language, p.version, "remoting")
	}
	others := 0
	for i, p := range alike(c.f.Consumers) {
		if i >= c.o.TopK {
			others += p.count
			continue
		}
		c.gauge("rocketmq_consumer_connections", float64(p.count), p.group, p.language, p.version, p.mode, "remoting", yes(stockLabelsSystem(p.group)))
	}
	if others > 0 {
		c.gauge("rocketmq_consumer_connections", float64(others), Others, Others, Others, Others, "remoting", "false")
	}
}

// named are connections whose labels are the same.
type named struct {
	group, language, version, mode string
	count                          int
}

// alike adds up those whose labels are the same, the most first.
func alike(all []Clients) []named {
	counts := map[named]int{}
	for _, p := range all {
		counts[named{group: p.Group, language: strings.ToLower(p.Language), version: version(p.Version), mode: mode(p.ConsumeType)}] += p.Count
	}
	list := make([]named, 0, len(counts))
	for n, count := range counts {
		n.count = count
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b named) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.group, b.group), cmp.Compare(a.language, b.language), cmp.Compare(a.version, b.version), cmp.Compare(a.mode, b.mode))
	})
	return list
}

// mode is what stock's metrics call a way to consume.
func mode(consumeType string) string {
	switch consumeType {
	case "CONSUME_ACTIVELY":
		return "pull"
	case "CONSUME_POP":
		return "pop"
	}
	return "push"
}

// version is a client's release as stock's metrics name it, v5_3_3. Releases before 4.0.0 have no such rule.
func version(ordinal int32) string {
	const first, last = 213, 611 // 4.0.0 and 5.9.9; each release has a snapshot before it
	switch {
	case ordinal < first:
		return "before_v4_0_0"
	case ordinal > last:
		return "higher_version"
	}
	n := (ordinal - first + 1) / 2
	name := fmt.Sprintf("v%d_%d_%d", 4+n/100, n/10%10, n%10)
	if (ordinal-first)%2 != 0 {
		name += "_snapshot"
	}
	return name
}

func (c *Collector) lags() {
	if !c.shows("rocketmq_consumer_lag_messages") {
		return
	}
	all, others := c.s.Lags(c.o.TopK)
	show := func(l *Lag) {
		at := []string{l.Group, l.Topic, yes(l.Retry), yes(meta.IsSystemTopic(l.Topic) || stockLabelsSystem(l.Group))}
		c.gauge("rocketmq_consumer_lag_messages", float64(l.Messages), at...)
		c.gauge("rocketmq_consumer_inflight_messages", float64(l.Inflight), at...)
		c.gauge("rocketmq_consumer_ready_messages", float64(l.Ready), at...)
		if l.Timed {
			c.gauge("rocketmq_consumer_lag_latency_milliseconds", float64(l.LagMs), at...)
			c.gauge("rocketmq_consumer_queueing_latency_milliseconds", float64(l.QueueingMs), at...)
		}
	}
	for i := range all {
		show(&all[i])
	}
	if others.Messages+others.Inflight+others.Ready > 0 {
		others.Group, others.Topic = Others, Others
		show(&others)
	}
	c.byGroup(c.deadLetters, c.s.Stats().DeadLetters, func(topic, group, system string, messages, _ int64) {
		c.counter("rocketmq_send_to_dlq_messages_total", messages, group, topic, system)
	})
}

func (c *Collector) storage() {
	s := &c.f.Store
	local := func(name string, v int64) { c.gauge(name, float64(v), "local", "disk") }
	local("rocketmq_storage_size_bytes", s.DiskTotalBytes-s.DiskFreeBytes)
	local("rocketmq_storage_flush_behind_bytes", s.UnflushedBytes)
	local("rocketmq_storage_dispatch_behind_bytes", s.DispatchBehindBytes)
	age := int64(0)
	if s.EarliestMessageTime > 0 {
		age = max(0, c.o.Now().UnixMilli()-s.EarliestMessageTime)
	}
	local("rocketmq_storage_message_reserve_time_milliseconds", age)
}
