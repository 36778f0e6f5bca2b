package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// bars measures what a pair must reach, beside stock and beside ours without a slave, in turns on this machine.
type bars struct {
	*stage
	copier  string // our binary, built so that replicated bytes come by in user space; "": not compared
	rounds  int
	seconds int
	gib     int // that an empty slave catches up with
	rows    []barRow
}

type barRow struct {
	what, figures string
	ratio         float64
	bar           string
	met           bool
}

func (b *bars) add(what, figures string, ratio float64, bar string, met bool) {
	b.rows = append(b.rows, barRow{what, figures, ratio, bar, met})
	fmt.Fprintf(os.Stderr, "bars: %s: %s, %.2f (%s)\n", what, figures, ratio, bar)
}

// print writes the table as Markdown and says whether every bar was met.
func (b *bars) print() bool {
	fmt.Printf("| what | measured | ratio | bar | |\n| --- | --- | --- | --- | --- |\n")
	all := true
	for _, r := range b.rows {
		verdict := "met"
		if !r.met {
			verdict, all = "**missed**", false
		}
		fmt.Printf("| %s | %s | %.2f | %s | %s |\n", r.what, r.figures, r.ratio, r.bar, verdict)
	}
	return all
}

const (
	barSegment = 1 << 30
	gib        = 1 << 30
)

// barPair is a pair without faults: plain folders, segments as in production, its own fifty ports.
func (b *bars) barPair(place int, maker, bin string) (*pair, error) {
	s := *b.stage
	s.base, s.disks, s.segment, s.bin, s.scenes = b.base+place*50, false, barSegment, bin, place
	if bin != b.bin {
		s.scenes += 10
	}
	return s.newPair("bars", maker, maker)
}

// throughput: four connections with 64 requests each, 1 KiB: the pair under SYNC_MASTER and SYNC_FLUSH with two copies, ours without a slave,
// and stock's pair.
func (b *bars) throughput() (err error) {
	mine, err := b.barPair(0, ours, b.bin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mine.end()) }()
	theirs, err := b.barPair(1, stock, b.bin)
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
	if err := single.start(); err != nil {
		return err
	}
	defer single.proc.kill()
	for _, p := range []*pair{mine, theirs} {
		if err := p.start(); err != nil {
			return err
		}
	}
	if _, err := b.produce(theirs.master.addr(), "--topic", "Bars", "--warm-up", "0s", "--duration", fmt.Sprintf("%ds", 2*b.seconds)); err != nil {
		return err
	}
	var rates [3][]float64
	failed := map[string]int64{}
	for range b.rounds {
		for i, n := range []*node{mine.master, single, theirs.master} {
			m, err := b.produce(n.addr(), "--topic", "Bars", "--connections", "4", "--window", "64", "--size", "1024", "--duration", fmt.Sprintf("%ds", b.seconds))
			if err != nil {
				return err
			}
			for code, count := range m.Errors {
				failed[n.maker+" "+n.name+" "+code] += count
			}
			rates[i] = append(rates[i], m.PerSecond)
		}
	}
	pairRate, one, other := median(rates[0]), median(rates[1]), median(rates[2])
	note := ""
	if len(failed) > 0 {
		note = fmt.Sprintf("; other answers %v", failed)
	}
	b.add("sends of a pair, beside our single broker", fmt.Sprintf("%.0f/s and %.0f/s%s", pairRate, one, note), pairRate/one, ">= 0.7", pairRate >= 0.7*one)
	b.add("sends of a pair, beside a stock pair", fmt.Sprintf("%.0f/s and %.0f/s", pairRate, other), pairRate/other, ">= 5", pairRate >= 5*other)
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
		b.add("CPU of the master per GiB sent, beside a copy through user space", fmt.Sprintf("%.3f s and %.3f s", mine, copied), mine/copied, "<= 0.5", mine <= 0.5*copied)
	}
	theirs, err := b.cpuPerGiB(1, stock, b.bin)
	if err != nil {
		return err
	}
	b.add("CPU of the master per GiB sent, beside stock", fmt.Sprintf("%.3f s and %.3f s", mine, theirs), mine/theirs, "<= 0.2", mine <= 0.2*theirs)
	return nil
}

// cpuPerGiB lets empty slaves catch up, one per round, with less than one segment: a stock master gives an empty slave only its last.
func (b *bars) cpuPerGiB(place int, maker, bin string) (seconds float64, err error) {
	p, err := b.barPair(place, maker, bin)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	p.master.set("brokerRole", "ASYNC_MASTER")
	p.master.set("flushDiskType", "ASYNC_FLUSH")
	p.slave.set("flushDiskType", "ASYNC_FLUSH")
	if err := p.master.start(); err != nil {
		return 0, err
	}
	if err := p.master.fill(barSegment * 3 / 4); err != nil {
		return 0, err
	}
	size, err := p.master.logEnd()
	if err != nil {
		return 0, err
	}
	var list []float64
	for range b.rounds {
		time.Sleep(2 * time.Second) // what the fill left to do
		before, err := p.master.proc.cpu()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		if err := p.slave.start(); err != nil {
			return 0, err
		}
		if err := p.slave.reach(size, 3*time.Minute); err != nil {
			return 0, err
		}
		took := time.Since(began)
		after, err := p.master.proc.cpu()
		if err != nil {
			return 0, err
		}
		// What it takes to do nothing counts for as long as that took.
		time.Sleep(2 * time.Second)
		idle, err := p.master.proc.cpu()
		if err != nil {
			return 0, err
		}
		net := (after - before).Seconds() - (idle-after).Seconds()/2*took.Seconds()
		list = append(list, max(net, 0)/(float64(size)/gib))
		p.slave.proc.kill()
		if err := p.slave.at.empty(); err != nil {
			return 0, err
		}
	}
	return median(list), nil
}

// filled is a pair of ours whose master runs, waits for no slave, and has a log of so many bytes. The caller ends it.
func (b *bars) filled(bytes int64) (*pair, error) {
	p, err := b.barPair(0, ours, b.bin)
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

// openLoop sends at the rate that the bars beside a slave have, for so long or until ctx is over.
func (b *bars) openLoop(ctx context.Context, p *pair, seconds float64) (measured, error) {
	return b.produceWhile(ctx, p.master.addr(), "--topic", "Bars", "--rate", strconv.Itoa(b.rate), "--warm-up", "500ms", "--duration", fmt.Sprintf("%.1fs", seconds))
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
	fast, p99, base := median(speed), median(busy), median(calm)
	b.add(fmt.Sprintf("an empty slave catches up with %.1f GiB, beside 1 GiB/s or its disk (%.2f GiB/s)", float64(size)/gib, disk),
		fmt.Sprintf("%.2f GiB/s under load, %.2f without", fast, float64(size)/gib/alone.Seconds()), fast/goal, ">= 1", fast >= goal)
	b.add(fmt.Sprintf("p99 of %d sends/s meanwhile, beside with the slave in step", b.rate), fmt.Sprintf("%.2f ms and %.2f ms", p99, base), p99/base, "<= 1.3", p99 <= 1.3*base)
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

// main measures, prints, and ends the program with 1 when a bar was missed.
func (b *bars) main(parts string) {
	err := b.run(parts)
	met := b.print()
	_ = os.RemoveAll(b.work)
	if err != nil {
		fatal(err)
	}
	if !met {
		os.Exit(1)
	}
}
