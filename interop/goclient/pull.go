package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func (e env) pullConsumer(group, topic, expression, instance string) (rocketmq.PullConsumer, error) {
	c, err := rocketmq.NewPullConsumer(consumer.WithNsResolver(e.resolver()), consumer.WithGroupName(group), consumer.WithInstance(instance+group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset), consumer.WithPullBatchSize(32))
	if err != nil {
		return nil, err
	}
	if err := c.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: expression}); err != nil {
		return nil, err
	}
	return c, c.Start()
}

func (e env) queues(topic string) ([]*primitive.MessageQueue, error) {
	a, err := admin.NewAdmin(admin.WithResolver(e.resolver()))
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.FetchPublishMessageQueues(context.Background(), topic)
}

// pull names the offsets itself: a filtered walk over a queue, its end, beyond its end, and progress that is kept.
func pull(e env, topic, group string) error {
	p, err := e.fill(topic, group, 1, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 100 {
		if err := sendOne(p, primitive.NewMessage(topic, body(i)).WithTag([]string{"even", "odd"}[i%2])); err != nil {
			return err
		}
	}
	queues, err := e.queues(topic)
	if err != nil {
		return err
	}
	q := queues[0]
	c, err := e.pullConsumer(group, topic, "even", "a")
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := walkEven(c, q, 100); err != nil {
		return err
	}
	if err := endOfQueue(p, c, q, 100); err != nil {
		return err
	}
	return e.progress(c, q, group)
}

// walkEven pulls a queue from its beginning to its end: half of its messages have the tag.
func walkEven(c rocketmq.PullConsumer, q *primitive.MessageQueue, end int64) error {
	s := &seen{}
	for next := int64(0); next < end; {
		r, err := c.PullFrom(context.Background(), q, next, 10)
		if err != nil {
			return fmt.Errorf("pull at %d: %w", next, err)
		}
		if r.NextBeginOffset <= next || r.MaxOffset != end || r.MinOffset != 0 {
			return fmt.Errorf("pull at %d: status %v, next %d, queue from %d to %d", next, r.Status, r.NextBeginOffset, r.MinOffset, r.MaxOffset)
		}
		next = r.NextBeginOffset
		for _, m := range r.GetMessageExts() {
			s.add(m)
		}
	}
	if n := s.distinct(); n != int(end/2) {
		return fmt.Errorf("%d messages of the tag, want %d", n, end/2)
	}
	return s.inOrder()
}

// endOfQueue: a pull at the end is held until a message comes, one beyond it is told where the end is.
func endOfQueue(p rocketmq.Producer, c rocketmq.PullConsumer, q *primitive.MessageQueue, end int64) error {
	type answer struct {
		r   *primitive.PullResult
		err error
	}
	held := make(chan answer, 1)
	go func() {
		r, err := c.PullFrom(context.Background(), q, end, 10)
		held <- answer{r, err}
	}()
	select {
	case a := <-held:
		return fmt.Errorf("a pull at the end was not held: %v, %v", a.r, a.err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := sendOne(p, primitive.NewMessage(q.Topic, []byte("late")).WithTag("even")); err != nil {
		return err
	}
	select {
	case a := <-held:
		if a.err != nil {
			return a.err
		}
		if m := a.r.GetMessageExts(); a.r.Status != primitive.PullFound || len(m) != 1 || string(m[0].Body) != "late" {
			return fmt.Errorf("the held pull ended with status %v and %d messages", a.r.Status, len(m))
		}
	case <-time.After(5 * time.Second):
		return errors.New("a message did not wake the held pull")
	}
	beyond, err := c.PullFrom(context.Background(), q, 10*end, 10)
	if err != nil {
		return err
	}
	if beyond.Status != primitive.PullOffsetIllegal || beyond.NextBeginOffset != end+1 {
		return fmt.Errorf("a pull beyond the end: status %v, next %d", beyond.Status, beyond.NextBeginOffset)
	}
	return nil
}

// progress: what one member notes is where the next one begins.
func (e env) progress(c rocketmq.PullConsumer, q *primitive.MessageQueue, group string) error {
	// It notes the queues of its share only: a polled message shows that it has one.
	err := until(nextLook, "a share of the queues", func() bool {
		_, err := c.Poll(context.Background(), time.Second)
		return err == nil
	})
	if err != nil {
		return err
	}
	if err := c.UpdateOffset(q, 42); err != nil {
		return err
	}
	if err := c.PersistOffset(context.Background(), q.Topic); err != nil {
		return err
	}
	other, err := e.pullConsumer(group, q.Topic, "even", "b")
	if err != nil {
		return err
	}
	defer other.Shutdown()
	return until(5*time.Second, "the noted offset", func() bool {
		at, err := other.CurrentOffset(q)
		return err == nil && at == 42
	})
}

// poll: what was polled and acknowledged does not come again to a consumer that starts later.
func poll(e env, topic, group string) error {
	p, err := e.fill(topic, group, 4, 200)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	if err := e.pollUntil(topic, group, "a", 0, 200); err != nil {
		return err
	}
	if err := sendRange(p, topic, 200, 220); err != nil {
		return err
	}
	return e.pollUntil(topic, group, "b", 200, 220)
}

// pollUntil polls and acknowledges until all bodies from one number to before another have come, and no others.
func (e env) pollUntil(topic, group, instance string, from, to int) error {
	c, err := e.pullConsumer(group, topic, "*", instance)
	if err != nil {
		return err
	}
	defer c.Shutdown()
	s := &seen{}
	err = until(nextLook, fmt.Sprintf("polled messages %d to %d", from, to), func() bool {
		if r, err := c.Poll(context.Background(), time.Second); err == nil {
			for _, m := range r.GetMsgList() {
				s.add(m)
			}
			c.ACK(context.Background(), r, consumer.ConsumeSuccess)
		}
		return s.holds(from, to)
	})
	if n := s.distinct(); err == nil && n != to-from {
		err = fmt.Errorf("%d messages, want %d", n, to-from)
	}
	return err
}
