package broker

import (
	"encoding/json"
	"errors"
	"sort"
	"strings"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// updateGroup serves 200, updateGroups 225.
func (b *Broker) updateGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	g := remoting.NewSubscriptionGroupConfig("")
	if err := remoting.Unmarshal(req.Body, &g); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	b.groups.Put(g)
	return answer{}
}

func (b *Broker) updateGroups(_ *netpoll.Conn, req *remoting.Command) answer {
	var list struct {
		GroupConfigList []json.RawMessage `json:"groupConfigList"`
	}
	if err := remoting.Unmarshal(req.Body, &list); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	all := make([]remoting.SubscriptionGroupConfig, len(list.GroupConfigList))
	for i, raw := range list.GroupConfigList {
		all[i] = remoting.NewSubscriptionGroupConfig("")
		if err := remoting.Unmarshal(raw, &all[i]); err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
	}
	b.groups.Put(all...)
	return answer{}
}

// deleteGroup serves 207.
func (b *Broker) deleteGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("groupName")
	b.groups.Delete(group)
	if req.Bool("cleanOffset") {
		b.offsets.DeleteGroup(group)
	}
	return answer{}
}

// allGroups serves 201, oneGroup 352.
func (b *Broker) allGroups(_ *netpoll.Conn, _ *remoting.Command) answer {
	return jsonBody(b.groups.Table())
}

func (b *Broker) oneGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("group")
	g := b.groups.Find([]byte(group))
	if g == nil {
		return fail(remoting.RespSubscriptionGroupNotExist, "No group in this broker. group: "+group)
	}
	return jsonBody(g)
}

// consumerConnection serves 203, producerConnection 204, allProducers 328.
func (b *Broker) consumerConnection(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("consumerGroup")
	c, ok := b.members.ConsumerConnection(group)
	if !ok {
		return fail(remoting.RespConsumerNotOnline, "the consumer group["+group+"] not online")
	}
	return jsonBody(c)
}

func (b *Broker) producerConnection(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("producerGroup")
	c, ok := b.members.ProducerConnection(group)
	if !ok {
		return fail(remoting.RespSystemError, "the producer group["+group+"] not exist")
	}
	return jsonBody(c)
}

func (b *Broker) allProducers(_ *netpoll.Conn, _ *remoting.Command) answer {
	return jsonBody(b.members.ProducerTable())
}

// topicConsumers serves 300: the groups that consume a topic now or have done.
func (b *Broker) topicConsumers(_ *netpoll.Conn, req *remoting.Command) answer {
	topic := req.Text("topic")
	all := map[string]bool{}
	for _, g := range b.members.GroupsOfTopic(topic) {
		all[g] = true
	}
	for _, g := range b.offsets.GroupsOf(topic) {
		all[g] = true
	}
	return jsonBody(remoting.GroupList{GroupList: sortedNames(all)})
}

func sortedNames(set map[string]bool) []string {
	names := make([]string, 0, len(set))
	for n := range set {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// topicsOfGroup serves 343, subscriptionOfGroup 345.
func (b *Broker) topicsOfGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	topics := b.offsets.TopicsOf(req.Text("group"))
	return jsonBody(remoting.TopicList{BrokerAddr: b.advertise.String(), TopicList: topics})
}

func (b *Broker) subscriptionOfGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	group, topic := req.Text("group"), req.Text("topic")
	sub, _ := b.members.Subscription([]byte(group), []byte(topic))
	return jsonBody(remoting.SubscriptionOfGroup{Group: group, Topic: topic, SubscriptionData: sub})
}

// consumeStats serves 208: how far a group is in every queue of its topics.
func (b *Broker) consumeStats(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("consumerGroup")
	topics := strings.FieldsFunc(req.Text("topicList"), func(ch rune) bool { return ch == ';' })
	if one := req.Text("topic"); one != "" {
		topics = append(topics, one)
	}
	if len(topics) == 0 {
		topics = b.offsets.TopicsOf(group)
	}
	s := b.groupStats(group, topics)
	return withBody(s.AppendJSON(nil))
}

// groupStats collects a group's figures over topics, leaving out topics that are gone or that the group has left.
func (b *Broker) groupStats(group string, topics []string) remoting.ConsumeStats {
	s := remoting.ConsumeStats{}
	for _, topic := range topics {
		t, ok := b.topics.Lookup(topic)
		if !ok {
			continue
		}
		if sub, online := b.members.Subscription([]byte(group), []byte(topic)); online && sub == nil && len(b.offsets.TopicsOf(group)) > 0 && !b.hasProgress(group, topic) {
			continue
		}
		for id := range t.ReadQueueNums {
			s.OffsetTable = append(s.OffsetTable, remoting.QueueEntry[remoting.ConsumeOffset]{
				Queue: remoting.MessageQueue{BrokerName: b.name, QueueID: id, Topic: topic}, Value: b.queueStats(group, topic, id),
			})
		}
	}
	return s
}

func (b *Broker) hasProgress(group, topic string) bool {
	for _, t := range b.offsets.TopicsOf(group) {
		if t == topic {
			return true
		}
	}
	return false
}

func (b *Broker) queueStats(group, topic string, id int32) remoting.ConsumeOffset {
	name := []byte(topic)
	o := remoting.ConsumeOffset{BrokerOffset: max(b.store.MaxOffset(name, id), 0)}
	if offset, ok := b.offsets.Query([]byte(group), name, id); ok {
		o.ConsumerOffset = max(offset, 0)
	}
	o.PullOffset = o.ConsumerOffset
	if pulled, ok := b.offsets.PullOffset([]byte(group), name, id); ok {
		o.PullOffset = max(o.PullOffset, pulled)
	}
	if o.ConsumerOffset > 0 {
		o.LastTimestamp = max(b.store.StoreTimeAt(name, id, o.ConsumerOffset-1), 0)
	}
	return o
}

// resetOffset serves 222: a group's progress is set, and its next pull told to begin there.
func (b *Broker) resetOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, group := req.Text("topic"), req.Text("group")
	t, ok := b.topics.Lookup(topic)
	if !ok {
		return fail(remoting.RespTopicNotExist, "Topic "+topic+" does not exist")
	}
	if _, ok := b.groups.Lookup(group); !ok {
		return fail(remoting.RespSubscriptionGroupNotExist, "Group "+group+" does not exist")
	}
	queue, given, err := req.Int32("queueId")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	at, _, err := req.Int64("timestamp")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	offset, hasOffset, err := req.Int64("offset")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	r := remoting.ResetOffsets{}
	for id := range t.ReadQueueNums {
		if given && queue >= 0 && id != queue {
			continue
		}
		to, err := b.resetTarget([]byte(topic), id, at, offset, hasOffset && given && queue >= 0 && offset >= 0)
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		b.offsets.Reset([]byte(group), []byte(topic), id, to)
		q := remoting.MessageQueue{BrokerName: b.name, QueueID: id, Topic: topic}
		if holder := b.locks.Holder(group, q); holder != "" {
			b.locks.Unlock(group, holder, []remoting.MessageQueue{q})
		}
		r.OffsetTable = append(r.OffsetTable, remoting.QueueEntry[int64]{Queue: q, Value: to})
	}
	b.holds.wakeGroup(group, topic)
	b.persister.Mark(b.documents.offsets, nil)
	return withBody(r.AppendJSON(nil))
}

// resetTarget is where a queue is reset to: the offset given, the end for a time of -1, otherwise the first message not
// stored before the time.
func (b *Broker) resetTarget(topic []byte, id int32, at, offset int64, exact bool) (int64, error) {
	low, high := b.store.MinOffset(topic, id), b.store.MaxOffset(topic, id)
	switch {
	case exact:
		if offset < low || offset > high+1 {
			return 0, errOffsetRange
		}
		return offset, nil
	case at < 0:
		return high, nil
	}
	return b.store.OffsetByTime(topic, id, at, false)
}

var errOffsetRange = errors.New("Target offset not in consume queue range [min, max]")
