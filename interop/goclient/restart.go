package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
)

// offsetKept: a group's progress is known to a broker that was stopped in order and started again.
func offsetKept(e env, topic, group string) error {
	p, err := e.fill(topic, group, 4, 100)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	s := &seen{}
	c, err := e.consumer(group, topic, consumer.MessageSelector{}, s.keep)
	if err != nil {
		return err
	}
	err = until(nextLook, "100 messages and their offsets", func() bool { return s.holds(0, 100) && c.GetOffsetDiffMap()[topic] == 0 })
	if err := c.Shutdown(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	if err := e.order("restart"); err != nil {
		return err
	}
	for i := range 10 {
		if err := sendPatiently(p, topic, []byte("new "+strconv.Itoa(i))); err != nil {
			return err
		}
	}
	again := &seen{}
	c, err = e.consumer(group, topic, consumer.MessageSelector{}, again.keep, consumer.WithInstance("again"+group))
	if err != nil {
		return err
	}
	defer c.Shutdown()
	if err := until(nextLook, "10 new messages", func() bool { return again.distinct() >= 10 }); err != nil {
		return err
	}
	time.Sleep(time.Second)
	if old := again.others("new "); old != "" {
		return fmt.Errorf("%q was consumed again after a restart in order", old)
	}
	return nil
}

// clientsSurvive: a producer and a consumer that are at work when the broker is killed go on with the next one, and nothing that was
// acknowledged is lost.
func clientsSurvive(e env, topic, group string) error {
	p, err := e.fill(topic, group, 4, 50)
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
	if err := until(nextLook, "50 messages before the kill", func() bool { return s.holds(0, 50) }); err != nil {
		return err
	}
	if err := e.order("kill"); err != nil {
		return err
	}
	for i := 50; i < 100; i++ {
		if err := sendPatiently(p, topic, body(i)); err != nil {
			return err
		}
	}
	// A pull that was held when the broker died is waited for 30 s.
	return until(60*time.Second, "100 messages over a kill", func() bool { return s.holds(0, 100) })
}
