package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/store/record"
)

// Ports of the brokers' metrics, from the pair's base on.
const (
	masterMetricsPort = 46
	slaveMetricsPort  = 47
)

// rot: a byte of a message turns over on the slave's disk while it is down, and then on the master's. ringmq dump names the place. Whoever pulls
// the message never gets other bytes than were sent, and gets those once the other side has sent them: the file is mended, both logs are
// the same bytes again, dump finds nothing wrong, and the metric has counted it.
func rot(p *pair) (string, error) {
	p.master.set("adminHttpAddress", loopback(p.base+masterMetricsPort))
	p.slave.set("adminHttpAddress", loopback(p.base+slaveMetricsPort))
	defer p.rest()
	if err := p.filled(4); err != nil { // a start looks at the end of a log by itself
		return "", err
	}
	var text []string
	for i, n := range []*node{p.slave, p.master} {
		line, err := p.rotAt(n, i, p.base+[]int{slaveMetricsPort, masterMetricsPort}[i])
		if err != nil {
			return strings.Join(text, "; "), fmt.Errorf("at the %s: %w", n.name, err)
		}
		text = append(text, n.name+": "+line)
	}
	return strings.Join(text, "; "), nil
}

// rotAt does it to a message of a queue in the first segment of one broker.
func (p *pair) rotAt(n *node, queue, metrics int) (string, error) {
	q := n.at.view.queues[queue]
	const nth = 3
	if q == nil || len(q.logs) <= nth || q.logs[nth] >= p.segment {
		return "", fmt.Errorf("queue %d has no message %d in the first segment", queue, nth)
	}
	at, offset, seq := q.logs[nth], q.first+nth, q.seqs[nth]
	if err := n.proc.end(); err != nil {
		return "", err
	}
	if out, err := p.wrong(n); err != nil || out != "" {
		return "", fmt.Errorf("dump of a log that nothing happened to: %w: %s", err, out)
	}
	if err := turnBit(segmentFile(n.at.logDir(), 0), at); err != nil {
		return "", err
	}
	shown, err := p.wrong(n)
	if err == nil || strings.Count(shown, "WRONG") != 1 || !strings.Contains(shown, strconv.FormatInt(at, 10)) {
		return "", fmt.Errorf("dump does not tell that the message at %d is damaged, and of nothing else: %w: %s", at, err, shown)
	}
	if err := n.start(); err != nil {
		return "", err
	}
	if gaps, healed, err := gapsOf(metrics); err != nil || gaps != 0 || healed != 0 {
		return "", fmt.Errorf("before anybody has read it: %g gaps, %g healed, %w", gaps, healed, err)
	}
	took, err := p.readsAgain(n, queue, offset, seq)
	if err != nil {
		return "", err
	}
	if gaps, healed, err := gapsOf(metrics); err != nil || gaps != 0 || healed < 1 {
		return "", fmt.Errorf("ringmq_log_gaps is %g, ringmq_log_gaps_healed_total is %g: %w", gaps, healed, err)
	}
	for _, side := range []*node{p.master, p.slave} {
		side.at.view.forget()
	}
	p.compared = 0
	if err := p.check(); err != nil {
		return "", fmt.Errorf("healed: %w", err)
	}
	if err := n.proc.end(); err != nil {
		return "", err
	}
	if out, err := p.wrong(n); err != nil || out != "" {
		return "", fmt.Errorf("dump of the healed log: %w: %s", err, out)
	}
	if err := n.start(); err != nil {
		return "", err
	}
	return fmt.Sprintf("dump named %d, healed and read %.1f s after the first pull", at, took.Seconds()), nil
}

// wrong is what ringmq dump finds wrong with a stopped broker's log; an error when it finds something.
func (p *pair) wrong(n *node) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.bin, "dump", "commitlog", "--wrong", n.at.dir).CombinedOutput()
	return string(out), err
}

// turnBit changes one bit in the middle of the body of the record that lies at an offset of a file.
func turnBit(name string, at int64) error {
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var r record.Record
	if err := r.Parse(b[at:]); err != nil {
		return err
	}
	place := int64(bytes.Index(b[at:], r.Body)) + at + int64(len(r.Body)/2)
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte{b[place] ^ 1}, place)
	return errors.Join(err, f.Sync(), f.Close())
}

// readsAgain pulls a damaged message from a broker until it comes, and returns how long that took from the first answer on.
func (p *pair) readsAgain(n *node, queue int, offset, seq int64) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*p.patience())
	defer cancel()
	var c *netpoll.Client
	if c, err = rig.Dial(ctx, n.addr()); err != nil {
		return 0, err
	}
	defer c.Close()
	var first time.Time
	last := ""
	for ; ; time.Sleep(20 * time.Millisecond) {
		got, err := rig.Pull(ctx, c, rig.PullRequest{Group: readerGroup, Topic: topic, Queue: queue, From: offset})
		if _, answered := rig.Refused(err); err != nil && !answered { // other bytes, too
			return 0, fmt.Errorf("%w; before: %s", err, last)
		}
		if err != nil { // a slave that has only just started does not know the group
			last = err.Error()
			continue
		}
		if first.IsZero() {
			first = time.Now()
		}
		last = fmt.Sprintf("code %d, %d messages, next %d", got.Code, len(got.Messages), got.Next)
		if len(got.Messages) == 0 || got.Messages[0].Offset != offset {
			continue
		}
		if number, err := p.history.number(queue, got.Messages[0].Body); err != nil || number != seq {
			return 0, fmt.Errorf("message %d where %d was: %w", number, seq, err)
		}
		return time.Since(first), nil
	}
}

// gapsOf reads how many places of its log a broker knows to be lost, and how many it has got back.
func gapsOf(port int) (gaps, healed float64, err error) {
	list, err := scraped(port, "ringmq_log_gaps", "ringmq_log_gaps_healed_total")
	if err != nil {
		return 0, 0, err
	}
	return list[0], list[1], nil
}

// scraped reads metrics of a broker, each of which has one series.
func scraped(port int, names ...string) (list []float64, err error) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get("http://" + loopback(port) + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		_, line, found := strings.Cut("\n"+string(text), "\n"+name+"{")
		if !found {
			return nil, fmt.Errorf("no metric %s", name)
		}
		line, _, _ = strings.Cut(line, "\n")
		fields := strings.Fields(line)
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
