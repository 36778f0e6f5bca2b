package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ringmq/netpoll/remoting"
)

// meter counts what one run's generators see. Each generator has a gauge of its own, which it alone writes; once a second the
// meter takes them over.
type meter struct {
	w      *Workload
	length time.Duration                        // counted
	onTick func(Second)                         // nil: nobody watches
	look   func(*hdrhistogram.Histogram, tally) // nil, or gets every part of the counted time

	mu     sync.Mutex
	gauges []*gauge

	total   *hdrhistogram.Histogram
	sum     tally
	errors  map[string]int64
	remarks map[string]string // of each of errors, what came with the first
	series  []Second
	began   time.Time // of the counted time
	ended   time.Time
	broker0 Usage
	broker1 Usage
	gone    bool // the broker's process had ended
	self0   Usage
	self1   Usage

	machine0, machine1 busy // of the whole machine
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

	codes   map[int32]string // how an answer with this code is called in errors
	remarks map[string]string
}

func newMeter(w *Workload, onTick func(Second)) *meter {
	return &meter{w: w, length: w.Duration, onTick: onTick, total: newHistogram(), errors: map[string]int64{}, remarks: map[string]string{}}
}

// gauge makes one more.
func (m *meter) gauge() *gauge {
	g := &gauge{hist: newHistogram(), errors: map[string]int64{}, codes: map[int32]string{}, remarks: map[string]string{}}
	m.watch(g)
	return g
}

// watch adds a gauge, of another meter perhaps, which counts for whichever drains it: two such meters run one after the other.
func (m *meter) watch(g *gauge) {
	m.mu.Lock()
	m.gauges = append(m.gauges, g)
	m.mu.Unlock()
}

// done counts a request that was answered with success.
func (g *gauge) done(latency time.Duration, messages, bytes int) {
	_ = g.hist.RecordValue(min(max(int64(latency), 1), slowest))
	g.sum.messages += int64(messages)
	g.sum.requests++
	g.sum.bytes += int64(bytes)
}

// count counts messages whose request says nothing about how fast the broker is.
func (g *gauge) count(messages, bytes int) {
	g.sum.messages += int64(messages)
	g.sum.bytes += int64(bytes)
}

// failed counts one that was not.
func (g *gauge) failed(why string) {
	g.sum.errors++
	g.errors[why]++
}

// refused counts an answer that is no success; what says of what kind of request. Of the first with a code the remark is kept.
func (g *gauge) refused(what string, code int32, frame []byte) {
	why, known := g.codes[code]
	if !known {
		why = what + codeText(code)
		g.codes[code] = why
		var cmd remoting.Command
		if err := cmd.Decode(frame); err == nil && len(cmd.Remark) > 0 {
			g.remarks[why] = oneLine(cmd.Remark)
		}
	}
	g.failed(why)
}

// beside runs generators until the counted time is over, ctx has ended or one of them has. It returns after all of them have.
func (m *meter) beside(ctx context.Context, generators ...func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(generators))
	for _, generator := range generators {
		go func() {
			err := generator(ctx)
			stop()
			ended <- err
		}()
	}
	err := m.run(ctx)
	stop()
	for range generators {
		if failed := <-ended; err == nil {
			err = failed
		}
	}
	return err
}

// run keeps the time: warm-up, then a look every second, until the counted time or ctx has ended. That ctx has is no error; when
// it has in the warm-up, began stays zero. Without a warm-up everything counts, however late this goroutine begins.
func (m *meter) run(ctx context.Context) (err error) {
	if m.w.WarmUp > 0 {
		if !wait(ctx, m.w.WarmUp) {
			return nil
		}
		m.drain(nil, nil)
	}
	if m.w.PID != 0 {
		if m.broker0, err = usage(m.w.PID); err != nil {
			return err
		}
	}
	m.self0, _ = usage(os.Getpid())
	m.machine0 = machineBusy()
	m.began = time.Now()
	last, lastAt, part := m.broker0, m.began, m.began
	for more, n := true, 1; more; n++ {
		until := m.began.Add(min(m.length, time.Duration(n)*time.Second))
		more = wait(ctx, time.Until(until)) && until.Sub(m.began) < m.length
		hist := newHistogram()
		sum := m.drain(hist, m.errors)
		m.sum.add(sum)
		m.total.Merge(hist)
		m.ended = time.Now()
		if m.look != nil {
			m.look(hist, sum)
		}
		if m.ended.Sub(part) < time.Second/2 && len(m.series) > 0 {
			break // a rest is counted, but says nothing as a second
		}
		s := Second{Messages: sum.messages, Errors: sum.errors, Latency: latencyOf(hist)}
		if m.w.PID != 0 {
			if now, err := usage(m.w.PID); err == nil {
				s.BrokerCPU, s.BrokerBytes = (now.CPU-last.CPU).Seconds()/max(m.ended.Sub(lastAt), 1).Seconds(), now.ResidentBytes
				last, lastAt = now, m.ended
			}
		}
		part = m.ended
		m.series = append(m.series, s)
		if m.onTick != nil {
			m.onTick(s)
		}
	}
	m.self1, _ = usage(os.Getpid())
	m.machine1 = machineBusy()
	if m.w.PID != 0 {
		m.broker1, err = usage(m.w.PID)
		m.gone = err != nil
	}
	return nil
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
				if remark := g.remarks[why]; remark != "" {
					m.remarks[why] = remark
				}
			}
		}
		clear(g.errors)
		g.mu.Unlock()
	}
	return sum
}

// saturated is the share of a processor from which a generator's goroutine is the limit, and not the broker.
const saturated = 0.9

const limitedWarning = "the generator used "

// coarse is a time for less than which the kernel's counts of processor time, in ticks, tell no share.
const coarse = time.Second

// report sums up, after run.
func (m *meter) report(kind string) *Report {
	took := max(m.ended.Sub(m.began), 1)
	r := &Report{
		Kind: kind, Started: m.began, Workload: *m.w, Seconds: took.Seconds(), Messages: m.sum.messages, Requests: m.sum.requests, Bytes: m.sum.bytes,
		Latency: latencyOf(m.total), Series: m.series, Curve: curve(m.total),
	}
	r.PerSecond = float64(r.Messages) / r.Seconds
	if len(m.errors) > 0 {
		r.Errors = m.errors
	}
	if len(m.remarks) > 0 {
		r.Remarks = m.remarks
	}
	r.About = m.w.about
	r.Warnings = append(r.Warnings, m.w.doubts...)
	if m.w.PID != 0 {
		if m.gone {
			r.Warnings = append(r.Warnings, "the broker's process ended during the run")
		} else {
			u := used(m.broker0, m.broker1, took, r.Messages)
			r.Broker = &u
		}
	}
	r.Generator = used(m.self0, m.self1, took, r.Messages)
	if share := r.Generator.Cores / float64(r.kind().generators); r.limited() {
		r.Warnings = append(r.Warnings, fmt.Sprintf(limitedWarning+"%.0f %% of a processor: it, not the broker, may have been the limit", 100*share))
	}
	if r.Broker == nil || took < coarse { // where the broker's process is not known, what it uses is foreign too
		return r
	}
	if r.Others = othersUsed(m.machine0, m.machine1, took, m.broker1.CPU-m.broker0.CPU+m.self1.CPU-m.self0.CPU); r.crowded() {
		r.Warnings = append(r.Warnings, r.Others.warning())
	}
	return r
}
