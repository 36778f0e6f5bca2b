package broker

import (
	"cmp"
	"slices"
	"strings"

	"ringmq/broker/meta"
	"ringmq/broker/metrics"
)

// Unattended implements metrics.Source: messages that wait for groups that have no member and will not be consumed until one comes. No I/O. A
// slave's groups are its master's to watch.
func (s scraped) Unattended(most int) (top []metrics.Unattended, others int64) {
	if s.b.slave {
		return nil, 0
	}
	all := s.unattended()
	slices.SortFunc(all, func(a, b metrics.Unattended) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic))
	})
	top = all[:min(most, len(all))]
	for _, u := range all[len(top):] {
		others += u.Messages
	}
	return top, others
}

// unattended counts what waits, at maxLagQueues queues at most: of more of them always the same are left out.
func (s scraped) unattended() (all []metrics.Unattended) {
	b, queues := s.b, 0
	for _, group := range s.withoutMembers() {
		for _, topic := range b.offsets.TopicsOf(group) {
			t, ok := b.topics.Lookup(topic)
			if !ok || strings.HasPrefix(topic, meta.RetryPrefix) {
				continue
			}
			progress := b.offsets.Queues(group, topic)
			if queues += len(progress); queues > maxLagQueues {
				return all
			}
			if n := s.waits([]byte(topic), progress, t.ReadQueueNums); n > 0 {
				all = append(all, metrics.Unattended{Group: group, Topic: topic, Messages: n})
			}
		}
	}
	return all
}

// withoutMembers lists, by name, the groups that nobody is a member of, those of the system apart.
func (s scraped) withoutMembers() (names []string) {
	s.b.groups.Each(func(name string) {
		if !meta.IsSystemGroup(name) && s.b.members.Group([]byte(name)) == nil {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return names
}

// waits is how many messages lie behind a group's progress in the queues of a topic and have not been deleted. Queues that it has no progress
// in it has not begun with.
func (s scraped) waits(topic []byte, progress map[int32]int64, queues int32) (n int64) {
	for id, committed := range progress {
		if id < queues {
			n += max(s.b.store.MaxOffset(topic, id)-max(committed, s.b.store.MinOffset(topic, id)), 0)
		}
	}
	return n
}
