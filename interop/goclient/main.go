// Command goclient drives rocketmq-client-go against a broker: every way of sending, push consumption of both kinds,
// retry, and delay. It prints a PASS or FAIL line a case and ends with "N passed, N failed".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

type env struct {
	namesrv string
	broker  string
	run     string
}

var cases = []struct {
	name string
	run  func(e env, topic, group string) error
}{
	{"send-sync", sendSync},
	{"send-async", sendAsync},
	{"send-oneway", sendOneway},
	{"send-batch", sendBatch},
	{"consume-orderly", consumeOrderly},
	{"consume-tags", consumeTags},
	{"retry", retry},
	{"delay", delay},
}

func main() {
	e := env{run: strconv.FormatInt(time.Now().UnixMilli()%1e8, 36)}
	flag.StringVar(&e.namesrv, "namesrv", "127.0.0.1:9876", "name server")
	flag.StringVar(&e.broker, "broker", "127.0.0.1:10911", "broker")
	flag.Parse()
	rlog.SetLogLevel("fatal")
	passed, failed := 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, c := range cases {
		all.Add(1)
		go func() {
			defer all.Done()
			began := time.Now()
			err := c.run(e, "GT-"+c.name+"-"+e.run, "GG-"+c.name+"-"+e.run)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed++
				fmt.Printf("FAIL go/%s (%.1f s): %v\n", c.name, time.Since(began).Seconds(), err)
				return
			}
			passed++
			fmt.Printf("PASS go/%s (%.1f s)\n", c.name, time.Since(began).Seconds())
		}()
	}
	all.Wait()
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func (e env) createTopic(topic string, queues int) error {
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver([]string{e.namesrv})))
	if err != nil {
		return err
	}
	defer a.Close()
	return a.CreateTopic(context.Background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(e.broker),
		admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues))
}

func (e env) producer(group string) (rocketmq.Producer, error) {
	p, err := rocketmq.NewProducer(producer.WithNsResolver(primitive.NewPassthroughResolver([]string{e.namesrv})),
		producer.WithGroupName("P"+group), producer.WithInstanceName("p"+group), producer.WithSendMsgTimeout(10*time.Second))
	if err != nil {
		return nil, err
	}
	return p, p.Start()
}

// seen collects the bodies a consumer was given, in order per queue.
type seen struct {
	mu     sync.Mutex
	bodies map[string]int
	queues map[int][]int64
}

func (s *seen) add(m *primitive.MessageExt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies == nil {
		s.bodies, s.queues = map[string]int{}, map[int][]int64{}
	}
	s.bodies[string(m.Body)]++
	s.queues[m.Queue.QueueId] = append(s.queues[m.Queue.QueueId], m.QueueOffset)
}

func (s *seen) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func (e env) consumer(group, topic string, sel consumer.MessageSelector, fn func(m *primitive.MessageExt) consumer.ConsumeResult, opts ...consumer.Option) (rocketmq.PushConsumer, error) {
	opts = append(opts, consumer.WithNsResolver(primitive.NewPassthroughResolver([]string{e.namesrv})),
		consumer.WithGroupName(group), consumer.WithInstance("c"+group), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	c, err := rocketmq.NewPushConsumer(opts...)
	if err != nil {
		return nil, err
	}
	err = c.Subscribe(topic, sel, func(_ context.Context, msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		result := consumer.ConsumeSuccess
		for _, m := range msgs {
			if r := fn(m); r != consumer.ConsumeSuccess {
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

func until(limit time.Duration, what string, done func() bool) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if done() {
			return nil
		}
	}
	return fmt.Errorf("not within %s: %s", limit, what)
}

// deliver consumes topic until n distinct bodies have come.
func (e env) deliver(group, topic string, n int, opts ...consumer.Option) (*seen, error) {
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(m *primitive.MessageExt) consumer.ConsumeResult {
		s.add(m)
		return consumer.ConsumeSuccess
	}, opts...)
	if err != nil {
		return nil, err
	}
	defer c.Shutdown()
	return s, until(40*time.Second, fmt.Sprintf("%d messages of %s", n, topic), func() bool { return s.distinct() >= n })
}

func body(i int) []byte { return []byte("go " + strconv.Itoa(i)) }

func sendSync(e env, topic, group string) error {
	if err := e.createTopic(topic, 4); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 100 {
		r, err := p.SendSync(context.Background(), primitive.NewMessage(topic, body(i)).WithTag("T").WithKeys([]string{"k" + strconv.Itoa(i)}))
		if err != nil {
			return err
		}
		if r.Status != primitive.SendOK {
			return fmt.Errorf("send status %v", r.Status)
		}
	}
	_, err = e.deliver(group, topic, 100)
	return err
}

func sendAsync(e env, topic, group string) error {
	if err := e.createTopic(topic, 4); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	failures := make(chan error, 300)
	for i := range 300 {
		err := p.SendAsync(context.Background(), func(_ context.Context, _ *primitive.SendResult, err error) { failures <- err }, primitive.NewMessage(topic, body(i)))
		if err != nil {
			return err
		}
	}
	for range 300 {
		select {
		case err := <-failures:
			if err != nil {
				return err
			}
		case <-time.After(20 * time.Second):
			return errors.New("a callback is missing")
		}
	}
	_, err = e.deliver(group, topic, 300)
	return err
}

func sendOneway(e env, topic, group string) error {
	if err := e.createTopic(topic, 2); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 50 {
		if err := p.SendOneWay(context.Background(), primitive.NewMessage(topic, body(i))); err != nil {
			return err
		}
	}
	_, err = e.deliver(group, topic, 50)
	return err
}

func sendBatch(e env, topic, group string) error {
	if err := e.createTopic(topic, 2); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	var batch []*primitive.Message
	for i := range 32 {
		batch = append(batch, primitive.NewMessage(topic, body(i)))
	}
	if _, err := p.SendSync(context.Background(), batch...); err != nil {
		return err
	}
	_, err = e.deliver(group, topic, 32)
	return err
}

func consumeOrderly(e env, topic, group string) error {
	if err := e.createTopic(topic, 3); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 150 {
		if _, err := p.SendSync(context.Background(), primitive.NewMessage(topic, body(i))); err != nil {
			return err
		}
	}
	s, err := e.deliver(group, topic, 150, consumer.WithConsumerOrder(true))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for q, offsets := range s.queues {
		if !sort.SliceIsSorted(offsets, func(i, j int) bool { return offsets[i] < offsets[j] }) {
			return fmt.Errorf("queue %d came out of order: %v", q, offsets)
		}
	}
	return nil
}

func consumeTags(e env, topic, group string) error {
	if err := e.createTopic(topic, 2); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 40 {
		if _, err := p.SendSync(context.Background(), primitive.NewMessage(topic, body(i)).WithTag([]string{"a", "b"}[i%2])); err != nil {
			return err
		}
	}
	s := &seen{}
	wrong := make(chan string, 40)
	c, err := e.consumer(group, topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "b"}, func(m *primitive.MessageExt) consumer.ConsumeResult {
		if m.GetTags() != "b" {
			wrong <- m.GetTags()
		}
		s.add(m)
		return consumer.ConsumeSuccess
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := until(40*time.Second, "20 messages of tag b", func() bool { return s.distinct() == 20 }); err != nil {
		return err
	}
	select {
	case tag := <-wrong:
		return fmt.Errorf("a message of tag %q came", tag)
	default:
		return nil
	}
}

func retry(e env, topic, group string) error {
	if err := e.createTopic(topic, 1); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	var mu sync.Mutex
	var times []int32
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(m *primitive.MessageExt) consumer.ConsumeResult {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, m.ReconsumeTimes)
		if len(times) < 2 {
			return consumer.ConsumeRetryLater
		}
		return consumer.ConsumeSuccess
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if _, err := p.SendSync(context.Background(), primitive.NewMessage(topic, []byte("again"))); err != nil {
		return err
	}
	return until(90*time.Second, "a second delivery with reconsume times 1", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(times) >= 2 && times[0] == 0 && times[1] == 1
	})
}

func delay(e env, topic, group string) error {
	if err := e.createTopic(topic, 1); err != nil {
		return err
	}
	p, err := e.producer(group)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(m *primitive.MessageExt) consumer.ConsumeResult {
		s.add(m)
		return consumer.ConsumeSuccess
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if _, err := p.SendSync(context.Background(), primitive.NewMessage(topic, []byte("now"))); err != nil {
		return err
	}
	if err := until(40*time.Second, "the message without delay", func() bool { return s.distinct() == 1 }); err != nil {
		return err
	}
	began := time.Now()
	if _, err := p.SendSync(context.Background(), primitive.NewMessage(topic, []byte("later")).WithDelayTimeLevel(2)); err != nil {
		return err
	}
	if err := until(20*time.Second, "the delayed message", func() bool { return s.distinct() == 2 }); err != nil {
		return err
	}
	if took := time.Since(began); took < 4900*time.Millisecond || took > 8*time.Second {
		return fmt.Errorf("a delay of 5 s took %s", took)
	}
	return nil
}
