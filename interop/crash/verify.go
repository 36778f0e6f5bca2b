package main

import (
	"context"
	"fmt"
	"time"

	"ringmq/interop/rig"
)

// verifyAll holds everything that was acknowledged against what the broker has.
func (t *trial) verifyAll(ctx context.Context, c rig.Caller, p *process) error {
	for _, l := range t.lanes {
		for _, a := range l.acked {
			t.highest = max(t.highest, a.log)
		}
	}
	for _, l := range t.lanes {
		if err := t.verify(ctx, c, l); err != nil {
			return fmt.Errorf("queue %d of %s: %w (log %s)", l.queue, l.topic, err, p.log)
		}
	}
	low, err := firstSegment(t.logDir())
	if err != nil {
		return err
	}
	t.low = low
	// A segment goes when the log is larger than its bound: without it one less than the bound is left, and not all of that had been
	// acknowledged.
	if least := t.mode.keptBytes() - 2*t.mode.segmentBytes(); low > 0 && (!t.mode.recycled || t.highest-low < least) {
		return fmt.Errorf("the log begins at %d: of what was acknowledged up to %d at least %d bytes should be there (log %s)", low, t.highest, least, p.log)
	}
	return nil
}

// verify reads the queue from where the last check ended and holds every acknowledgement against it.
func (t *trial) verify(ctx context.Context, c rig.Caller, l *lane) error {
	if len(l.acked) == 0 && l.topic != mainTopic {
		return nil // the topic may never have come to be
	}
	last, err := rig.MaxOffset(ctx, c, l.topic, l.queue)
	if err != nil {
		return err
	}
	found, err := t.read(ctx, c, l, last)
	if err != nil {
		return err
	}
	// Asked for behind the reading: what retention took meanwhile is not missed.
	low, err := firstSegment(t.logDir())
	if err != nil {
		return err
	}
	first, err := rig.MinOffset(ctx, c, l.topic, l.queue)
	if err != nil {
		return err
	}
	for _, a := range l.acked {
		seq, ok := found[a.offset]
		if !ok && t.mode.recycled && a.log < low && a.offset < first {
			t.expired++
			continue
		}
		if !ok || seq != a.seq {
			return fmt.Errorf("message %d was acknowledged at queue offset %d, log offset %d: found %v, message %d (queue from %d to %d, log from %d)",
				a.seq, a.offset, a.log, ok, seq, first, last, low)
		}
	}
	t.total += int64(len(l.acked))
	l.acked, l.verified = l.acked[:0], last
	return nil
}

// read returns the numbers of the messages in the queue by their offsets, from where the last check ended or the queue begins.
func (t *trial) read(ctx context.Context, c rig.Caller, l *lane, last int64) (map[int64]int64, error) {
	found := map[int64]int64{}
	next, err := t.begin(ctx, c, l, l.verified)
	if err != nil {
		return nil, err
	}
	for next < last {
		pulled, err := rig.Pull(ctx, c, rig.PullRequest{Group: "CrashChecker", Topic: l.topic, Queue: l.queue, From: next})
		if err != nil {
			return nil, err
		}
		got := pulled.Messages
		if len(got) == 0 || got[0].Offset != next {
			moved, err := t.movedOn(ctx, c, l, next)
			if err != nil {
				return nil, err
			}
			if moved > next {
				next = moved
				continue
			}
		}
		for _, m := range got {
			if m.Offset != next {
				return nil, fmt.Errorf("queue offset %d follows %d: a gap", m.Offset, next-1)
			}
			seq, err := parseBody(m.Body, l.queue)
			if err != nil {
				return nil, fmt.Errorf("queue offset %d: %w", m.Offset, err)
			}
			if seq < l.last {
				return nil, fmt.Errorf("queue offset %d holds message %d behind %d", m.Offset, seq, l.last)
			}
			l.last = seq
			found[m.Offset] = seq
			next++
		}
		if len(got) == 0 {
			return nil, fmt.Errorf("nothing at queue offset %d of %d (next %d)", next, last, pulled.Next)
		}
	}
	return found, nil
}

// begin is the queue offset to read from: where segments are given up a queue may begin behind what was asked for.
func (t *trial) begin(ctx context.Context, c rig.Caller, l *lane, from int64) (int64, error) {
	if !t.mode.recycled {
		return from, nil
	}
	first, err := rig.MinOffset(ctx, c, l.topic, l.queue)
	return max(from, first), err
}

// movedOn is where the queue begins now if retention, which is at work beside the check, took what stood at an offset. The queues follow
// the log a little later.
func (t *trial) movedOn(ctx context.Context, c rig.Caller, l *lane, from int64) (first int64, err error) {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if first, err = t.begin(ctx, c, l, from); err != nil || first > from || !t.mode.recycled {
			break
		}
	}
	return first, err
}
