package main

import (
	"context"
	"fmt"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func consumeOrderly(e env, topic, group string) error {
	p, err := e.fill(topic, group, 3, 150)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	s, err := e.deliver(group, topic, 150, consumer.WithConsumerOrder(true))
	if err != nil {
		return err
	}
	return s.inOrder()
}

func consumeTags(e env, topic, group string) error {
	p, err := e.fill(topic, group, 2, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 40 {
		if err := sendOne(p, primitive.NewMessage(topic, body(i)).WithTag([]string{"a", "b"}[i%2])); err != nil {
			return err
		}
	}
	s := &seen{}
	wrong := make(chan string, 40)
	c, err := e.consumer(group, topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "b"}, func(ctx context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		if m.GetTags() != "b" {
			wrong <- m.GetTags()
		}
		return s.keep(ctx, m)
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := until(nextLook, "20 messages of tag b", func() bool { return s.distinct() == 20 }); err != nil {
		return err
	}
	select {
	case tag := <-wrong:
		return fmt.Errorf("a message of tag %q came", tag)
	default:
		return nil
	}
}

// broadcast: every member of the group is given every message.
func broadcast(e env, topic, group string) error {
	if err := e.createTopic(topic, 2); err != nil {
		return err
	}
	var members []*seen
	for _, name := range []string{"a", "b"} {
		s := &seen{}
		c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep, consumer.WithConsumerModel(consumer.BroadCasting), consumer.WithInstance(name+group))
		if err != nil {
			return err
		}
		defer c.Shutdown()
		members = append(members, s)
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	if err := sendRange(p, topic, 0, 40); err != nil {
		return err
	}
	for _, s := range members {
		if err := until(nextLook, "40 messages at every member", func() bool { return s.holds(0, 40) }); err != nil {
			return err
		}
	}
	return nil
}
