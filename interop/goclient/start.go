package main

import (
	"fmt"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func startFirst(e env, topic, group string) error {
	p, err := e.fill(topic, group, 2, 50)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	s, err := e.deliver(group, topic, 50, consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	if err == nil && !s.holds(0, 50) {
		err = fmt.Errorf("bodies that were not sent")
	}
	return err
}

// startLast: a member that keeps its own offsets asks where the queues end and is given nothing older. (A group whose offsets the broker
// keeps begins at 0 as long as the queues do, whatever it asks for.)
func startLast(e env, topic, group string) error {
	p, err := e.fill(topic, group, 2, 50)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	return e.startsBehind(p, topic, group, consumer.WithConsumeFromWhere(consumer.ConsumeFromLastOffset))
}

// startTimestamp: the same with a moment behind the old messages, which has whole seconds.
func startTimestamp(e env, topic, group string) error {
	p, err := e.fill(topic, group, 2, 50)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	moment := time.Now().Truncate(time.Second).Add(time.Second)
	time.Sleep(time.Until(moment) + 10*time.Millisecond)
	if err := sendRange(p, topic, 50, 100); err != nil {
		return err
	}
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep, consumer.WithConsumerModel(consumer.BroadCasting),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromTimestamp), consumer.WithConsumeTimestamp(moment.UTC().Format("20060102150405")))
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := until(nextLook, "50 messages since the moment", func() bool { return s.holds(50, 100) }); err != nil {
		return err
	}
	if n := s.distinct(); n != 50 {
		return fmt.Errorf("%d messages from before the moment came", n-50)
	}
	return nil
}

// startsBehind starts a broadcast consumer and sends until both queues have reached it: it must see nothing that was sent before.
func (e env) startsBehind(p rocketmq.Producer, topic, group string, from consumer.Option) error {
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep, consumer.WithConsumerModel(consumer.BroadCasting), from)
	if err != nil {
		return err
	}
	defer c.Shutdown()
	var failed error
	err = until(nextLook, "new messages of both queues", func() bool {
		failed = sendOne(p, primitive.NewMessage(topic, []byte("new")))
		s.mu.Lock()
		defer s.mu.Unlock()
		return failed != nil || len(s.queues) == 2
	})
	if failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	if old := s.others("new"); old != "" {
		return fmt.Errorf("%q came, sent before the start", old)
	}
	return nil
}

// startLastEmptyQueue: a group that starts on empty queues sees what is sent before its first pull.
func startLastEmptyQueue(e env, topic, group string) error {
	if err := e.createTopic(topic, 4); err != nil {
		return err
	}
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep, consumer.WithConsumeFromWhere(consumer.ConsumeFromLastOffset))
	if err != nil {
		return err
	}
	defer c.Shutdown()
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	if err := sendRange(p, topic, 0, 40); err != nil {
		return err
	}
	return until(nextLook, "40 messages", func() bool { return s.holds(0, 40) })
}
