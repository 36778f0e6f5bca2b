package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// The log of the scene is twice as large as the memory of either broker.
const (
	slowTopic    = "FarBehind"
	slowQueues   = 4
	slowBody     = 32 << 10
	slowMessages = 2048 // in each queue
	slowLog      = slowQueues * slowMessages * slowBody
	groupMemory  = slowLog / 2
)

// whichBroker: consumers read from the beginning a log that is larger than each broker's memory, and go where the brokers send them.
// By stock's estimate they are at the slave while they are further behind than 40 % of memory. By what is in memory they are at the
// slave from the first message on that the master would have to read from its disk, and as soon as something else has brought the
// log back into memory they stay at the master, which the estimate does not know.
func whichBroker(p *pair) (string, error) {
	if err := p.bound(groupMemory); err != nil {
		return "", err
	}
	for _, n := range []*node{p.master, p.slave} {
		n.set("tailCacheBytes", strconv.Itoa(4<<20))
	}
	// Only with this control do brokers say what they have read from the disk; it allows everything.
	for _, key := range []string{"coldDataFlowControlEnable", "coldDataScanEnable"} {
		p.master.set(key, "true")
	}
	for _, key := range []string{"cgColdReadThreshold", "globalColdReadThreshold"} {
		p.master.set(key, strconv.Itoa(math.MaxInt32))
	}
	p.master.set("timerColdDataCheckIntervalMs", "1000")
	if err := p.fillLog(); err != nil {
		return "", err
	}
	var text []string
	for _, part := range []farPart{
		{"off", false, 0.5, 0.9, slowLog >> 20},
		{"auto", false, 0.6, 1, slowLog >> 24},
		{"off", true, 0.5, 0.9, slowLog >> 24},
		{"auto", true, 0, 0.02, slowLog >> 24},
	} {
		line, err := p.drainPart(part)
		if line != "" {
			text = append(text, line)
		}
		if err != nil {
			return strings.Join(text, "; "), err
		}
	}
	return fmt.Sprintf("%d MiB of log, %d MiB of memory for each broker; %s", slowLog>>20, groupMemory>>20, strings.Join(text, "; ")), nil
}

// farPart is a way in which the brokers say where to read, and what a drain comes to with it.
type farPart struct {
	mode        string  // of suggestByResidency
	warm        bool    // the log has been brought into memory
	least, most float64 // part of the messages that the slave may serve
	coldMiB     int64   // that the master may read from its disk
}

// drainPart drains the log with a new group, says who served it, and holds that against what it is to be.
func (p *pair) drainPart(part farPart) (line string, err error) {
	if part.warm {
		if err := bringIn(p.master.at.logDir()); err != nil {
			return "", err
		}
	}
	for _, n := range []*node{p.master, p.slave} {
		if err := n.change("suggestByResidency=" + part.mode); err != nil {
			return "", err
		}
	}
	before, err := p.master.figure("pullColdReadBytes")
	if err != nil {
		return "", err
	}
	d, err := p.drainFar("Far-" + part.mode + "-" + strconv.FormatBool(part.warm))
	if err != nil {
		return "", err
	}
	after, err := p.master.figure("pullColdReadBytes")
	if err != nil {
		return "", err
	}
	kept := ""
	if part.warm {
		// Others on the machine have a say in what is kept. From what is not kept on, the slave serves a group up to the newest records.
		behind, err := behindAbsent(p.master.at.logDir())
		if err != nil {
			return "", err
		}
		part.most = min(1, part.most+float64(behind)/slowLog)
		kept = fmt.Sprintf(" with all but the last %d MiB of the log in the master's page cache", behind>>20)
	}
	cold := (after - before) >> 20
	line = fmt.Sprintf("%s%s: %s, the master read %d MiB from its disk, queue 0 was served by %s", part.mode, kept, d, cold, d.runs(0))
	if share := d.bySlave(); share < part.least || share > part.most || cold > part.coldMiB {
		return line, fmt.Errorf("with suggestByResidency=%s the slave was to serve %g to %g of the messages, and the master to read %d MiB at most", part.mode, part.least, part.most, part.coldMiB)
	}
	return line, nil
}

// bound gives each broker a control group of its own with so much memory, and segments for a log that is large beside it.
func (p *pair) bound(bytes int64) error {
	for _, n := range []*node{p.master, p.slave} {
		m, err := rig.NewMemory(fmt.Sprintf("ringmq-%s-%d", n.name, os.Getpid()), bytes)
		if err != nil {
			return skipped(fmt.Sprintf("no control group can be made: %v", err))
		}
		n.memory = m
		n.set("mappedFileSizeCommitLog", strconv.Itoa(16<<20))
	}
	return nil
}

// fillLog starts both brokers and has them store the messages.
func (p *pair) fillLog() error {
	for _, n := range []*node{p.master, p.slave} {
		if err := n.start(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c, err := rig.Dial(ctx, p.master.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	if err := rig.CreateTopic(ctx, c, slowTopic, slowQueues); err != nil {
		return err
	}
	const lanes = 4 // of a queue
	errs := make([]error, slowQueues*lanes)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			c, err := rig.Dial(ctx, p.master.addr())
			if err != nil {
				errs[i] = err
				return
			}
			defer c.Close()
			body := slices.Repeat([]byte{byte('a' + i)}, slowBody)
			for n := 0; n < slowMessages/lanes && ctx.Err() == nil; {
				switch _, _, err := rig.Send(ctx, c, "FarProducer", slowTopic, i%slowQueues, body); {
				case err == nil:
					n++
				case ctx.Err() != nil:
					errs[i] = err
				default:
					if _, answered := rig.Refused(err); !answered {
						errs[i] = err
						return
					}
					n++ // stored, but not on both: the slave has only just come
				}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// answer is what a drained queue was told once.
type answer struct {
	by       int64 // the broker that was asked: 0 the master, 1 the slave
	messages int
	next     int64
	suggest  int64
}

// drained is what a group was told, by queue and in order.
type drained [slowQueues][]answer

// bySlave is the part of the messages that the slave served.
func (d drained) bySlave() float64 {
	messages, slave := d.served()
	return float64(slave) / float64(messages)
}

func (d drained) served() (messages, slave int) {
	for _, all := range d {
		for _, a := range all {
			messages += a.messages
			slave += a.messages * int(a.by)
		}
	}
	return messages, slave
}

func (d drained) String() string {
	messages, slave := d.served()
	return fmt.Sprintf("the slave served %d of %d messages", slave, messages)
}

// runs says who served a queue, and how many messages in how many answers at a time.
func (d drained) runs(queue int) string {
	var turns []string
	for all := d[queue]; len(all) > 0; {
		n, messages := 0, 0
		for ; n < len(all) && all[n].by == all[0].by; n++ {
			messages += all[n].messages
		}
		turns = append(turns, fmt.Sprintf("%s %d in %d", [2]string{"master", "slave"}[all[0].by], messages, n))
		all = all[n:]
	}
	const shown = 6
	if len(turns) > shown {
		turns = append(turns[:shown], fmt.Sprintf("and %d more turns", len(turns)-shown))
	}
	return strings.Join(turns, ", ")
}

// drainFar reads all of the topic with a new group, a queue at a time for each goroutine, asking the broker that the last answer named.
func (p *pair) drainFar(group string) (d drained, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := p.introduce(ctx, group); err != nil {
		return d, err
	}
	var all sync.WaitGroup
	errs := make([]error, slowQueues)
	for q := range slowQueues {
		all.Go(func() { d[q], errs[q] = p.drainQueue(ctx, group, q) })
	}
	all.Wait()
	return d, errors.Join(errs...)
}

// introduce has both brokers know a group: the master makes it when it pulls first, the slave copies the table some seconds later, and refuses it until
// then.
func (p *pair) introduce(ctx context.Context, group string) error {
	for _, n := range []*node{p.master, p.slave} {
		c, err := rig.Dial(ctx, n.addr())
		if err != nil {
			return err
		}
		defer c.Close()
		for {
			_, err := rig.Pull(ctx, c, rig.PullRequest{Group: group, Topic: slowTopic})
			if err == nil {
				break
			}
			if _, answered := rig.Refused(err); !answered {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return nil
}

func (p *pair) drainQueue(ctx context.Context, group string, queue int) (all []answer, err error) {
	nodes := [2]*node{p.master, p.slave}
	var conns [2]*netpoll.Client
	for i, n := range nodes {
		if conns[i], err = rig.Dial(ctx, n.addr()); err != nil {
			return nil, err
		}
		defer conns[i].Close()
	}
	for from, ask := int64(0), int64(0); from < slowMessages; {
		r, err := rig.Pull(ctx, conns[ask], rig.PullRequest{Group: group, Topic: slowTopic, Queue: queue, From: from})
		if err != nil {
			if _, answered := rig.Refused(err); !answered {
				return nil, err
			}
			ask = 0 // as clients do: the slave does not know the group yet
			continue
		}
		if r.Suggest < 0 || r.Suggest > 1 {
			return nil, fmt.Errorf("%s names broker %d", nodes[ask].name, r.Suggest)
		}
		all = append(all, answer{ask, len(r.Messages), r.Next, r.Suggest})
		from, ask = r.Next, r.Suggest
	}
	return all, nil
}

// change sets lines of the broker's configuration while it runs.
func (n *node) change(lines string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, n.addr())
	if err != nil {
		return err
	}
	defer c.Close()
	req := remoting.NewRequest(remoting.CodeUpdateBrokerConfig)
	req.Body = []byte(lines)
	_, err = rig.Expect(c.Call(ctx, req))
	return err
}

// figure is one of the broker's runtime figures.
func (n *node) figure(name string) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, n.addr())
	if err != nil {
		return 0, err
	}
	defer c.Close()
	resp, err := rig.Expect(rig.Call(ctx, c, remoting.CodeGetBrokerRuntimeInfo, nil))
	if err != nil {
		return 0, err
	}
	var table remoting.KVTable
	if err := remoting.Unmarshal(resp.Body, &table); err != nil {
		return 0, err
	}
	return strconv.ParseInt(table.Table[name], 10, 64)
}
