package broker

import (
	"fmt"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

func (b *Broker) refusePull(c *netpoll.Conn, req *remoting.Command, code int32, remark string, forbidden int) {
	a := fail(code, remark)
	if forbidden != 0 {
		a.Fields = []answerField{{"forbiddenType", fmt.Sprint(forbidden)}}
	}
	b.reply(c, req, a)
}

// Values of forbiddenType.
const (
	forbiddenBroker    = 1
	forbiddenGroup     = 2
	forbiddenTopic     = 3
	forbiddenBroadcast = 4
	forbiddenPair      = 5 // this group and this topic
)

// mayPull makes stock's checks in stock's order, and sets the loop's filter.
func (b *Broker) mayPull(c *netpoll.Conn, l *loopState, a *pullAnswer, lite bool) (code int32, remark string, forbidden int) {
	h := &l.pull
	if b.permission()&remoting.PermRead == 0 {
		return remoting.RespNoPermission, b.forbidden("pulling message"), forbiddenBroker
	}
	if lite && !b.inForce.get().litePull {
		return remoting.RespNoPermission, "the broker[" + b.advertise.Addr().String() + "] for lite pull consumer is forbidden", forbiddenBroker
	}
	group := b.groups.Find(h.ConsumerGroup)
	if group == nil {
		return remoting.RespSubscriptionGroupNotExist, "subscription group [" + string(h.ConsumerGroup) + "] does not exist, " + faq, 0
	}
	if !group.ConsumeEnable {
		return remoting.RespNoPermission, "subscription group no permission, " + string(h.ConsumerGroup), forbiddenGroup
	}
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		return remoting.RespTopicNotExist, "topic[" + string(h.Topic) + "] not exist, apply first please!" + " " + faq, 0
	}
	if topic.Perm&remoting.PermRead == 0 {
		return remoting.RespNoPermission, "the topic[" + string(h.Topic) + "] pulling message is forbidden", forbiddenTopic
	}
	if h.QueueID < 0 || h.QueueID >= topic.ReadQueueNums {
		return remoting.RespInvalidParameter, fmt.Sprintf("queueId[%d] is illegal, topic:[%s] topicConfig.readQueueNums:[%d] consumer:[/%s]", h.QueueID, h.Topic, topic.ReadQueueNums, c.RemoteAddr()), 0
	}
	a.topicSys, a.groupSys = topic.TopicSysFlag, group.GroupSysFlag
	a.suggest, a.slowly = group.BrokerID, group.WhichBrokerWhenConsumeSlowly
	if h.SysFlag&remoting.PullSubscription != 0 {
		return b.filterInside(l, a)
	}
	return b.filterSubscribed(l, a, group)
}

// filterInside takes the filter out of the request.
func (b *Broker) filterInside(l *loopState, a *pullAnswer) (int32, string, int) {
	h := &l.pull
	a.filters = false
	if !isTag(string(h.ExpressionType)) {
		return remoting.RespSystemError, onlyTags + string(h.ExpressionType), 0
	}
	filters, err := l.tags.expression(h.Subscription)
	if err != nil {
		return remoting.RespSubscriptionParseFailed, "parse the consumer's subscription failed", 0
	}
	a.filters = filters
	return remoting.RespSuccess, "", 0
}

// onlyTags is the refusal of every other way to filter, followed by its name.
const onlyTags = "The broker does not support consumer to filter message by "

// filterSubscribed takes the filter from the group's heartbeats.
func (b *Broker) filterSubscribed(l *loopState, a *pullAnswer, group *remoting.SubscriptionGroupConfig) (int32, string, int) {
	h := &l.pull
	sub, known := b.members.Subscription(h.ConsumerGroup, h.Topic)
	if !known {
		return remoting.RespSubscriptionNotExist, "the consumer's group info not exist" + faq, 0
	}
	if !group.ConsumeBroadcastEnable && b.members.Broadcasting(h.ConsumerGroup) {
		return remoting.RespNoPermission, "the consumer group[" + string(h.ConsumerGroup) + "] can not consume by broadcast way", forbiddenBroadcast
	}
	if b.groups.Forbidden(group.GroupName, h.Topic) {
		return remoting.RespNoPermission, "the consumer group[" + string(h.ConsumerGroup) + "] is forbidden for topic[" + string(h.Topic) + "]", forbiddenPair
	}
	if sub == nil {
		return remoting.RespSubscriptionNotExist, "the consumer's subscription not exist" + faq, 0
	}
	if sub.SubVersion < h.SubVersion {
		return remoting.RespSubscriptionNotLatest, "the consumer's subscription not latest", 0
	}
	if !isTag(sub.ExpressionType) {
		return remoting.RespSystemError, onlyTags + sub.ExpressionType, 0
	}
	a.filters = l.tags.subscription(sub)
	return remoting.RespSuccess, "", 0
}
