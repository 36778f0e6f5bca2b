package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"ringmq/store/record"
)

// EndToEndReport is what one run of EndToEnd measured. Latency is from when a message should have been sent to when a consumer
// had read it; Messages and the seconds count what was delivered.
type EndToEndReport struct {
	Report
	SendLatency Latency
	SendErrors  map[string]int64 `json:",omitempty"` // in Errors too, as "send: ..."
	Sent        int64            // acknowledged in the counted time
	Undelivered int64            // of all acknowledged, warm-up included, those a group's consumer did not have 5 s after the last was sent, once for each such group
}

// undeliveredAfter is how long what was acknowledged may take to a consumer at the end.
const undeliveredAfter = 5 * time.Second

// EndToEnd sends at Rate and reads the same messages with held pulls of every queue, in one process, so that one clock times
// both. Each of Groups reads them all, and counts them. onTick, if not nil, is called once a counted second with what was delivered. Window bounds the sends in flight and the
// pulls that are not held.
func EndToEnd(ctx context.Context, w Workload, onTick func(Second)) (*EndToEndReport, error) {
	opened, err := w.open(ctx, madeTopics, (*Workload).checkTimed)
	if err != nil {
		return nil, err
	}
	w = *opened
	from, err := spans(ctx, &w)
	if err != nil {
		return nil, err
	}
	delivered, sent := newMeter(&w, onTick), newMeter(&w, nil)
	c, err := newPuller(ctx, &w, delivered.gauge(), follow, atEnds(from))
	if err != nil {
		return nil, err
	}
	defer c.ls.Close()
	p, err := newProducer(ctx, &w, sent.gauge())
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	t := &timed{p: p, c: c, run: rand.Uint64(), ahead: c.ls.Born().Sub(p.ls.Born())}
	p.follow, p.settle = t, undeliveredAfter
	c.visit, c.visitCounts = t.visit, true

	// The consumers outlive the producer by what is on its way.
	ended := make(chan error, 1)
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	asked := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		err := c.run(reading)
		cancel()
		stop()
		ended <- err
	}()
	err = delivered.beside(ctx, p.run, sent.run)
	for until := time.Now().Add(undeliveredAfter); err == nil && t.missing() > 0 && time.Now().Before(until) && wait(reading, idleWait); {
	}
	stop()
	if failed := <-ended; err == nil {
		err = failed
	}
	if err != nil && !delivered.lost(err) {
		return nil, err
	}
	r, s := delivered.report("endtoend"), sent.report("produce")
	out := &EndToEndReport{Report: *r, SendLatency: s.Latency, SendErrors: s.Errors, Sent: s.Messages, Undelivered: t.missing()}
	if out.Stopped = delivered.stopped(asked); err != nil {
		out.Stopped = after("ended", delivered.ended.Sub(delivered.began), delivered.length) + ": " + endedBy(err)
	}
	out.mergeErrors("send", s)
	out.tell("sent", float64(out.Sent), "", "")
	out.tell("delivered more than sent, on their way when the time began", float64(max(0, out.Messages-out.Sent*int64(w.Groups))), "", "")
	out.tell("undelivered", float64(out.Undelivered), "", lower)
	out.tellLatency("sends,", &out.SendLatency)
	p.warn(&out.Report)
	if out.Undelivered > 0 {
		out.Warnings = append(out.Warnings, fmt.Sprintf("%s acknowledged, but with no consumer %s after the end", plural(int(out.Undelivered), "message"), undeliveredAfter))
	}
	return out, nil
}

// checkTimed is what must hold besides of a workload whose messages carry their time.
func (w *Workload) checkTimed() error {
	var err error
	if w.Rate <= 0 || w.Oneway {
		err = errors.New("a rate is needed, and answers: without them there is no intended time, or no knowing what got lost")
	}
	if n := w.Sizes.smallest(); n < timedBytes {
		err = errors.Join(err, fmt.Errorf("the smallest body is %d bytes, it must be at least %d for the time in it", n, timedBytes))
	}
	return err
}

// atEnds is where consumers begin that want only what is new.
func atEnds(all []span) []span {
	out := make([]span, len(all))
	for i, s := range all {
		out[i] = span{s.high, s.high}
	}
	return out
}

// timedBytes is what a body begins with: the run, and the intended time in ns on the clock of the producer's lines.
const timedBytes = 16

// timed writes times into bodies, and reads them.
type timed struct {
	p     *producer
	c     *puller
	run   uint64
	ahead time.Duration // by which the producer's clock is ahead of the consumers'
	due   time.Duration // of the request that is being made; the producer's goroutine

	acknowledged int64 // guarded by the producer's gauge
	delivered    int64 // guarded by the puller's gauge
}

func (t *timed) begin(_ int, _ int32, _ int, at time.Duration) { t.due = at }

func (t *timed) write(body []byte) {
	binary.BigEndian.PutUint64(body, t.run)
	binary.BigEndian.PutUint64(body[8:], uint64(t.due))
}

func (t *timed) answered(_ int, _, code int32, _ []byte) error {
	if code == 0 {
		t.acknowledged += int64(t.p.w.Batch)
	}
	return nil
}

func (t *timed) visit(_ int, r *record.Record) {
	if len(r.Body) < timedBytes || binary.BigEndian.Uint64(r.Body) != t.run {
		return // of somebody else
	}
	t.delivered++
	due := time.Duration(binary.BigEndian.Uint64(r.Body[8:]))
	t.c.g.done(t.c.ls.ReadAt()+t.ahead-due, 1, len(r.Body))
}

// missing is how many messages were acknowledged and not delivered, of each group. Any goroutine.
func (t *timed) missing() int64 {
	t.p.g.mu.Lock()
	n := t.acknowledged * int64(t.c.w.Groups)
	t.p.g.mu.Unlock()
	t.c.g.mu.Lock()
	n -= t.delivered
	t.c.g.mu.Unlock()
	return max(0, n)
}
