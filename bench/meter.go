package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// meter counts what one run's generators see. Each generator has a gauge of its own, which it alone writes; once a second the
// meter takes them over.
type meter struct {
	w      *Workload
	onTick func(Second) // nil: nobody watches

	mu     sync.Mutex
	gauges []*gauge

	total   *hdrhistogram.Histogram
	sum     tally
	errors  map[string]int64
	series  []Second
	began   time.Time // of the counted time
	broker0 Usage
	self0   Usage
}

// tally is what is added up.
type tally struct{ messages, requests, bytes, errors int64 }

func (t *tally) add(o tally) {
	t.messages += o.messages
	t.requests += o.requests
	t.bytes += o.bytes
	t.errors += o.errors
}

// gauge is one generator's part of a second.
type gauge struct {
	mu     sync.Mutex
	hist   *hdrhistogram.Histogram
	sum    tally
	errors map[string]int64
}

func newMeter(w *Workload, onTick func(Second)) *meter {
	return &meter{w: w, onTick: onTick, total: newHistogram(), errors: map[string]int64{}}
}

// gauge makes one more.
func (m *meter) gauge() *gauge {
	g := &gauge{hist: newHistogram(), errors: map[string]int64{}}
	m.mu.Lock()
	m.gauges = append(m.gauges, g)
	m.mu.Unlock()
	return g
}

// done counts a request that was answered with success.
func (g *gauge) done(latency time.Duration, messages, bytes int) {
	_ = g.hist.RecordValue(min(max(int64(latency), 1), slowest))
	g.sum.messages += int64(messages)
	g.sum.requests++
	g.sum.bytes += int64(bytes)
}

// failed counts one that was not.
func (g *gauge) failed(why string) {
	g.sum.errors++
	g.errors[why]++
}

// run keeps the time: warm-up, then a look every second, until the counted time or ctx has ended. Then it calls stop.
func (m *meter) run(ctx context.Context, stop func()) error {
	defer stop()
	if !wait(ctx, m.w.WarmUp) {
		return ctx.Err()
	}
	m.drain(nil, nil)
	var err error
	if m.w.PID != 0 {
		if m.broker0, err = usage(m.w.PID); err != nil {
			return err
		}
	}
	m.self0, _ = usage(os.Getpid())
	m.began = time.Now()
	last, lastAt := m.broker0, m.began
	for end := m.began.Add(m.w.Duration); ; {
		left := time.Until(end)
		if left <= 0 {
			return ctx.Err()
		}
		// A second that ctx cuts short is counted like the others.
		cut := !wait(ctx, min(left, time.Until(m.began.Add(time.Duration(len(m.series)+1)*time.Second))))
		hist, errors := newHistogram(), m.errors
		second := m.drain(hist, errors)
		m.sum.add(second)
		m.total.Merge(hist)
		s := Second{Messages: second.messages, Errors: second.errors, Latency: latencyOf(hist)}
		if m.w.PID != 0 {
			if now, err := usage(m.w.PID); err == nil {
				at := time.Now()
				s.BrokerCPU, s.BrokerBytes = (now.CPU-last.CPU).Seconds()/at.Sub(lastAt).Seconds(), now.ResidentBytes
				last, lastAt = now, at
			}
		}
		m.series = append(m.series, s)
		if m.onTick != nil {
			m.onTick(s)
		}
		if cut {
			return ctx.Err()
		}
	}
}

// wait waits; false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// drain takes what the gauges have counted since the last time.
func (m *meter) drain(hist *hdrhistogram.Histogram, errors map[string]int64) (sum tally) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range m.gauges {
		g.mu.Lock()
		if hist != nil {
			hist.Merge(g.hist)
		}
		g.hist.Reset()
		sum.add(g.sum)
		g.sum = tally{}
		for why, n := range g.errors {
			if errors != nil {
				errors[why] += n
			}
		}
		clear(g.errors)
		g.mu.Unlock()
	}
	return sum
}

// saturated is the share of a processor from which a generator's goroutine is the limit, and not the broker.
const saturated = 0.9

// report sums up, after run. generators is how many goroutines made the load.
func (m *meter) report(kind string, generators int) *Report {
	took := time.Since(m.began)
	r := &Report{
		Kind: kind, Started: m.began, Workload: *m.w, Seconds: took.Seconds(), Messages: m.sum.messages, Requests: m.sum.requests, Bytes: m.sum.bytes,
		Latency: latencyOf(m.total), Series: m.series, Curve: curve(m.total),
	}
	r.PerSecond = float64(r.Messages) / r.Seconds
	if len(m.errors) > 0 {
		r.Errors = m.errors
	}
	if m.w.PID != 0 {
		if now, err := usage(m.w.PID); err != nil {
			r.Warnings = append(r.Warnings, "the broker's process ended during the run")
		} else {
			u := used(m.broker0, now, took, r.Messages)
			r.Broker = &u
		}
	}
	self, _ := usage(os.Getpid())
	r.Generator = used(m.self0, self, took, r.Messages)
	if share := r.Generator.Cores / float64(generators); share > saturated {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the generator used %.0f %% of a processor: it, not the broker, may have been the limit", 100*share))
	}
	return r
}
