package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/remoting"
)

// The brokers of the scene have memory for their log, and for the heap that a stock broker is given. By these parts of it, in percent, a master
// sends consumers away that are further behind, and a slave, whose part is 10 less than it is told, sends them back.
const (
	estimateMemory = 1 << 30
	masterRatio    = "15"
	slaveRatio     = "15"
)

// estimate: consumers read one log from its beginning at each kind of pair, one after the other on the same stores, and go where the brokers send
// them. With stock on either side, or with suggestByResidency=off, they are sent to the slave up to the same message as at a pair of stock's, and back
// from the same one on. How many messages an answer has does not matter: ours end where memory ends.
func estimate(p *pair) (string, error) {
	if err := p.bound(estimateMemory); err != nil {
		return "", err
	}
	p.master.set("accessMessageInMemoryMaxRatio", masterRatio)
	p.slave.set("accessMessageInMemoryMaxRatio", slaveRatio)
	for _, n := range []*node{p.master, p.slave} {
		n.maker = ours
		n.set("suggestByResidency", "off")
	}
	p.slave.set("namesrvAddr", loopback(p.base+deskPort)) // whoever it is
	p.slave.unset("haMasterAddress")
	if err := p.fillLog(); err != nil {
		return "", err
	}
	if err := p.copied(); err != nil {
		return "", err
	}
	const ofStock = 2
	var all []sent
	for i, turn := range []*node{nil, p.slave, p.master, p.slave} {
		if turn != nil {
			if err := p.changeSides(turn); err != nil {
				return "", err
			}
		}
		s, err := p.whereSent(fmt.Sprintf("Far-%d", i))
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.pair, err)
		}
		all = append(all, s)
	}
	text := fmt.Sprintf("%d MiB of log, %d MiB of memory for each broker", slowLog>>20, estimateMemory>>20)
	var errs []error
	for _, s := range all {
		text += "; " + s.String()
		errs = append(errs, s.against(&all[ofStock]))
	}
	// From 15 % of memory before the end on the master keeps whom it has, and until 5 % the slave does.
	if share := all[ofStock].bySlave(); share < 0.75 || share > 0.85 {
		errs = append(errs, errors.New("stock's slave was to serve four messages of five"))
	}
	return text, errors.Join(errs...)
}

// sent is where a kind of pair sends a group.
type sent struct {
	pair string
	drained
	limits [2][slowQueues]limit // of the master and of the slave
}

// limit is where a broker stops to name the slave: somewhere behind the last offset up to which a group had read when it was told so, and no later
// than the first one with which it was sent to the master.
type limit struct{ last, first int64 }

func (l *limit) note(a answer) {
	if a.suggest == 1 {
		l.last = max(l.last, a.next)
	} else {
		l.first = min(l.first, a.next)
	}
}

// whereSent drains the topic, and closes in on both brokers' limits.
func (p *pair) whereSent(group string) (s sent, err error) {
	s.pair = p.master.maker + "+" + p.slave.maker
	if s.drained, err = p.drainFar(group); err != nil {
		return s, err
	}
	for by, n := range []*node{p.master, p.slave} {
		for q := range slowQueues {
			l := &s.limits[by][q]
			l.first = slowMessages
			for _, a := range s.drained[q] {
				if a.by == int64(by) {
					l.note(a)
				}
			}
			if err := n.closeIn(group, q, l); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// closeIn asks a broker for a queue where its limit must be, until it lies within one answer.
func (n *node) closeIn(group string, queue int, l *limit) error {
	return n.told(func(ctx context.Context, c rig.Caller) error {
		for from, end := int64(0), int64(slowMessages-1); from < end; {
			middle := (from + end) / 2
			r, err := rig.Pull(ctx, c, rig.PullRequest{Group: group, Topic: slowTopic, Queue: queue, From: middle})
			if err != nil {
				return err
			}
			l.note(answer{next: r.Next, suggest: r.Suggest})
			if r.Suggest == 1 {
				from = middle + 1
			} else {
				end = middle
			}
		}
		return nil
	})
}

func (s *sent) String() string {
	return fmt.Sprintf("%s: %s, queue 0 was served by %s; the master sends away before offset %d of it, and the slave back from %d on", s.pair, s.drained, s.runs(0),
		s.limits[0][0].first, s.limits[1][0].first)
}

// against says where limits are not those of another pair.
func (s *sent) against(want *sent) error {
	for by, name := range []string{"master", "slave"} {
		for q, got := range s.limits[by] {
			if w := want.limits[by][q]; max(got.last, w.last) >= min(got.first, w.first) {
				return fmt.Errorf("%s: the %s sends who has read up to %d of queue %d to the slave, and from %d on to the master; in %s up to %d, and from %d on",
					s.pair, name, got.last, q, got.first, want.pair, w.last, w.first)
			}
		}
	}
	return nil
}

// changeSides gives the store of a broker to the other maker's, and waits until the slave follows again. Beside stock
// suggestByResidency is left to its default.
func (p *pair) changeSides(n *node) error {
	if err := n.proc.end(); err != nil {
		return err
	}
	n.maker = map[string]string{ours: stock, stock: ours}[n.maker]
	n.set("suggestByResidency", "auto")
	if err := n.start(); err != nil {
		return err
	}
	if n == p.slave && p.master.maker == ours {
		if err := p.master.change("suggestByResidency=auto"); err != nil {
			return err
		}
	}
	return p.copied()
}

// copied waits until the master says that its slave has all of the log.
func (p *pair) copied() error {
	for end := time.Now().Add(p.patience()); ; time.Sleep(100 * time.Millisecond) {
		var status remoting.HARuntimeInfo
		err := p.master.told(func(ctx context.Context, c rig.Caller) error {
			resp, err := rig.Expect(rig.Call(ctx, c, remoting.CodeGetBrokerHaStatus, nil))
			if err != nil {
				return err
			}
			return remoting.Unmarshal(resp.Body, &status)
		})
		if err == nil && status.InSyncSlaves == 1 && status.HAConnectionInfo[0].Diff == 0 {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("%s+%s: the slave does not follow: %+v", p.master.maker, p.slave.maker, status), err)
		}
	}
}
