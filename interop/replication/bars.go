package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// bars measures what a pair must reach, beside stock and beside ours without a slave, in turns on this machine.
type bars struct {
	*stage
	copier  string // our binary, built so that replicated bytes come by in user space; "": not compared
	rounds  int
	seconds int
	gib     int    // that an empty slave catches up with
	engine  string // that writes the log of every broker of ours; "": what the first start takes
	found   map[string]finding
}

func (b *bars) flags() {
	flag.StringVar(&b.copier, "copier", "", "with -bars: our binary, built to copy what it replicates through user space")
	flag.IntVar(&b.rounds, "rounds", 3, "with -bars: how often everything is measured")
	flag.IntVar(&b.seconds, "seconds", 10, "with -bars: how long a load lasts")
	flag.IntVar(&b.gib, "gib", 8, "with -bars: GiB that an empty slave catches up with")
	flag.StringVar(&b.engine, "engine", "", "with -bars: disk engine of all brokers of ours; the one that a first start takes unless it is given")
}

// throughput: four connections with 64 requests each, 1 KiB: the pair under SYNC_MASTER and SYNC_FLUSH with two copies, ours without a slave,
// and stock's pair.
func (b *bars) throughput() (err error) {
	mine, err := b.running(0, ours, b.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mine.end()) }()
	theirs, err := b.running(1, stock, b.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, theirs.end()) }()
	at, err := mine.newPlace("single")
	if err != nil {
		return err
	}
	single := mine.broker("single", ours, "broker-s", 0, mine.base+otherPort, at)
	single.set("brokerRole", "ASYNC_MASTER")
	single.set("flushDiskType", "SYNC_FLUSH")
	b.sameEngine(single)
	if err := single.start(); err != nil {
		return err
	}
	defer func() {
		single.proc.kill()
		err = errors.Join(err, at.discard())
	}()
	for _, p := range []*pair{mine, theirs} {
		if err := p.start(); err != nil {
			return err
		}
	}
	if _, err := b.load(context.Background(), theirs.master, "--warm-up", "0s", "--duration", fmt.Sprintf("%ds", jvmWarm)); err != nil {
		return err
	}
	var rates [3][]float64
	failed := [3]map[string]int64{{}, {}, {}}
	for range b.rounds {
		for i, n := range []*node{mine.master, single, theirs.master} {
			m, err := b.load(context.Background(), n, "--connections", "4", "--window", "64", "--size", "1024", "--duration", fmt.Sprintf("%ds", b.seconds))
			if err != nil {
				return err
			}
			for code, count := range m.Errors {
				failed[i][code] += count
			}
			rates[i] = append(rates[i], m.PerSecond)
		}
	}
	note := ""
	for i, who := range []string{"pair", "single broker", "stock pair"} {
		if len(failed[i]) > 0 {
			note += fmt.Sprintf("; not answered 0 by the %s: %v", who, failed[i])
		}
	}
	b.add(besideSingle, beside(rates[0], rates[1], "%.0f/s"), median(rates[0])/median(rates[1]))
	b.add(besideStock, beside(rates[0], rates[2], "%.0f/s")+note, median(rates[0])/median(rates[2]))
	return nil
}

// shipping: the processor time that a master takes per GiB that it sends to an empty slave, while nothing else is going on.
func (b *bars) shipping() error {
	mine, err := b.cpuPerGiB(0, ours, b.bin)
	if err != nil {
		return err
	}
	if b.copier != "" {
		copied, err := b.cpuPerGiB(0, ours, b.copier)
		if err != nil {
			return err
		}
		b.add(besideCopier, beside(mine, copied, "%.3f s"), median(mine)/median(copied))
	}
	theirs, err := b.cpuPerGiB(1, stock, b.bin)
	if err != nil {
		return err
	}
	b.add(besideStockCPU, beside(mine, theirs, "%.3f s"), median(mine)/median(theirs))
	return nil
}

// cpuPerGiB lets empty slaves catch up, one per round, with less than one segment: a stock master gives an empty slave only its last.
func (b *bars) cpuPerGiB(place int, maker, bin string) (list []float64, err error) {
	p, err := b.running(place, maker, bin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	p.master.set("brokerRole", "ASYNC_MASTER")
	p.master.set("flushDiskType", "ASYNC_FLUSH")
	p.slave.set("flushDiskType", "ASYNC_FLUSH")
	if err := p.master.start(); err != nil {
		return nil, err
	}
	if err := p.master.fill(barSegment * 3 / 4); err != nil {
		return nil, err
	}
	size, err := p.master.logEnd()
	if err != nil {
		return nil, err
	}
	for range b.rounds {
		time.Sleep(idleTime) // what the fill or the slave before left to do
		first, err := p.master.idle()
		if err != nil {
			return nil, err
		}
		before, err := p.master.proc.cpu()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := p.slave.start(); err != nil {
			return nil, err
		}
		if err := p.slave.reach(size, 3*time.Minute); err != nil {
			return nil, err
		}
		took := time.Since(began)
		after, err := p.master.proc.cpu()
		if err != nil {
			return nil, err
		}
		last, err := p.master.idle()
		if err != nil {
			return nil, err
		}
		// What it takes to do nothing counts for as long as that took.
		net := (after - before).Seconds() - (first+last)/2*took.Seconds()
		list = append(list, net/(float64(size)/gib))
		p.slave.proc.kill()
		if err := p.slave.at.empty(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

const idleTime = 5 * time.Second

// idle is how many processors a broker takes to do nothing.
func (n *node) idle() (float64, error) {
	before, err := n.proc.cpu()
	if err != nil {
		return 0, err
	}
	time.Sleep(idleTime)
	after, err := n.proc.cpu()
	return (after - before).Seconds() / idleTime.Seconds(), err
}

// catchUp: an empty slave gets a long log; what senders wait meanwhile is held against what they wait before and after.
func (b *bars) catchUp() (err error) {
	p, err := b.filled(int64(b.gib) * gib)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	disk, err := diskSpeed(filepath.Dir(p.slave.at.dir))
	if err != nil {
		return err
	}
	// Once alone, which also tells for how long there will be something to measure.
	alone, size, err := p.catchOnce()
	if err != nil {
		return err
	}
	during := max(alone.Seconds(), 2)
	var calm, busy, speed []float64
	for range b.rounds {
		m, err := b.openLoop(context.Background(), p, during)
		if err != nil {
			return err
		}
		calm = append(calm, m.Latency.P99)
		p.slave.proc.kill()
		if err := p.slave.at.empty(); err != nil {
			return err
		}
		type caught struct {
			took time.Duration
			size int64
			err  error
		}
		done := make(chan caught, 1)
		ctx, arrived := context.WithCancel(context.Background())
		go func() {
			took, n, err := p.catchOnce()
			done <- caught{took, n, err}
			arrived()
		}()
		m, err = b.openLoop(ctx, p, catchUpLimit.Seconds())
		c := <-done
		if err := errors.Join(err, c.err); err != nil {
			return err
		}
		busy = append(busy, m.Latency.P99)
		speed = append(speed, float64(c.size)/gib/c.took.Seconds())
	}
	goal := min(1, disk)
	b.add(catchUpSpeed, fmt.Sprintf("%s beside %d sends/s, %.2f GiB/s without; %.1f GiB; the disk takes %.2f GiB/s", spread(speed, "%.2f GiB/s"), b.rate,
		float64(size)/gib/alone.Seconds(), float64(size)/gib, disk), median(speed)/goal)
	b.add(catchUpWait, beside(busy, calm, "%.2f ms")+fmt.Sprintf(", %d sends/s", b.rate), median(busy)/median(calm))
	return nil
}

// catchUpLimit is how long a slave may take to get it all.
const catchUpLimit = 10 * time.Minute

// catchOnce starts the slave and waits until it has what the master had at that time.
func (p *pair) catchOnce() (time.Duration, int64, error) {
	size, err := p.master.logEnd()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := p.slave.start(); err != nil {
		return 0, 0, err
	}
	err = p.slave.reach(size, catchUpLimit)
	return time.Since(began), size, err
}

// diskSpeed is how many GiB a second can be written to the disk that a folder is on, past the page cache where it can be.
func diskSpeed(folder string) (float64, error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return 0, err
	}
	probe := filepath.Join(folder, "probe")
	defer os.Remove(probe)
	began := time.Now()
	out, err := exec.Command("dd", "if=/dev/zero", "of="+probe, "bs=1M", "count=2048", "oflag=direct", "conv=fsync").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("dd: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return 2 / time.Since(began).Seconds(), nil
}

// run measures everything. The parts are throughput, cpu, catchup and deaf.
func (b *bars) run(parts string) error {
	b.found = map[string]finding{}
	b.disks, b.segment, b.heap = false, barSegment, barHeap
	if err := b.chooseEngine(); err != nil {
		return fmt.Errorf("disk engine: %w", err)
	}
	for _, part := range []struct {
		name string
		run  func() error
	}{{"throughput", b.throughput}, {"cpu", b.shipping}, {"catchup", b.catchUp},
		{"deaf", b.deaf}} {
		if strings.Contains(parts, part.name) {
			if err := part.run(); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}

// main measures, prints a table when all of it could be measured, and ends the program with 1 when a bar was missed. notes is the file that says what
// is behind a missed bar.
func (b *bars) main(parts, notes string, keep bool) {
	text, err := os.ReadFile(notes)
	if err == nil {
		err = b.run(parts)
	}
	if err == nil || !keep {
		_ = os.RemoveAll(b.work)
	}
	if err != nil {
		fatal(err)
	}
	table, missed := barTable(b.found, b.rounds, func(name string) string { return firstParagraph(string(text), name) })
	fmt.Printf("%s\nEvery broker of ours wrote its log with the engine %s.\n", table, b.engine)
	if missed {
		os.Exit(1)
	}
}
