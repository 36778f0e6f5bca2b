package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/broker/lag"
	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// groupTopic names what lags.
type groupTopic struct{ group, topic string }

// lagLook is one look at what groups have consumed.
type lagLook struct {
	at     time.Time
	queues map[groupTopic]remoting.QueueTable[remoting.ConsumeOffset]
	addrs  map[string]string // brokers that told, by name
	silent away              // the others, by name
}

// lookAtLag asks for the progress of one group (208), or of all groups of every broker (317). silent are brokers that an earlier look has
// waited for in vain.
func (s *Session) lookAtLag(ctx context.Context, a Args, silent away) (*lagLook, error) {
	c, err := s.cluster(ctx)
	if err != nil {
		return nil, err
	}
	l := &lagLook{at: s.now(), queues: map[groupTopic]remoting.QueueTable[remoting.ConsumeOffset]{}, addrs: map[string]string{}, silent: away{}}
	maps.Copy(l.silent, silent)
	for _, name := range slices.Sorted(maps.Keys(c.BrokerAddrTable)) {
		b := c.BrokerAddrTable[name]
		addr := b.BrokerAddrs[masterID]
		switch {
		case l.silent[name] != nil:
			continue
		case addr == "":
			l.silent[name] = masterless(b, name)
			continue
		}
		if err := s.addProgress(ctx, l, addr, a["groupName"]); err != nil {
			l.silent[name] = err
			continue
		}
		l.addrs[name] = addr
	}
	if topic := a["topic"]; topic != "" {
		maps.DeleteFunc(l.queues, func(k groupTopic, _ remoting.QueueTable[remoting.ConsumeOffset]) bool {
			return k.topic != topic && k.topic != retryPrefix+k.group
		})
	}
	switch {
	case len(l.addrs) == 0 && len(l.silent) > 0:
		return nil, l.silent.err()
	case len(l.queues) == 0 && a["groupName"] != "":
		return nil, errors.Join(fmt.Errorf("the consumer group %s has consumed nothing from these brokers", a["groupName"]), l.silent.err())
	}
	return l, nil
}

// addProgress asks one broker.
func (s *Session) addProgress(ctx context.Context, l *lagLook, addr, group string) error {
	if group != "" {
		stats, err := s.ask.ConsumeStats(ctx, addr, group, "")
		if err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
		l.add(group, stats.OffsetTable)
		return nil
	}
	var all remoting.BrokerConsumeStats
	if err := s.body(ctx, addr, ask.Request(remoting.CodeGetBrokerConsumeStats, "isOrder", "false"), &all); err != nil {
		return err
	}
	for _, g := range all.Groups {
		for _, one := range g.Stats {
			l.add(g.Group, one.OffsetTable)
		}
	}
	return nil
}

func (l *lagLook) add(group string, t remoting.QueueTable[remoting.ConsumeOffset]) {
	for _, e := range t {
		k := groupTopic{group, e.Queue.Topic}
		l.queues[k] = append(l.queues[k], e)
	}
}

// lagQueue is one queue of a group's, as the second look found it.
type lagQueue struct {
	Queue  remoting.MessageQueue
	Offset remoting.ConsumeOffset
	Moved  bool // progress was made between the looks
}

func (q *lagQueue) behind() int64 { return max(q.Offset.BrokerOffset-q.Offset.ConsumerOffset, 0) }

// lagRow is a group and a topic, and all that was found out about it.
type lagRow struct {
	Group, Topic string
	At           time.Time
	Queues       []lagQueue
	Diff         int64 // messages not consumed
	OldestMs     int64 // store time of the oldest of them; 0: not known
	In, Out      float64
	Retry, Dead  int64 // messages that wait to be tried again, and that nobody tries any more

	returns           lag.Returns
	slowerSince       time.Time // more comes in than is consumed since then, as a broker has looked; zero: none tells
	hidden            int64     // messages that are stored and that consumers cannot see yet; no part of Diff
	usualIn, usualOut float64   // messages a second over the last hour, as far as was counted
	members           []lagMember
	memberErr         error // they could not be asked for
	brokers           []*brokerLook
	addrs             map[string]string

	Cause    string
	Evidence []string
}

// lagMember is a client of the group. info is nil when it does not tell.
type lagMember struct {
	conn remoting.Connection
	info *running
	err  error
}

// brokerLook is what a broker says about how it is.
type brokerLook struct {
	name    string
	runtime map[string]string
	ha      *remoting.HARuntimeInfo
	cold    coldReads
}

// coldReads are the answer to 2003: what groups have read in this period that was not in memory, and what they may.
type coldReads struct {
	Groups map[string]struct {
		Read int64 `json:"coldAcc"`
	} `json:"runtimeTable"`
	Own      map[string]int64 `json:"configTable"` // limits of groups, those that the broker has found by itself with adaptiveSuffix
	Limit    int64            `json:"cgColdReadThreshold"`
	AllRead  int64            `json:"globalAcc"`
	AllLimit int64            `json:"globalColdReadThreshold"`
}

const adaptiveSuffix = "||adaptive"

// of is what is counted of a group; false: nothing is.
func (c *coldReads) of(group string) (lag.Cold, bool) {
	g, counted := c.Groups[group]
	limit, own := c.Own[group]
	if !own {
		limit, own = c.Own[group+adaptiveSuffix]
	}
	if !own {
		limit = c.Limit
	}
	return lag.Cold{Read: g.Read, Limit: limit, AllRead: c.AllRead, AllLimit: c.AllLimit}, counted
}

// compareLooks makes rows of what the second look found; rates are what changed since the first.
func compareLooks(before, after *lagLook) (rows []*lagRow) {
	seconds := after.at.Sub(before.at).Seconds()
	for k, table := range after.queues {
		if k.topic == retryPrefix+k.group {
			continue // shown with the group's topics
		}
		r := &lagRow{Group: k.group, Topic: k.topic, At: after.at, addrs: after.addrs}
		old := map[remoting.MessageQueue]remoting.ConsumeOffset{}
		for _, e := range before.queues[k] {
			old[e.Queue] = e.Value
		}
		sortQueues(table)
		for _, e := range table {
			q := lagQueue{Queue: e.Queue, Offset: e.Value}
			if was, known := old[e.Queue]; known && seconds > 0 {
				q.Moved = e.Value.ConsumerOffset != was.ConsumerOffset
				r.In += max(float64(e.Value.BrokerOffset-was.BrokerOffset), 0) / seconds
				r.Out += max(float64(e.Value.ConsumerOffset-was.ConsumerOffset), 0) / seconds
			}
			r.Diff += q.behind()
			r.Queues = append(r.Queues, q)
		}
		for _, e := range after.queues[groupTopic{k.group, retryPrefix + k.group}] {
			r.Retry += max(e.Value.BrokerOffset-e.Value.ConsumerOffset, 0)
		}
		rows = append(rows, r)
	}
	return rows
}

// countFailures counts what came back and what nobody tries any more, also of a group that has consumed all: what is given back counts as
// consumed. dead has the dead letters of groups that were asked for already.
func (s *Session) countFailures(ctx context.Context, r *lagRow, dead map[string]int64) {
	key := r.Topic + "@" + r.Group
	n, known := dead[r.Group]
	for _, addr := range r.addrs {
		r.returns.Back += s.figure(ctx, addr, "SNDBCK_PUT_NUMS", key).StatsMinute.Sum
		if !known {
			n += s.deadLetters(ctx, addr, r.Group)
		}
	}
	dead[r.Group], r.Dead = n, n
	if r.returns.Back > 0 { // else nobody asks what was handed out
		for _, addr := range r.addrs {
			r.returns.Out += s.figure(ctx, addr, "GROUP_GET_NUMS", key).StatsMinute.Sum
		}
	}
}

// deadLetters counts a group's at a broker.
func (s *Session) deadLetters(ctx context.Context, addr, group string) (n int64) {
	stats, err := s.ask.TopicStats(ctx, addr, deadPrefix+group)
	if err != nil {
		return 0 // it has none, as a rule
	}
	for _, e := range stats.OffsetTable {
		n += e.Value.MaxOffset - e.Value.MinOffset
	}
	return n
}

// maxOldest is how many queues are asked for their oldest message, those that are furthest behind.
const maxOldest = 64

// gather asks everybody who may know why a group is behind. Who does not answer is left out.
func (s *Session) gather(ctx context.Context, r *lagRow, brokers map[string]*brokerLook) {
	behind := slices.Clone(r.Queues)
	slices.SortStableFunc(behind, func(x, y lagQueue) int { return cmp.Compare(y.behind(), x.behind()) })
	for _, q := range behind[:min(len(behind), maxOldest)] {
		if q.behind() == 0 {
			break
		}
		got, err := s.pull(ctx, queueAt{q.Queue, r.addrs[q.Queue.BrokerName]}, q.Offset.ConsumerOffset, 1, "*")
		if err == nil && len(got.messages) > 0 && (r.OldestMs == 0 || got.messages[0].StoreTimestamp < r.OldestMs) {
			r.OldestMs = got.messages[0].StoreTimestamp
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.addrs)) {
		addr := r.addrs[name]
		r.usualIn += float64(s.figure(ctx, addr, "TOPIC_PUT_NUMS", r.Topic).StatsHour.Tps)
		r.usualOut += float64(s.figure(ctx, addr, "GROUP_GET_NUMS", r.Topic+"@"+r.Group).StatsHour.Tps)
		if !slices.ContainsFunc(r.Queues, func(q lagQueue) bool { return q.Queue.BrokerName == name }) {
			continue
		}
		if brokers[name] == nil {
			brokers[name] = s.lookAtBroker(ctx, name, addr)
		}
		r.brokers = append(r.brokers, brokers[name])
		told := s.lagTold(ctx, r, addr)
		r.hidden += told.Hidden
		if since := told.SlowerSince; !since.IsZero() && (r.slowerSince.IsZero() || since.Before(r.slowerSince)) {
			r.slowerSince = since
		}
		s.addMembers(ctx, r, addr)
	}
}

// lagTold is what a broker of ours says beside the progress of a row; of another one, and of one that does not answer, nothing.
func (s *Session) lagTold(ctx context.Context, r *lagRow, addr string) (told lag.Told) {
	resp, err := s.call(ctx, addr, ask.Request(remoting.CodeGetConsumeStats, "consumerGroup", r.Group, "topic", r.Topic, lag.Field, "true"))
	if err != nil || json.Unmarshal([]byte(resp.Text(lag.Field)), &told) != nil {
		return lag.Told{}
	}
	return told
}

// figure is request 315; nothing where the broker counted nothing.
func (s *Session) figure(ctx context.Context, addr, name, key string) remoting.BrokerStatsData {
	var d remoting.BrokerStatsData
	if s.body(ctx, addr, ask.Request(remoting.CodeViewBrokerStatsData, "statsName", name, "statsKey", key), &d) != nil {
		return remoting.BrokerStatsData{}
	}
	return d
}

// addMembers asks a broker who its members are, and those that were not asked yet about themselves.
func (s *Session) addMembers(ctx context.Context, r *lagRow, addr string) {
	c, err := s.ask.Consumers(ctx, addr, r.Group)
	if err != nil {
		if ask.CodeOf(err) != remoting.RespConsumerNotOnline {
			r.memberErr = fmt.Errorf("%s: %w", addr, err)
		}
		return
	}
	sortConnections(c.ConnectionSet)
	for _, one := range c.ConnectionSet {
		if slices.ContainsFunc(r.members, func(m lagMember) bool { return m.conn.ClientID == one.ClientID }) {
			continue
		}
		m := lagMember{conn: one}
		m.info, m.err = s.member(ctx, []string{addr}, r.Group, one.ClientID, false)
		r.members = append(r.members, m)
	}
}

func (s *Session) lookAtBroker(ctx context.Context, name, addr string) *brokerLook {
	b := &brokerLook{name: name}
	b.runtime, _, _ = s.ask.RuntimeInfo(ctx, addr)
	var ha remoting.HARuntimeInfo
	if s.body(ctx, addr, ask.Request(remoting.CodeGetBrokerHaStatus), &ha) == nil {
		b.ha = &ha
	}
	var cold coldReads
	if s.body(ctx, addr, ask.Request(remoting.CodeGetColdDataFlowCtrInfo), &cold) == nil {
		b.cold = cold
	}
	return b
}

// number is a figure of the broker's; 0 when it does not tell.
func (b *brokerLook) number(key string) float64 {
	word, _, _ := strings.Cut(strings.TrimSpace(b.runtime[key]), " ")
	v, _ := strconv.ParseFloat(word, 64)
	return v
}
