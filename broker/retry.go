package broker

import (
	"bytes"
	"strings"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// retried applies the rules of a send to %RETRY%group: a message that was consumed too often, or any while a member of the group
// holds queues for itself, goes to the group's dead letters. It may change the loop's message. ok is false when the send is dealt
// with, by the outcome.
func (b *Broker) retried(c *netpoll.Conn, req *remoting.Command, l *loopState) (v outcome, ok bool) {
	h, m := l.send, &l.message
	group := h.Topic[len(meta.RetryPrefix):]
	config := b.groups.Find(group)
	if config == nil {
		return b.refuse(c, req, remoting.RespSubscriptionGroupNotExist, "subscription group not exist, "+string(group)+" "+faq), false
	}
	limit := config.RetryMaxTimes
	if h.HasMaxReconsumeTimes && req.Version >= ownLimitSince {
		limit = h.MaxReconsumeTimes
	}
	if h.ReconsumeTimes <= limit && !b.locks.Held(string(group)) {
		return sendDone, true
	}
	dlq := remoting.NewTopicConfig(meta.DLQPrefix+string(group), 1, remoting.PermRead|remoting.PermWrite)
	m.Topic, m.QueueID = []byte(dlq.TopicName), 0
	_, there := b.topics.Get(m.Topic)
	if !there && !b.mayMakeTopic(&dlq) {
		return b.refuse(c, req, remoting.RespServiceNotAvailable, tooManyTopics), false
	}
	urgent := c.State().(*connState).sends.urgent
	switch state := b.topicState(m.Topic); {
	case !there, state == topicWaits && !urgent:
		return b.await(c, dlq), false
	case state == topicFailed && !urgent:
		return b.refuse(c, req, remoting.RespServiceNotAvailable, b.notAvailable()), false
	}
	asked, _ := record.Property(h.Properties, record.PropertyDelay)
	l.dead = true
	h.Properties = setProperty(append([]byte(nil), h.Properties...), asked, record.PropertyDelay, "-1")
	return sendDone, true
}

// retryTopic is the topic for a group's retries as it is made. The file of another broker may ask for any number of queues.
func retryTopic(g *remoting.SubscriptionGroupConfig) remoting.TopicConfig {
	return remoting.NewTopicConfig(meta.RetryPrefix+g.GroupName, min(g.RetryQueueNums, maxQueueNums), remoting.PermRead|remoting.PermWrite)
}

// retryQueues is how many queues messages for such a topic may go to. If it is there, its consumers read no more than it has, whatever its group
// asks for by now.
func (b *Broker) retryQueues(t *remoting.TopicConfig) int32 {
	if there, ok := b.topics.Lookup(t.TopicName); ok {
		return min(t.ReadQueueNums, there.ReadQueueNums)
	}
	return t.ReadQueueNums
}

// deadLetter counts a message that was sent to be tried again and became a dead letter: of the topic that it was sent to first, if that is
// one, since the client says it.
func (b *Broker) deadLetter(h *remoting.SendHeader) {
	from, _ := record.Property(h.Properties, "RETRY_TOPIC")
	if _, known := b.topics.Get(from); !known {
		from = h.Topic
	}
	b.stats.DeadLetter(string(h.Topic[len(meta.RetryPrefix):]), string(from))
}

// ownLimitSince is the version from which on clients send their own limit of retries.
const ownLimitSince = 121

func (b *Broker) permission() int32 { return b.inForce.get().permission }

// tooManyTopics is the remark on what needs a topic of its group that cannot be made.
const tooManyTopics = "there are too many topics: the one for retries or dead letters of the group cannot be made"

// isOfGroup says that a topic holds a group's retries or dead letters.
func isOfGroup(topic string) bool {
	return strings.HasPrefix(topic, meta.RetryPrefix) || strings.HasPrefix(topic, meta.DLQPrefix)
}

// isRetry says that a topic holds a group's retries.
func isRetry(topic []byte) bool { return bytes.HasPrefix(topic, []byte(meta.RetryPrefix)) }
