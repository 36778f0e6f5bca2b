package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
)

// movedGroup is a group whose progress goes through the migration. No member of it is there: nobody but the brokers remembers it.
const movedGroup = "MovedGroup"

// makeMoved makes the group.
func (p *pair) makeMoved() error {
	req := remoting.NewRequest(remoting.CodeUpdateAndCreateSubscriptiongroup)
	req.Body = []byte(`{"groupName":"` + movedGroup + `"}`)
	return p.master.told(func(ctx context.Context, c rig.Caller) error {
		_, err := rig.Expect(c.Call(ctx, req))
		return err
	})
}

// commitMoved commits the same offset for all queues, at the master.
func (p *pair) commitMoved(offset int64) error {
	return p.master.told(func(ctx context.Context, c rig.Caller) error {
		for _, l := range p.history.lanes {
			if _, err := rig.Expect(rig.Call(ctx, c, remoting.CodeUpdateConsumerOffset, map[string]string{
				"consumerGroup": movedGroup, "topic": topic, "queueId": strconv.Itoa(l.queue), "commitOffset": strconv.FormatInt(offset, 10)})); err != nil {
				return fmt.Errorf("commit of queue %d: %w", l.queue, err)
			}
		}
		return nil
	})
}

// moved asks both brokers for the group's progress. The master must know it; the slave may take as long as stock's takes to ask its master, and returns
// how long it took.
func (p *pair) moved(want int64) (took time.Duration, err error) {
	if err := p.hasMoved(p.master, want); err != nil {
		return 0, err
	}
	const stockSyncs = 75 * time.Second // once a minute
	began := time.Now()
	for ; ; time.Sleep(100 * time.Millisecond) {
		err = p.hasMoved(p.slave, want)
		if took = time.Since(began); err == nil || took > stockSyncs {
			return took, err
		}
	}
}

func (p *pair) hasMoved(n *node, want int64) error {
	return n.told(func(ctx context.Context, c rig.Caller) error {
		for q := range p.history.lanes {
			resp, err := rig.Expect(rig.Call(ctx, c, remoting.CodeQueryConsumerOffset, map[string]string{
				"consumerGroup": movedGroup, "topic": topic, "queueId": strconv.Itoa(q), "setZeroIfNotFound": "false"}))
			if err != nil {
				return fmt.Errorf("the %s, asked for the progress of queue %d: %w", n.name, q, err)
			}
			if got, _, err := resp.Int64("offset"); err != nil || got != want {
				return fmt.Errorf("the %s answers progress %d of queue %d, %d was committed (%v)", n.name, got, q, want, err)
			}
		}
		return nil
	})
}

// told connects to a broker for some calls.
func (n *node) told(fn func(ctx context.Context, c rig.Caller) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, n.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(ctx, c)
}
