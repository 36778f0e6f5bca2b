package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// CatchupReport is what one run of Catchup measured. The Report inside is of the drain: its messages, its pulls' latency.
type CatchupReport struct {
	Report
	Before         Report  // sends beside nothing, for Duration
	During         Report  // sends beside the drain
	P99Ratio       float64 // of the latter's to the former's
	Backlog        int64   // messages
	MiBPerSecond   float64 // of bodies, drained
	CacheDropped   bool
	DrainedInFull  bool    // all that was there when the drain began
	BacklogSeconds float64 `json:",omitempty"` // it took to send
}

// Catchup measures what cold readers cost producers. It sends BacklogBytes at full speed, measures the latency of sends at Rate
// for Duration, and then goes on sending at that rate while consumers read the backlog from its beginning, and what was sent
// since, as fast as they can. When connections are lost after the first sends were counted, the run ends early, and what was counted until
// then is reported.
// onTick, if not nil, is called once a counted second of the sends.
//
// Without DropCache the backlog is cold only where it is larger than the memory.
func Catchup(ctx context.Context, w Workload, onTick func(Second)) (*CatchupReport, error) {
	return catchup(ctx, w, onTick, pageCacheFile)
}

func catchup(ctx context.Context, w Workload, onTick func(Second), pages string) (*CatchupReport, error) {
	if w.BacklogBytes == 0 && !w.Existing {
		w.BacklogBytes = 1 << 30
	}
	opened, err := w.open(ctx, madeTopics, func(w *Workload) (err error) {
		if w.Rate <= 0 || w.Oneway {
			err = errors.New("a rate is needed for the sends beside the consumers, and answers")
		}
		if w.DropCache {
			err = errors.Join(err, mayDropPages(pages))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	w = *opened
	out := &CatchupReport{CacheDropped: w.DropCache}
	backlog, err := out.prepare(ctx, &w)
	if err != nil {
		return nil, err
	}
	// The producer runs through both phases; each has a meter of its own, one after the other, on the same gauge.
	before, during := newMeter(&w, onTick), newMeter(&w, onTick)
	p, err := newProducer(ctx, &w, before.gauge())
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	during.watch(p.g)
	during.length = longest
	own := w
	own.WarmUp = 0
	during.w = &own
	sending, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := p.run(sending)
		stop()
		ended <- err
	}()
	err = before.run(sending)
	if err == nil && !before.began.IsZero() {
		out.Before = *before.report("produce")
		if sending.Err() == nil {
			err = out.drain(sending, &own, backlog, during, pages)
		}
	}
	stop()
	if failed := <-ended; failed != nil {
		err = failed // the cause, where reading failed too
	}
	switch {
	case ctx.Err() != nil:
		return out, out.brokenOff(&w, nil)
	case err == nil:
		return out, nil
	case before.lost(err):
		return out, out.brokenOff(&w, err)
	}
	return nil, err
}

// brokenOff completes what was ended before its time, by its context or, with a cause, with its connections: of the drain what there is of it,
// or else of the sends before it.
func (out *CatchupReport) brokenOff(w *Workload, cause error) error {
	what, why := "stopped", ""
	if cause != nil {
		what, why = "ended", ": "+endedBy(cause)
	}
	switch {
	case out.Kind != "" && out.DrainedInFull && cause == nil:
	case out.Kind != "":
		out.Stopped = fmt.Sprintf("%s after %s of %s messages of the backlog%s", what, Count(float64(out.Messages)), Count(float64(out.Backlog)), why)
	case out.Before.Kind == "":
		return fmt.Errorf("%w before the sends beside nothing were counted", ErrStopped)
	default:
		b := &out.Before
		out.Report = Report{Kind: "catchup", Started: b.Started, Workload: *w, About: w.about, Generator: b.Generator, Broker: b.Broker}
		out.Stopped = after(what, time.Duration(b.Seconds*float64(time.Second)), w.Duration) + " of the sends beside nothing: none of the backlog was read" + why
		out.mergeErrors("send", b)
		out.tellLatency("sends before the drain,", &b.Latency)
	}
	return nil
}

// tellDetails fills the details.
func (out *CatchupReport) tellDetails() {
	out.mergeErrors("send", &out.Before)
	out.mergeErrors("send", &out.During)
	out.tell("backlog", float64(out.Backlog), "", "")
	out.tell("read beyond it, sent since, by the last pulls", float64(max(0, out.Messages-out.Backlog)), "", "")
	if out.BacklogSeconds > 0 {
		out.tell("backlog sent in", out.BacklogSeconds, "s", "")
	}
	out.tell("drained", out.MiBPerSecond*(1<<20), "bytes/s", higher)
	out.tellLatency("sends before the drain,", &out.Before.Latency)
	out.tellLatency("sends during the drain,", &out.During.Latency)
	out.tell("p99 of sends, during to before", out.P99Ratio, "times", lower)
}

// prepare has the backlog there, and says where.
func (out *CatchupReport) prepare(ctx context.Context, w *Workload) ([]span, error) {
	if w.BacklogBytes == 0 {
		from, err := spans(ctx, w)
		if err == nil && held(from) == 0 {
			err = fmt.Errorf("topic %s holds no message: there is no backlog", w.topic(0))
		}
		return from, err
	}
	began := time.Now()
	from, err := fill(ctx, w, max(1, int(float64(w.BacklogBytes)/w.Sizes.mean())))
	out.BacklogSeconds = time.Since(began).Seconds()
	return from, err
}

// drain reads the backlog and what else is there now behind it, while sends go on. Where its connections are lost it fills out all the same.
func (out *CatchupReport) drain(ctx context.Context, w *Workload, backlog []span, during *meter, pages string) error {
	from, err := spans(ctx, w)
	if err != nil {
		return err
	}
	for q := range from {
		from[q].low = min(max(from[q].low, backlog[q].low), from[q].high)
	}
	out.Backlog = held(from)
	if w.DropCache {
		if err := dropPages(pages); err != nil {
			return err
		}
	}
	reading := newMeter(w, nil)
	reading.length = longest
	c, err := newPuller(ctx, w, reading.gauge(), leave, from)
	if err != nil {
		return err
	}
	defer c.ls.Close()
	during.drain(nil, nil) // what was sent since the phase before
	err = reading.beside(ctx, c.run, during.run)
	if err != nil && !reading.lost(err) {
		return err
	}
	out.Report, out.During = *reading.report("catchup"), *during.report("produce")
	out.DrainedInFull = c.open == 0 && c.stuck == 0
	out.MiBPerSecond = float64(out.Bytes) / (1 << 20) / out.Seconds
	if p99 := out.Before.Latency.P99; p99 > 0 {
		out.P99Ratio = out.During.Latency.P99 / p99
	}
	out.tellDetails()
	c.warn(&out.Report)
	if !out.DrainedInFull && c.stuck == 0 {
		out.Warnings = append(out.Warnings, "the drain was broken off before the end of the backlog")
	}
	if out.Seconds < 1 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("the drain took %.2f s only: a larger backlog says more", out.Seconds))
	}
	return err
}
