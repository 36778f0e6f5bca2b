package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
)

// The progress of the reader's group. The reader does not commit by itself: what it commits a moment later would hide what was lost. It is told to
// after each check, and while the master is away, at the slave; nothing but the brokers remembers it over the next faults.

const readerGroup = "PairReader"

// leaves is what faults leave a broker of the progress that it knew.
type leaves uint8

const (
	leavesAll     leaves = iota
	leavesUnsaved        // all that it knew, while nothing could be written
	leavesSaved          // what it had written
	leavesNothing
)

// Sides of a pair, for what there is of each.
const (
	atMaster = 0
	atSlave  = 1
)

// known is what one broker has told of the progress, by queue.
type known struct {
	at     time.Time
	queues []int64
}

// progress is what the brokers of a pair have told so far, since they last lost something; oldest first.
type progress struct {
	told    [2][]known
	atSlave int // commits while the master was away
}

// left is what must be left of what a side told before faults began: saved is how soon it writes what it knows.
func (g *progress) left(side int, l leaves, began time.Time, saved time.Duration, queues int) []int64 {
	for _, k := range slices.Backward(g.told[side]) {
		if l < leavesSaved || l == leavesSaved && k.at.Before(began.Add(-saved)) {
			return k.queues
		}
	}
	return make([]int64, queues)
}

// held is what each side must have when faults are over: the master all that either was left with, the slave what both had been known to have.
// Nothing is asked for behind the ends of the queues.
func (g *progress) held(l [2]leaves, began time.Time, saved [2]time.Duration, ends []int64) (master, slave []int64) {
	a, b := g.left(atMaster, l[atMaster], began, saved[atMaster], len(ends)), g.left(atSlave, l[atSlave], began, saved[atSlave], len(ends))
	before := g.left(atSlave, leavesAll, began, 0, len(ends))
	master, slave = make([]int64, len(ends)), make([]int64, len(ends))
	for q := range ends {
		master[q] = min(max(a[q], b[q]), ends[q])
		slave[q] = min(master[q], before[q])
	}
	return master, slave
}

// tell notes what a side knows.
func (g *progress) tell(side int, at time.Time, queues []int64) {
	g.told[side] = append(g.told[side], known{at, queues})
}

// begin makes a side's list begin anew with what it tells now, where faults have touched what it knows.
func (g *progress) begin(l [2]leaves) {
	for side := range l {
		if l[side] != leavesAll {
			g.told[side] = nil
		}
	}
}

// saveEvery has a broker write progress every second.
func (n *node) saveEvery() { n.set("flushConsumerOffsetInterval", "1000") }

// savedWithin is how soon what a broker knows is on its disk then, on a busy machine. A stock broker begins to write ten seconds after its start.
func (n *node) savedWithin() time.Duration {
	if n.maker == stock {
		return 13 * time.Second
	}
	return 3 * time.Second
}

// progressHeld asks both brokers for the progress after faults that left them so much of it. A master of ours has it when it first answers, if
// its slave was there to be asked; the others when a slave has looked at its master.
func (p *pair) progressHeld(l [2]leaves, began time.Time, slaveThere bool) error {
	if p.master.maker == stock && p.slave.maker == stock {
		return nil // a stock master takes back nothing
	}
	ends := make([]int64, len(p.history.lanes))
	for q, end := range p.master.at.view.ends() {
		ends[q] = end
	}
	master, slave := p.progress.held(l, began, [2]time.Duration{p.master.savedWithin(), p.slave.savedWithin()}, ends)
	limit := p.patience()
	if p.master.maker == ours && slaveThere {
		limit = 0
	}
	if err := p.master.hasProgress(master, limit); err != nil {
		return err
	}
	if limit = p.patience(); p.slave.maker == stock {
		limit = stockSyncs
	}
	return p.slave.hasProgress(slave, limit)
}

// hasProgress waits until a broker's progress of the reader's group is nowhere below what is wanted.
func (n *node) hasProgress(want []int64, limit time.Duration) error {
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		got, err := n.progressOf(readerGroup, len(want))
		if err == nil {
			err = notBelow(n.name, got, want)
		}
		if err == nil {
			return nil
		}
		if took := time.Since(began); took > limit {
			return fmt.Errorf("progress, looked at for %.1f s: %w", took.Seconds(), err)
		}
	}
}

func notBelow(who string, got, want []int64) error {
	for q := range want {
		if got[q] < want[q] {
			return fmt.Errorf("PROGRESS LOST: the %s answers %d for queue %d, where %d was committed and known (%v, %v)", who, got[q], q, want[q], got, want)
		}
	}
	return nil
}

// progressOf asks for the progress of a group in all queues; 0 where it has none.
func (n *node) progressOf(group string, queues int) ([]int64, error) {
	list := make([]int64, queues)
	return list, n.told(func(ctx context.Context, c rig.Caller) error {
		for q := range list {
			resp, err := rig.Expect(rig.Call(ctx, c, remoting.CodeQueryConsumerOffset, map[string]string{
				"consumerGroup": group, "topic": topic, "queueId": strconv.Itoa(q), "setZeroIfNotFound": "false"}))
			if code, answered := rig.Refused(err); answered && code == remoting.RespQueryNotFound {
				continue
			}
			if err != nil {
				return fmt.Errorf("the %s, asked for the progress of queue %d: %w", n.name, q, err)
			}
			if list[q], _, err = resp.Int64("offset"); err != nil {
				return err
			}
		}
		return nil
	})
}

// commit commits where the reader is, at one side, and never backwards.
func (p *pair) commit(side int) error {
	n := []*node{p.master, p.slave}[side]
	list := p.reader.positions()
	for s := range p.progress.told {
		for q, before := range p.progress.left(s, leavesAll, time.Time{}, 0, len(list)) {
			list[q] = max(list[q], before)
		}
	}
	if err := n.commit(readerGroup, list); err != nil {
		return err
	}
	p.progress.tell(side, time.Now(), list)
	return nil
}

// commit commits a group's progress in all queues.
func (n *node) commit(group string, queues []int64) error {
	return n.told(func(ctx context.Context, c rig.Caller) error {
		for q, offset := range queues {
			if _, err := rig.Expect(rig.Call(ctx, c, remoting.CodeUpdateConsumerOffset, map[string]string{
				"consumerGroup": group, "topic": topic, "queueId": strconv.Itoa(q), "commitOffset": strconv.FormatInt(offset, 10)})); err != nil {
				return fmt.Errorf("commit of queue %d at the %s: %w", q, n.name, err)
			}
		}
		return nil
	})
}

// goOn notes what the slave knows after a check, and commits at the master.
func (p *pair) goOn() error {
	queues, err := p.slave.progressOf(readerGroup, len(p.history.lanes))
	if err != nil {
		return err
	}
	p.progress.tell(atSlave, time.Now(), queues)
	return p.commit(atMaster)
}

// positions is how far the reader is in each queue.
func (r *reader) positions() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []int64
	for _, k := range r.queues {
		list = append(list, k.pos)
	}
	return list
}
