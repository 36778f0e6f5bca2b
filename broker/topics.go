package broker

import (
	"bytes"
	"fmt"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// creation is a topic that a connection's first send to it waits for.
type creation struct {
	topic string
	done  bool
	code  int32
	text  string
}

// createForSend makes the topic of a send where that is allowed. The topic must be on disk and in the route before its first
// message is stored, so the frame is held and offered again; sends behind it keep their order.
func (b *Broker) createForSend(c *netpoll.Conn, req *remoting.Command, h *remoting.SendHeader) netpoll.Verdict {
	state := c.State().(*connState)
	if w := &state.creating; w.done && w.topic == string(h.Topic) {
		code, text := w.code, w.text
		*w = creation{}
		return b.refuse(c, req, code, text)
	}
	topic := string(h.Topic)
	defaultTopic, queues, unit := string(h.DefaultTopic), h.DefaultTopicQueueNums, h.UnitMode
	state.creating = creation{topic: topic}
	ok := b.workers.Try(func() {
		code, text := b.autoCreate(topic, defaultTopic, queues, unit)
		_ = c.Do(func() {
			if state.creating.topic == topic {
				state.creating = creation{topic: topic, done: true, code: code, text: text}
			}
		})
		c.Resume()
	})
	if !ok {
		state.creating = creation{}
		b.reply(c, req, busy)
		return netpoll.Done
	}
	return netpoll.Hold
}

// autoCreate makes a topic after the template of another, as stock does, and waits until it is safe and routed.
func (b *Broker) autoCreate(topic, template string, queues int32, unit bool) (int32, string) {
	if bytes.HasPrefix([]byte(topic), []byte(meta.RetryPrefix)) {
		b.ensureTopic(remoting.NewTopicConfig(topic, 1, remoting.PermRead|remoting.PermWrite))
		return remoting.RespTopicNotExist, ""
	}
	missing := fmt.Sprintf("topic[%s] not exist, apply first please!%s", topic, faq)
	t, ok := b.topics.Lookup(template)
	if !ok || template == meta.AutoCreateTopic && !b.c.Bool("autoCreateTopicEnable") || t.Perm&remoting.PermInherit == 0 {
		return remoting.RespTopicNotExist, missing
	}
	n := max(min(queues, t.WriteQueueNums), 0)
	made := remoting.NewTopicConfig(topic, n, t.Perm&^remoting.PermInherit)
	made.TopicFilterType = t.TopicFilterType
	if unit {
		made.TopicSysFlag |= 1
	}
	b.ensureTopic(made)
	return remoting.RespTopicNotExist, missing
}

// ensureTopic makes a topic unless it is there, and returns when it is on disk and every reachable name server has it. It
// blocks: never on a loop.
func (b *Broker) ensureTopic(t remoting.TopicConfig) (*remoting.TopicConfig, error) {
	got, created := b.topics.Ensure(t)
	if !created {
		return got, nil
	}
	return got, b.settled()
}

// settled waits until the topics as they are now are on disk and registered.
func (b *Broker) settled() error {
	saved := make(chan error, 1)
	b.persister.Mark(b.documents.topics, func(err error) { saved <- err })
	b.registrar.wait()
	return <-saved
}
