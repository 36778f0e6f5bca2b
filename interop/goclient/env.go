package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// nextLook is how long a first delivery may take: a client that missed its moment looks again for its share after 20 s, and for a route
// or at its heartbeat after 30.
const nextLook = 45 * time.Second

// env is what every case needs: addresses, clients and waiting.
type env struct {
	namesrv string
	broker  string
	brokers string // all that a pair's topic is made on, separated by commas
	control string
	run     string
}

// listener is a consumer's answer to one message.
type listener func(ctx context.Context, m *primitive.MessageExt) consumer.ConsumeResult

func (e env) resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{e.namesrv})
}

func (e env) createTopic(topic string, queues int) error {
	return e.createTopicOn(topic, queues, e.broker)
}

// createTopicOn makes a topic on several brokers. A slave's queues are those of its master, so only its name counts.
func (e env) createTopicOn(topic string, queues int, brokers ...string) error {
	a, err := admin.NewAdmin(admin.WithResolver(e.resolver()))
	if err != nil {
		return err
	}
	defer a.Close()
	for _, addr := range brokers {
		err := a.CreateTopic(context.Background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(addr),
			admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues))
		if err != nil {
			return err
		}
	}
	return until(5*time.Second, "route of "+topic, func() bool {
		q, err := a.FetchPublishMessageQueues(context.Background(), topic)
		return err == nil && len(q) >= queues
	})
}

func (e env) producer(group string) (rocketmq.Producer, error) {
	p, err := rocketmq.NewProducer(producer.WithNsResolver(e.resolver()),
		producer.WithGroupName("P"+group), producer.WithInstanceName("p"+group), producer.WithSendMsgTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	return p, p.Start()
}

// fill makes a topic and sends it the first n bodies. The caller shuts the producer down.
func (e env) fill(topic, group string, queues, n int) (rocketmq.Producer, error) {
	if err := e.createTopic(topic, queues); err != nil {
		return nil, err
	}
	p, err := e.producer(group)
	if err != nil {
		return nil, err
	}
	if err := sendRange(p, topic, 0, n); err != nil {
		_ = p.Shutdown()
		return nil, err
	}
	return p, nil
}

// sendRange sends the bodies from one number to before another.
func sendRange(p rocketmq.Producer, topic string, from, to int) error {
	for i := from; i < to; i++ {
		if err := sendOne(p, primitive.NewMessage(topic, body(i))); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

func sendOne(p rocketmq.Producer, m *primitive.Message) error {
	r, err := p.SendSync(context.Background(), m)
	if err == nil && r.Status != primitive.SendOK {
		err = fmt.Errorf("send status %v", r.Status)
	}
	return err
}

// sendPatiently goes on while the broker is away.
func sendPatiently(p rocketmq.Producer, topic string, text []byte) error {
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if err = sendOne(p, primitive.NewMessage(topic, text)); err == nil {
			return nil
		}
	}
	return err
}

func body(i int) []byte { return []byte("go " + strconv.Itoa(i)) }

// consumer starts a push consumer, from the first offset on unless an option says otherwise.
func (e env) consumer(group, topic string, sel consumer.MessageSelector, fn listener, opts ...consumer.Option) (rocketmq.PushConsumer, error) {
	opts = append([]consumer.Option{consumer.WithNsResolver(e.resolver()), consumer.WithGroupName(group), consumer.WithInstance("c" + group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)}, opts...)
	c, err := rocketmq.NewPushConsumer(opts...)
	if err != nil {
		return nil, err
	}
	err = c.Subscribe(topic, sel, func(ctx context.Context, msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		result := consumer.ConsumeSuccess
		for _, m := range msgs {
			if r := fn(ctx, m); r != consumer.ConsumeSuccess {
				result = r
			}
		}
		return result, nil
	})
	if err != nil {
		return nil, err
	}
	return c, c.Start()
}

// deliver consumes topic until n distinct bodies have come.
func (e env) deliver(group, topic string, n int, opts ...consumer.Option) (*seen, error) {
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep, opts...)
	if err != nil {
		return nil, err
	}
	defer c.Shutdown()
	return s, until(nextLook, fmt.Sprintf("%d messages of %s", n, topic), func() bool { return s.distinct() >= n })
}

// order has the control program start the broker again.
func (e env) order(word string) error {
	if e.control == "" {
		return errors.New("no control program given")
	}
	c := exec.Command(e.control, word)
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", e.control, word, err)
	}
	return nil
}

func until(limit time.Duration, what string, done func() bool) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if done() {
			return nil
		}
	}
	return fmt.Errorf("not within %s: %s", limit, what)
}
