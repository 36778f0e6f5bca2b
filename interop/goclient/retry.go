package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// attempts notes the reconsume times of every delivery.
type attempts struct {
	mu    sync.Mutex
	times []int32
}

func (a *attempts) add(m *primitive.MessageExt) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, m.ReconsumeTimes)
	return len(a.times)
}

func (a *attempts) all() []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.times)
}

func retry(e env, topic, group string) error {
	p, err := e.fill(topic, group, 1, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	var tries attempts
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(_ context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		if tries.add(m) < 2 {
			return consumer.ConsumeRetryLater
		}
		return consumer.ConsumeSuccess
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := sendOne(p, primitive.NewMessage(topic, []byte("again"))); err != nil {
		return err
	}
	return until(90*time.Second, "a second delivery with reconsume times 1", func() bool {
		return slices.Equal(tries.all(), []int32{0, 1})
	})
}

// retryUntilDLQ: a message that is never consumed comes as often as the group allows, then it is the group's dead letter.
func retryUntilDLQ(e env, topic, group string) error {
	p, err := e.fill(topic, group, 1, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	var tries attempts
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(ctx context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		tries.add(m)
		sendBackWith(ctx, 1)
		return consumer.ConsumeRetryLater
	}, consumer.WithMaxReconsumeTimes(2))
	if err != nil {
		return err
	}
	defer c.Shutdown()
	m := primitive.NewMessage(topic, []byte("never good")).WithTag("T").WithKeys([]string{"dead"})
	m.WithProperty("p", "v")
	sent, err := p.SendSync(context.Background(), m)
	if err != nil {
		return err
	}
	// The client asks for the route of its retry topic 30 s after its start, and takes its share at its next look.
	if err := until(80*time.Second, "three attempts", func() bool { return len(tries.all()) >= 3 }); err != nil {
		return err
	}
	dead, err := e.deadLetter(group, "never good")
	if err != nil {
		return err
	}
	if got := tries.all(); !slices.Equal(got, []int32{0, 1, 2}) {
		return fmt.Errorf("reconsume times %v", got)
	}
	for key, want := range map[string]string{primitive.PropertyUniqueClientMessageIdKeyIndex: sent.MsgID, primitive.PropertyRetryTopic: topic,
		primitive.PropertyTags: "T", primitive.PropertyKeys: "dead", "p": "v"} {
		if got := dead.GetProperty(key); got != want {
			return fmt.Errorf("property %s of the dead letter is %q, want %q", key, got, want)
		}
	}
	return nil
}

// sendBackWith chooses the delay level with which the client sends a message back.
func sendBackWith(ctx context.Context, level int) {
	if c, ok := primitive.GetConcurrentlyCtx(ctx); ok {
		c.DelayLevelWhenNextConsume = level
	}
}

// deadLetter waits for the group's first dead letter.
func (e env) deadLetter(group, text string) (*primitive.MessageExt, error) {
	got := make(chan *primitive.MessageExt, 1)
	keep := func(_ context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		select {
		case got <- m:
		default:
		}
		return consumer.ConsumeSuccess
	}
	end := time.Now().Add(30 * time.Second)
	for try := 0; ; try++ {
		c, err := e.consumer("R"+group, "%DLQ%"+group, consumer.MessageSelector{}, keep, consumer.WithInstance(fmt.Sprintf("r%d%s", try, group)))
		if err == nil {
			defer c.Shutdown()
			break
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("no dead letter topic: %w", err)
		}
		time.Sleep(200 * time.Millisecond)
	}
	select {
	case m := <-got:
		if string(m.Body) != text {
			return nil, fmt.Errorf("the dead letter is %q, want %q", m.Body, text)
		}
		return m, nil
	case <-time.After(nextLook):
		return nil, fmt.Errorf("no dead letter within %s", nextLook)
	}
}

// retryStraightToDLQ: a negative delay level makes a message a dead letter at once.
func retryStraightToDLQ(e env, topic, group string) error {
	p, err := e.fill(topic, group, 1, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(ctx context.Context, _ *primitive.MessageExt) consumer.ConsumeResult {
		sendBackWith(ctx, -1)
		return consumer.ConsumeRetryLater
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := sendOne(p, primitive.NewMessage(topic, []byte("to the dead"))); err != nil {
		return err
	}
	_, err = e.deadLetter(group, "to the dead")
	return err
}

// retryOrderlyDLQ: an ordered queue stands at a bad message until that is a dead letter, then goes on.
func retryOrderlyDLQ(e env, topic, group string) error {
	p, err := e.fill(topic, group, 1, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	s := &seen{}
	var tries attempts
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(ctx context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		if string(m.Body) != "bad" {
			return s.keep(ctx, m)
		}
		tries.add(m)
		if c, ok := primitive.GetOrderlyCtx(ctx); ok {
			c.SuspendCurrentQueueTimeMillis = 200
		}
		return consumer.SuspendCurrentQueueAMoment
	}, consumer.WithConsumerOrder(true), consumer.WithMaxReconsumeTimes(2))
	if err != nil {
		return err
	}
	defer c.Shutdown()
	for _, text := range []string{"one", "bad", "two"} {
		if err := sendOne(p, primitive.NewMessage(topic, []byte(text))); err != nil {
			return err
		}
	}
	if err := until(nextLook, "the queue goes on after the bad message", func() bool { return s.has("two") }); err != nil {
		return err
	}
	if n := len(tries.all()); n < 3 {
		return fmt.Errorf("the bad message was given up after %d attempts", n)
	}
	_, err = e.deadLetter(group, "bad")
	return err
}
