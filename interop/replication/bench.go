package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll/local"
	"ringmq/netpoll/remoting"
)

// measured is what `ringmq bench produce` says of one run.
type measured struct {
	PerSecond float64
	Latency   struct{ P99 float64 } // ms
	Errors    map[string]int64
}

// stoppedCode is what the generator ends with when a signal has stopped it.
const stoppedCode = 130

// produce loads a broker with the project's own generator and returns its report.
func (s *stage) produce(addr string, flags ...string) (measured, error) {
	return s.produceWhile(context.Background(), addr, flags...)
}

// produceWhile is produce that is over when ctx is, if not before.
func (s *stage) produceWhile(ctx context.Context, addr string, flags ...string) (measured, error) {
	var m measured
	out := filepath.Join(s.work, "bench.json")
	cmd := exec.CommandContext(ctx, s.bin, append([]string{"bench", "produce", "-b", addr, "--json", out}, flags...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 30 * time.Second
	text, err := cmd.CombinedOutput()
	if stopped := ctx.Err() != nil && cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == stoppedCode; err != nil && !stopped {
		return m, fmt.Errorf("bench produce: %w: %s", err, text)
	}
	text, err = os.ReadFile(out)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// logEnd is how far a broker says its log reaches. A stock broker cannot say it in the first seconds.
func (n *node) logEnd() (end int64, err error) {
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(100 * time.Millisecond) {
		if end, err = n.askLogEnd(); err == nil {
			break
		}
	}
	return end, err
}

func (n *node) askLogEnd() (int64, error) {
	table, err := n.runtime(nil)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(table["commitLogMaxOffset"], 10, 64)
}

// runtime is what a broker says of itself.
func (n *node) runtime(fields map[string]string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, n.addr())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	resp, err := rig.Expect(rig.Call(ctx, c, remoting.CodeGetBrokerRuntimeInfo, fields))
	if err != nil {
		return nil, err
	}
	var info struct {
		Table map[string]string `json:"table"`
	}
	err = json.Unmarshal(resp.Body, &info)
	return info.Table, err
}

// reach waits until a broker's log has got to an offset.
func (n *node) reach(offset int64, limit time.Duration) error {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		have, err := n.askLogEnd()
		if err == nil && have >= offset {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the %s's log has got to %d of %d after %s: %v", n.name, have, offset, limit, err)
		}
	}
}

// fill writes to a broker until its log has at least so many bytes.
func (n *node) fill(bytes int64) error {
	const patience = time.Minute
	last, since := int64(-1), time.Now()
	for {
		have, err := n.logEnd()
		if err != nil || have >= bytes {
			return err
		}
		if have > last {
			last, since = have, time.Now()
		}
		// In small portions, so as not to write much more. A JVM that has just started may acknowledge nothing of one.
		_, err = n.stage.produce(n.addr(), "--topic", "Fill", "--size", "4096", "--connections", "4", "--window", "64", "--warm-up", "0s", "--duration", "500ms")
		if err != nil && time.Since(since) > patience {
			return fmt.Errorf("the log stays at %d of %d bytes: %w", have, bytes, err)
		}
	}
}

// cpu is the processor time a process has taken.
func (p *process) cpu() (time.Duration, error) {
	stat, err := local.Stat("/proc", p.pid())
	if err != nil {
		return 0, err
	}
	return local.CPU(stat), nil
}

// median of some figures: of an even number, the middle of the two in the middle.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}
