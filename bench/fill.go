package bench

import (
	"context"
	"fmt"
)

// A fill sends in batches of about this many bytes, or this many messages.
const (
	fillBatchBytes = 128 << 10
	fillBatch      = 64
	// Bytes in flight on all connections together. A stock broker refuses what has waited for 200 ms, which is 32 MiB where a disk with
	// syncs takes 160 MiB a second: a fill that is refused again and again ends.
	fillInFlight = 8 << 20
)

// fill sends messages as fast as the broker takes them, all of them with success, and returns where they lie.
func fill(ctx context.Context, w *Workload, messages int) ([]span, error) {
	before, err := spans(ctx, w)
	if err != nil {
		return nil, err
	}
	w.say("sending %s that are to be read", plural(messages, "message"))
	own := *w
	own.Rate, own.Oneway, own.PID = 0, false, 0
	if own.Batch == 1 {
		own.Batch = min(max(1, fillBatchBytes/own.Sizes.Largest()), fillBatch)
	}
	own.Conns = min(own.Conns, 16)
	own.Window = min(own.Window, max(1, fillInFlight/(own.Conns*own.Batch*own.Sizes.Largest())))
	m := newMeter(&own, nil)
	p, err := newProducer(ctx, &own, m.gauge())
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	p.left = messages
	if err := p.run(ctx); err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	sent := m.drain(nil, nil).messages
	if err := ctx.Err(); err != nil {
		return nil, stoppedBefore(ctx, err, "while messages were sent that are to be read, after %s of %s", Count(float64(sent)), Count(float64(messages)))
	}
	now, err := spansWith(ctx, w, func(now []span) bool { return ends(now) >= ends(before)+sent })
	for q := range now {
		now[q].low = max(now[q].low, min(before[q].high, now[q].high))
	}
	return now, err
}
