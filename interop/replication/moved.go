package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
)

// movedGroup is a group whose progress goes through the migration. No member of it is there: nobody but the brokers remembers it.
const movedGroup = "MovedGroup"

// stockSyncs is how long a stock slave may take to ask its master, which it does once a minute.
const stockSyncs = 75 * time.Second

// makeGroup makes a group at the master.
func (p *pair) makeGroup(name string) error {
	req := remoting.NewRequest(remoting.CodeUpdateAndCreateSubscriptiongroup)
	req.Body = []byte(`{"groupName":"` + name + `"}`)
	return p.master.told(func(ctx context.Context, c rig.Caller) error {
		_, err := rig.Expect(c.Call(ctx, req))
		return err
	})
}

// grownIn is how long every queue may take to get as many messages as progress is to be committed of.
const grownIn = 30 * time.Second

// commitMoved commits the same offset for all queues, at the master, once all have that many messages: progress beyond the end of a queue is set back
// to it when a broker of ours starts.
func (p *pair) commitMoved(offset int64) error {
	for began := time.Now(); p.history.least() < offset; time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > grownIn {
			return fmt.Errorf("a queue has %d messages after %s, %d were to be consumed of each", p.history.least(), grownIn, offset)
		}
	}
	return p.master.commit(movedGroup, slices.Repeat([]int64{offset}, len(p.history.lanes)))
}

// moved asks both brokers for the group's progress. The master must know it; the slave may take as long as stock's takes to ask its master, and returns
// how long it took.
func (p *pair) moved(want int64) (took time.Duration, err error) {
	if err := p.hasMoved(p.master, want); err != nil {
		return 0, err
	}
	began := time.Now()
	for ; ; time.Sleep(100 * time.Millisecond) {
		err = p.hasMoved(p.slave, want)
		if took = time.Since(began); err == nil || took > stockSyncs {
			return took, err
		}
	}
}

func (p *pair) hasMoved(n *node, want int64) error {
	list, err := n.progressOf(movedGroup, len(p.history.lanes))
	if err != nil {
		return err
	}
	for q, got := range list {
		if got != want {
			return fmt.Errorf("the %s answers progress %d of queue %d, %d was committed", n.name, got, q, want)
		}
	}
	return nil
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
