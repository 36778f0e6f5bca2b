package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// scene is one thing that a pair must do. What it returns besides an error goes into its line.
type scene struct {
	name   string
	run    func(*pair) (string, error)
	ours   bool // only a pair of ours does that
	once   bool // with ours before a stock slave; it plays the other ways round itself
	behind bool // only a slave of ours behind a stock master does that
	memory bool // it depends on what the kernel keeps in memory, which others on the machine have a say in
}

// suits says whether a scene is played with a kind of pair.
func (s scene) suits(master, slave string) bool {
	switch {
	case s.ours:
		return master == ours && slave == ours
	case s.once:
		return master == ours && slave == stock
	case s.behind:
		return master == stock && slave == ours
	}
	return true
}

// skipped is why a scene cannot be played here.
type skipped string

func (s skipped) Error() string { return string(s) }

var scenes = []scene{
	{name: "rolls", run: rolls},
	{name: "without-slave", run: withoutSlave},
	{name: "late-slave", run: lateSlave},
	{name: "master-down", run: masterDown},
	{name: "restarts", run: restarts},
	{name: "metadata", run: metadata},
	{name: "parted", run: partedWays, ours: true},
	{name: "too-few", run: tooFew, ours: true},
	{name: "rot", run: rot, ours: true},
	{name: "pipelined", run: pipelined, ours: true},
	{name: "which-broker", run: whichBroker, ours: true, memory: true},
	{name: "stock-master-back", run: stockMasterBack, behind: true},
	{name: "estimate", run: estimate, once: true},
	{name: "notices-loss", run: noticesLoss},
}

// rolls: a pair at work until its log has gone on to a new segment more than three times. Both logs are the same bytes.
func rolls(p *pair) (string, error) {
	if err := p.start(); err != nil {
		return "", err
	}
	p.run()
	defer p.rest()
	if err := p.grow(4); err != nil {
		return "", err
	}
	if err := p.check(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes of log, %d segments, %s", p.master.at.view.pos, p.master.at.view.pos/p.segment+1, p.history), nil
}

// filled starts the pair and loads it until the log has so many segments, and checks it at rest.
func (p *pair) filled(segments int64) error {
	if err := p.underLoad(); err != nil {
		return err
	}
	if err := p.grow(segments); err != nil {
		return err
	}
	p.rest()
	return p.check()
}

// grow waits until the master's log has got so many segments longer.
func (p *pair) grow(segments int64) error {
	v := p.master.at.view
	goal := v.pos + segments*p.segment
	for end := time.Now().Add(3 * p.patience()); v.pos < goal; time.Sleep(100 * time.Millisecond) {
		if err := v.walk(p.history); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("the log has only got to %d of %d (%s)", v.pos, goal, p.history)
		}
	}
	return nil
}

// withoutSlave: with the link gone nothing is acknowledged. When it comes back, both go on by themselves.
func withoutSlave(p *pair) (string, error) {
	if p.master.maker == ours {
		p.master.unset("inSyncReplicas") // SYNC_MASTER alone means two copies
	}
	defer p.rest()
	if err := p.underLoad(); err != nil {
		return "", err
	}
	p.link.set(linkState{muted: [2]bool{true, true}})
	const grace = 2 * time.Second // what the slave had acknowledged already, on a busy machine
	cut := time.Now().Add(grace)
	time.Sleep(6 * time.Second)
	last := p.history.lastPromise()
	if last.After(cut) {
		return "", fmt.Errorf("a send was acknowledged %s after the link went", last.Sub(cut)+grace)
	}
	p.link.set(linkState{})
	took, err := p.recovered()
	if err != nil {
		return "", err
	}
	if err := p.check(); err != nil {
		return "", err
	}
	return fmt.Sprintf("acknowledged again after %.1f s, %s", took.Seconds(), p.history), nil
}

// lateSlave: a master has been at work alone when its slave starts empty. Ours get the whole log, a stock master sends what is in its
// last segment.
func lateSlave(p *pair) (string, error) {
	p.master.set("inSyncReplicas", "1")
	if err := p.master.start(); err != nil {
		return "", err
	}
	if err := p.primeMaster(); err != nil {
		return "", err
	}
	p.run()
	defer p.rest()
	if err := p.grow(4); err != nil {
		return "", err
	}
	if err := p.slave.start(); err != nil {
		return "", err
	}
	if err := p.prime(); err != nil {
		return "", err
	}
	if err := p.check(); err != nil {
		return "", err
	}
	return fmt.Sprintf("the slave's log begins at %d of %d, %s", p.slave.at.view.start, p.slave.at.view.pos, p.history), nil
}

// masterDown: consumers go to the slave while the master is away, and come back.
func masterDown(p *pair) (string, error) {
	if err := p.start(); err != nil {
		return "", err
	}
	p.run()
	defer p.rest()
	if err := p.grow(1); err != nil {
		return "", err
	}
	p.rest()
	if err := p.check(); err != nil {
		return "", err
	}
	// A slave looks at its master's topics every three seconds, and has none to serve before.
	if err := p.slaveKnows(topic); err != nil {
		return "", err
	}
	// A group that has read nothing yet: all of it must come from the slave.
	p.reader = newReader(p.history, p.nsAddr(), p.reader.ours)
	p.master.proc.kill()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.reader.run(ctx)
	}()
	began := time.Now()
	err := p.allRead()
	cancel()
	<-done
	if err != nil {
		return "", fmt.Errorf("with the master away: %w", err)
	}
	took, bySlave, byMaster := time.Since(began), p.reader.servedBy(1), p.reader.servedBy(0)
	if byMaster > 0 || bySlave == 0 {
		return "", fmt.Errorf("%d messages served by the slave, %d by the master that is gone", bySlave, byMaster)
	}
	if err := p.master.start(); err != nil {
		return "", err
	}
	p.run()
	if _, err := p.recovered(); err != nil {
		return "", err
	}
	back := time.Now()
	for p.reader.servedBy(0) == 0 {
		if time.Since(back) > p.patience() {
			return "", errors.New("consumers do not return to the master")
		}
		time.Sleep(10 * time.Millisecond)
	}
	returned := time.Since(back)
	if err := p.check(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d messages from the slave in %.1f s, back at the master after %.1f s", bySlave, took.Seconds(), returned.Seconds()), nil
}

// allRead waits until the reader has all there is.
func (p *pair) allRead() error {
	ends := p.master.at.view.ends()
	for end := time.Now().Add(p.patience()); ; time.Sleep(10 * time.Millisecond) {
		behind := p.reader.behind(ends)
		if behind == "" {
			return p.reader.consumed(p.master.at.view, true)
		}
		if time.Now().After(end) {
			return errors.New(behind)
		}
	}
}

// restarts: both brokers are restarted in order, one after the other, under load. Nothing is lost of the progress that either knew.
func restarts(p *pair) (string, error) {
	defer p.rest()
	if err := p.underLoad(); err != nil {
		return "", err
	}
	if err := p.makeGroup(readerGroup); err != nil {
		return "", err
	}
	var down []time.Duration
	for range 2 {
		for _, n := range []*node{p.slave, p.master} {
			if err := p.goOn(); err != nil {
				return "", err
			}
			began := time.Now()
			if err := n.inOrder(); err != nil {
				return "", err
			}
			if err := p.progressHeld([2]leaves{}, began, true); err != nil {
				return "", err
			}
			if _, err := p.recovered(); err != nil {
				return "", err
			}
			down = append(down, time.Since(began).Round(100*time.Millisecond))
			if err := p.check(); err != nil {
				return "", fmt.Errorf("after the restart of the %s: %w", n.name, err)
			}
		}
	}
	return fmt.Sprintf("acknowledged again after %v, %s", down, p.history), nil
}

// noticesLoss: a pair that is told to promise what it cannot keep must be found out, or none of the other scenes shows anything.
func noticesLoss(p *pair) (string, error) {
	p.master.set("inSyncReplicas", "1")
	defer p.rest()
	if err := p.underLoad(); err != nil {
		return "", err
	}
	p.link.set(linkState{muted: [2]bool{true, true}})
	before := p.history.promised.Load()
	for end := time.Now().Add(p.patience()); p.history.promised.Load() < before+100; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			return "", fmt.Errorf("without a slave and without asking for one, no send is acknowledged (%s)", p.history)
		}
	}
	if err := killBoth(p); err != nil {
		return "", err
	}
	p.rest()
	v := p.slave.at.view
	if err := v.walk(p.history); err != nil {
		return "", err
	}
	err := v.promises(p.history)
	if err == nil {
		return "", errors.New("100 messages were acknowledged that the slave cannot have, and none is missed")
	}
	return err.Error(), nil
}
