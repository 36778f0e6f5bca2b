package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func sendSync(e env, topic, group string) error {
	p, err := e.fill(topic, group, 4, 0)
	if err != nil {
		return err
	}
	defer p.Shutdown()
	for i := range 100 {
		if err := sendOne(p, primitive.NewMessage(topic, body(i)).WithTag("T").WithKeys([]string{"k" + strconv.Itoa(i)})); err != nil {
			return err
		}
	}
	_, err = e.deliver(group, topic, 100)
	return err
}

func sendAsync(e env, topic, group string) error {
	p, err := e.fill(topic, group, 4, 0)
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
	p, err := e.fill(topic, group, 2, 0)
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
	p, err := e.fill(topic, group, 2, 0)
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
