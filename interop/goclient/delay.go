package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func delay(e env, topic, group string) error {
	p, err := e.fill(topic, group, 1, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep)
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := sendOne(p, primitive.NewMessage(topic, []byte("now"))); err != nil {
		return err
	}
	if err := until(nextLook, "the message without delay", func() bool { return s.has("now") }); err != nil {
		return err
	}
	began := time.Now()
	if err := sendOne(p, primitive.NewMessage(topic, []byte("later")).WithDelayTimeLevel(2)); err != nil {
		return err
	}
	if err := until(20*time.Second, "the delayed message", func() bool { return s.has("later") }); err != nil {
		return err
	}
	if took := time.Since(began); took < 4900*time.Millisecond || took > 8*time.Second {
		return fmt.Errorf("a delay of 5 s took %s", took)
	}
	return nil
}

// delayLevels sends a message of every level up to 30 s at one time; each comes when it should.
func delayLevels(e env, topic, group string) error {
	p, err := e.fill(topic, group, 2, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	levels := []time.Duration{0, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
	var mu sync.Mutex
	late := map[int]time.Duration{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, func(_ context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
		took := time.Since(time.UnixMilli(m.BornTimestamp))
		if l, err := strconv.Atoi(string(m.Body)); err == nil && l < len(levels) {
			mu.Lock()
			late[l] = took - levels[l]
			mu.Unlock()
		}
		return consumer.ConsumeSuccess
	})
	if err != nil {
		return err
	}
	defer c.Shutdown()
	came := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(late) >= n
		}
	}
	// The first delivery waits for the consumer's share of the queues; only what comes after it measures the broker.
	for l := range levels {
		m := primitive.NewMessage(topic, []byte(strconv.Itoa(l)))
		if l > 0 {
			m.WithDelayTimeLevel(l)
		}
		if err := sendOne(p, m); err != nil {
			return err
		}
		if l == 0 {
			if err := until(nextLook, "the message without delay", came(1)); err != nil {
				return err
			}
		}
	}
	if err := until(60*time.Second, "four delayed messages", came(len(levels))); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	for l := 1; l < len(levels); l++ {
		if late[l] < 0 || late[l] > 2*time.Second {
			return fmt.Errorf("level %d came %s after its time", l, late[l])
		}
	}
	return nil
}
