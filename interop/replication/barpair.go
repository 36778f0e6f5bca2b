package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
)

const (
	barSegment = 1 << 30 // as it comes
	gib        = 1 << 30
	barHeap    = "4g" // what versus.sh gives the stock broker
	jvmWarm    = 20   // seconds of sends before a stock broker counts, as there
)

// barPair is a pair that is set up alike whoever made it, on its own fifty ports: nothing between slave and master, plain folders, files, timeouts
// and heartbeats as they come, and one disk engine for all of ours.
func (b *bars) barPair(place int, maker, bin string) (*pair, error) {
	s := *b.stage
	s.base, s.bin, s.scenes = b.base+place*50, bin, place
	p, err := s.plainPair("bars", maker, maker)
	if err != nil {
		return nil, err
	}
	for _, n := range []*node{p.master, p.slave} {
		b.sameEngine(n)
	}
	return p, nil
}

// running is such a pair with its name server. The caller ends it.
func (b *bars) running(place int, maker, bin string) (*pair, error) {
	p, err := b.barPair(place, maker, bin)
	if err != nil {
		return nil, err
	}
	if err := p.names(); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// sameEngine gives a broker of ours the engine that all have.
func (b *bars) sameEngine(n *node) {
	if n.maker == ours {
		n.set("diskEngine", b.engine)
	}
}

// chooseEngine takes the engine that a broker takes when it comes to this disk: a probe for each store would not always find the same one.
func (b *bars) chooseEngine() (err error) {
	if b.engine != "" {
		return nil
	}
	at, err := b.newPlace("first")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, at.discard()) }()
	n := b.broker("first", ours, "broker-f", 0, b.base+masterPort, at)
	n.set("brokerRole", "ASYNC_MASTER")
	n.set("flushDiskType", "SYNC_FLUSH")
	if err := n.start(); err != nil {
		return err
	}
	defer n.proc.kill()
	table, err := n.runtime(map[string]string{"diskEngine": "true"})
	if err != nil {
		return err
	}
	if b.engine = table["diskEngine"]; b.engine == "" {
		return errors.New("the broker does not say which disk engine it has taken")
	}
	fmt.Fprintf(os.Stderr, "bars: disk engine %s (%s)\n", b.engine, table["diskEngineReason"])
	return nil
}

// filled is a pair of ours whose master runs, waits for no slave, and has a log of so many bytes. The caller ends it.
func (b *bars) filled(bytes int64) (*pair, error) {
	p, err := b.running(0, ours, b.bin)
	if err != nil {
		return nil, err
	}
	p.master.set("inSyncReplicas", "1")
	if err = p.master.start(); err == nil {
		err = p.master.fill(bytes)
	}
	if err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// load sends to a broker. One that ends meanwhile is told with what it said last.
func (b *bars) load(ctx context.Context, n *node, flags ...string) (measured, error) {
	m, err := b.produceWhile(ctx, n.addr(), append([]string{"--topic", "Bars"}, flags...)...)
	if n.proc.ended() {
		err = errors.Join(err, fmt.Errorf("the %s %s has ended (%s): %s", n.maker, n.name, n.proc.cmd.ProcessState, lastLine(n.proc.log)))
	}
	return m, err
}

// openLoop sends at the rate that the bars beside a slave have, for so long or until ctx is over.
func (b *bars) openLoop(ctx context.Context, p *pair, seconds float64) (measured, error) {
	return b.load(ctx, p.master, "--rate", strconv.Itoa(b.rate), "--warm-up", "500ms", "--duration", fmt.Sprintf("%.1fs", seconds))
}
