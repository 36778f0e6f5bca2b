package broker

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"ringmq/broker/lag"
	"ringmq/broker/member"
	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// updateGroup serves 200, updateGroups 225.
func (b *Broker) updateGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	return b.putGroups(json.RawMessage(req.Body))
}

func (b *Broker) updateGroups(_ *netpoll.Conn, req *remoting.Command) answer {
	var list struct {
		GroupConfigList []json.RawMessage `json:"groupConfigList"`
	}
	if err := remoting.Unmarshal(req.Body, &list); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return b.putGroups(list.GroupConfigList...)
}

// maxGroupBytes bounds the text of one group: all of them are in one document.
const maxGroupBytes = 64 << 10

// putGroups reads all groups before it changes one. What a group leaves out is stock's default, not what it was before. The topic of its retries
// gets the queues that it asks for now, and loses none: there may be messages in them.
func (b *Broker) putGroups(texts ...json.RawMessage) answer {
	all := make([]remoting.SubscriptionGroupConfig, len(texts))
	for i, raw := range texts {
		if len(raw) > maxGroupBytes {
			return fail(remoting.RespInvalidParameter, fmt.Sprintf("The configuration of a group is longer than %d bytes.", maxGroupBytes))
		}
		all[i] = remoting.NewSubscriptionGroupConfig("")
		if err := remoting.Unmarshal(raw, &all[i]); err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		if remark := meta.CheckGroupName(all[i].GroupName); remark != "" {
			return fail(remoting.RespInvalidParameter, remark)
		}
		if all[i].RetryQueueNums > maxQueueNums {
			return fail(remoting.RespInvalidParameter, fmt.Sprintf("The group[%s] has more than %d retry queues.", all[i].GroupName, maxQueueNums))
		}
		if err := meta.CheckGroup(&all[i]); err != nil {
			return fail(remoting.RespInvalidParameter, err.Error())
		}
	}
	if err := b.groups.Alter(all...); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	retries := make([]remoting.TopicConfig, len(all))
	for i := range all {
		retries[i] = retryTopic(&all[i])
	}
	b.topics.Widen(retries)
	return answer{}
}

// deleteGroup serves 207.
func (b *Broker) deleteGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("groupName")
	b.groups.Delete(group)
	b.stats.DeleteGroup(group)
	if req.Bool("cleanOffset") {
		b.offsets.DeleteGroup(group)
		b.persister.Mark(b.documents.offsets, nil)
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
	topics := append([]string{}, b.offsets.TopicsOf(req.Text("group"))...)
	return jsonBody(remoting.TopicList{BrokerAddr: b.advertise.String(), TopicList: topics})
}

func (b *Broker) subscriptionOfGroup(_ *netpoll.Conn, req *remoting.Command) answer {
	group, topic := req.Text("group"), req.Text("topic")
	body := remoting.SubscriptionOfGroup{Group: group, Topic: topic}
	if sub, _ := b.members.Subscription([]byte(group), []byte(topic)); sub != nil {
		body.SubscriptionData = &sub.SubscriptionData
	}
	return jsonBody(body)
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
	slices.Sort(topics)
	topics = slices.Compact(topics)
	if b.queuesOf(topics) > maxAnswerQueues {
		return tooMany
	}
	s := b.groupStats(group, topics)
	a := withBody(s.AppendJSON(nil))
	if req.Bool(lag.Field) {
		a.Fields = append(a.Fields, b.lagTold(group, topics))
	}
	return a
}

// maxAnswerQueues bounds the queues that one answer lists: more would not fit into a frame.
const maxAnswerQueues = 1 << 16

var tooMany = fail(remoting.RespSystemError, fmt.Sprintf("The answer would list more than %d queues.", maxAnswerQueues))

// queuesOf is how many queues topics have to be read from, without those that are not there.
func (b *Broker) queuesOf(topics []string) (n int64) {
	for _, topic := range topics {
		if t, ok := b.topics.Lookup(topic); ok {
			n += int64(t.ReadQueueNums)
		}
	}
	return n
}

// groupStats collects a group's figures over topics, leaving out topics that are gone and those that a group which is online no
// longer subscribes to.
func (b *Broker) groupStats(group string, topics []string) remoting.ConsumeStats {
	s := remoting.ConsumeStats{}
	var subscribed map[string]*member.Subscription
	if g := b.members.Group([]byte(group)); g != nil {
		subscribed = g.Subscriptions()
	}
	for _, topic := range topics {
		t, ok := b.topics.Lookup(topic)
		if !ok || len(subscribed) > 0 && subscribed[topic] == nil {
			continue
		}
		for id := range t.ReadQueueNums {
			s.OffsetTable = append(s.OffsetTable, remoting.QueueEntry[remoting.ConsumeOffset]{
				Queue: remoting.MessageQueue{BrokerName: b.name, QueueID: id, Topic: topic}, Value: b.queueStats(group, topic, id),
			})
		}
		s.ConsumeTps += b.stats.GroupGetTps(group, topic)
	}
	return s
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
