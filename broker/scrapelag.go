package broker

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringmq/broker/meta"
	"ringmq/broker/metrics"
	"ringmq/netpoll/remoting"
)

// Bounds of one look at how far groups are behind: the queues that are asked how far they are, and how long the log may be asked how old
// messages are.
const (
	maxLagQueues = 1 << 17
	lagReadTime  = 300 * time.Millisecond
)

// lagging is a group in a topic while its lag is found out.
type lagging struct {
	metrics.Lag
	group, topic []byte
	queues       int32
}

// Lags implements metrics.Source: of groups that are online, in the topics that they subscribe to, as stock does. The counts cost no I/O. The
// ages are read from the log, those of the groups with the most messages waiting first; where that takes too long the rest have none this time.
func (s scraped) Lags(most int) (top []metrics.Lag, others metrics.Lag) {
	all := s.lagging()
	slices.SortFunc(all, func(a, b *lagging) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic))
	})
	until := time.Now().Add(lagReadTime)
	for i, l := range all {
		if i >= most {
			others.Messages += l.Messages
			others.Inflight += l.Inflight
			others.Ready += l.Ready
			continue
		}
		if l.Messages == 0 && l.Ready == 0 {
			l.Timed = true
		} else {
			s.age(l, until)
		}
		top = append(top, l.Lag)
	}
	return top, others
}

// lagging counts what waits for each group.
func (s scraped) lagging() []*lagging {
	var all []*lagging
	queues := 0
	for _, g := range s.b.members.Online() {
		for topic := range g.Subscriptions() {
			t, ok := s.b.topics.Lookup(topic)
			if !ok || strings.HasPrefix(topic, meta.RetryPrefix) || t.Perm&int32(s.b.permission())&(remoting.PermRead|remoting.PermWrite) == 0 {
				continue
			}
			if queues += int(t.WriteQueueNums); queues > maxLagQueues {
				return all
			}
			l := &lagging{Lag: metrics.Lag{Group: g.Name, Topic: topic, System: meta.IsSystemTopic(topic) || strings.HasPrefix(strings.ToLower(g.Name), "cid_rmq_sys_")},
				group: []byte(g.Name), topic: []byte(topic), queues: t.WriteQueueNums}
			for id := range t.WriteQueueNums {
				acked, pulled, end := s.progress(l, id)
				l.Messages += max(0, end-acked)
				l.Inflight += max(0, pulled-acked)
				l.Ready += max(0, end-pulled)
			}
			all = append(all, l)
		}
	}
	return all
}

// progress is how far a group is in a queue, as stock's metrics have it: one that has never acknowledged anything has nothing to acknowledge.
func (s scraped) progress(l *lagging, id int32) (acked, pulled, end int64) {
	end = max(s.b.store.MaxOffset(l.topic, id), 0)
	acked, ok := s.b.offsets.Query(l.group, l.topic, id)
	if !ok || acked < 0 {
		acked = end
	}
	if pulled, ok = s.b.offsets.PullOffset(l.group, l.topic, id); !ok || pulled < 0 {
		pulled = acked
	}
	return acked, max(pulled, acked), end
}

// age finds how old the oldest messages are that were not acknowledged, and not handed out. It may read the disk, a message or two a queue; when
// until has come before all were looked at, there is no age.
func (s scraped) age(l *lagging, until time.Time) {
	for id := range l.queues {
		now := time.Now()
		if now.After(until) {
			return
		}
		nowMs := now.UnixMilli()
		acked, pulled, end := s.progress(l, id)
		if acked < end {
			l.LagMs = max(l.LagMs, s.since(l.topic, id, acked, nowMs))
		}
		if pulled < end {
			l.QueueingMs = max(l.QueueingMs, s.since(l.topic, id, pulled, nowMs))
		}
	}
	l.Timed = true
}

// since is the age of a message, 0 where there is none any more.
func (s scraped) since(topic []byte, id int32, offset, nowMs int64) int64 {
	at := s.b.store.StoreTimeAt(topic, id, max(offset, s.b.store.MinOffset(topic, id)))
	if at <= 0 {
		return 0
	}
	return max(0, nowMs-at)
}
