package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// longest is how long a run without a set end may take.
const longest = 7 * 24 * time.Hour

// Consume pulls everything there is in the workload's topics, from the beginning of every queue, and reports how it went. With
// Fill it sends messages first, and reads from the first of those on, so that one run is like the next. It ends after Duration
// or, with Drain, when it has read what was there when it began; with Again it reads the same messages until Duration is over.
// Each of Groups reads everything. Latency is that of pulls that found messages at once. onTick, if not nil, is called once a counted second.
//
// The topics have to be there unless Fill is set; where Queues is 0, as many are read as they have.
func Consume(ctx context.Context, w Workload, onTick func(Second)) (*Report, error) {
	topics := readTopics
	if w.Fill {
		topics = madeTopics
	}
	opened, err := w.open(ctx, topics, (*Workload).checkDrain)
	if err != nil {
		return nil, err
	}
	w = *opened
	from, err := toRead(ctx, &w)
	if err != nil {
		return nil, err
	}
	if held(from) == 0 {
		return nil, fmt.Errorf("topic %s holds no message: fill it first", w.topic(0))
	}
	m := newMeter(&w, onTick)
	end := follow
	switch {
	case w.Drain:
		end, m.length = leave, longest
	case w.Again:
		end = restart
	}
	p, err := newPuller(ctx, &w, m.gauge(), end, from)
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	err = m.beside(ctx, p.run)
	if err != nil && !m.lost(err) {
		return nil, err
	}
	r := m.report("consume")
	switch r.Stopped = m.stopped(ctx); {
	case err != nil:
		r.Stopped = after("ended", m.ended.Sub(m.began), m.length) + ": " + endedBy(err)
	case w.Drain && p.open == 0:
		r.Stopped = ""
	case w.Drain && r.Stopped != "":
		r.Stopped = fmt.Sprintf("stopped after %s of %s messages", Count(float64(r.Messages)), Count(float64(held(from)*int64(w.Groups))))
	}
	p.warn(r)
	if end == follow && p.caughtUp {
		r.Warnings = append(r.Warnings, "the consumers came to the end of a queue and had to wait: there were too few messages for the time")
	}
	return r, nil
}

// checkDrain is check for one that may read to the end.
func (w *Workload) checkDrain() error {
	if w.Drain && (w.WarmUp > 0 || w.Again) {
		return errors.New("drain counts from the first message to the last, once: it has no warm-up, and reads nothing again")
	}
	return nil
}

// toRead is what there is to consume, with Fill after filling.
func toRead(ctx context.Context, w *Workload) ([]span, error) {
	if w.Fill {
		return fill(ctx, w, w.FillMessages)
	}
	return spans(ctx, w)
}

// warn says which queues could not be read.
func (p *puller) warn(r *Report) {
	if p.stuck > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d queues could not be read to the end that the broker gives for them", p.stuck))
	}
}

// held is how many offsets spans have.
func held(all []span) (n int64) {
	for _, s := range all {
		n += s.high - s.low
	}
	return n
}
