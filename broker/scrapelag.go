package broker

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"ringmq/broker/lag"
	"ringmq/broker/meta"
	"ringmq/broker/metrics"
	"ringmq/netpoll/remoting"
)

// Bounds of one look at how far groups are behind: the queues that are asked how far they are, and how long is waited for how old messages are.
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
// ages are read from the log, those of the groups with the most messages waiting first; where that takes too long the rest have none this time,
// but those whose messages are known from before.
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
	s.b.scrapedAges.forget()
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
			l := &lagging{Lag: metrics.Lag{Group: g.Name, Topic: topic}, group: []byte(g.Name), topic: []byte(topic), queues: t.WriteQueueNums}
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

// age finds how old the oldest messages are that were not acknowledged, and not handed out, of those that are still there. Where one is not known
// when until has come, there is no age.
func (s scraped) age(l *lagging, until time.Time) {
	book, fronts, want := s.b.scrapedAges, s.fronts(l), map[lagQueue]lagAge{}
	for k, from := range fronts {
		if _, known := book.at(k, from); !known {
			want[k] = lagAge{offset: from}
		}
	}
	if len(want) > 0 {
		book.ask(want, time.Until(until))
	}
	nowMs, all := time.Now().UnixMilli(), true
	for k, from := range fronts {
		at, known := book.at(k, from)
		if !known {
			all = false
			continue
		}
		oldest := &l.LagMs
		if k.pulled {
			oldest = &l.QueueingMs
		}
		if at > 0 {
			*oldest = max(*oldest, nowMs-at)
		}
	}
	l.Timed = all
}

// fronts are the offsets of the first message of every queue that was not acknowledged, and of the first that was not handed out.
func (s scraped) fronts(l *lagging) map[lagQueue]int64 {
	fronts := map[lagQueue]int64{}
	k := lagQueue{Key: lag.Key{Group: l.Group, Topic: l.Topic}}
	for k.id = range l.queues {
		acked, pulled, end := s.progress(l, k.id)
		low := s.b.store.MinOffset(l.topic, k.id)
		k.pulled = false
		if from := max(acked, low); from < end {
			fronts[k] = from
		}
		k.pulled = true
		if from := max(pulled, low); from < end {
			fronts[k] = from
		}
	}
	return fronts
}
