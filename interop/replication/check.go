package main

import (
	"bytes"
	"fmt"
	"os"
)

// promises holds every acknowledgement against a log: the message lies where its producer was told. What lies before the beginning of the
// log is passed over; whether it may begin there is another question.
func (v *view) promises(h *history) error {
	for _, l := range h.lanes {
		l.mu.Lock()
		acked := l.acked
		l.mu.Unlock()
		q := v.queues[l.queue]
		if q == nil {
			q = &queueView{}
			v.queues[l.queue] = q
		}
		for ; q.checked < len(acked); q.checked++ {
			a := acked[q.checked]
			if a.log < v.start {
				continue
			}
			i := a.offset - q.first
			if i < 0 || i >= int64(len(q.seqs)) {
				return fmt.Errorf("LOST: message %d of queue %d was acknowledged at offset %d, log offset %d: the log (%d to %d: %s) has the queue from %d to %d",
					a.seq, l.queue, a.offset, a.log, v.start, v.pos, v.end, q.first, q.first+int64(len(q.seqs)))
			}
			if q.seqs[i] != a.seq || q.logs[i] != a.log {
				return fmt.Errorf("LOST: message %d of queue %d was acknowledged at offset %d, log offset %d: message %d lies there, at %d",
					a.seq, l.queue, a.offset, a.log, q.seqs[i], q.logs[i])
			}
		}
	}
	return nil
}

// order holds the acknowledgements of producers that send one message at a time against each other.
func (h *history) order() error {
	for _, l := range h.lanes {
		if l.window > 1 {
			continue
		}
		last := ack{seq: -1, offset: -1}
		for _, a := range l.acked {
			if a.seq <= last.seq || a.offset <= last.offset {
				return fmt.Errorf("queue %d: message %d at offset %d was acknowledged behind message %d at %d", l.queue, a.seq, a.offset, last.seq, last.offset)
			}
			last = a
		}
	}
	return nil
}

// consumed holds what consumers saw against the log: a message they saw stays where it was.
func (r *reader) consumed(v *view, again bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) > 0 {
		return fmt.Errorf("%s", r.wrong[0])
	}
	for id, k := range r.queues {
		if again {
			k.checked = 0
		}
		q := v.queues[id]
		if q == nil {
			q = &queueView{}
		}
		for ; k.checked < len(k.seen); k.checked++ {
			i := int64(k.checked) - q.first
			if i < 0 {
				continue
			}
			if i >= int64(len(q.seqs)) {
				return fmt.Errorf("a consumer saw message %d of queue %d at offset %d: the queue ends at %d", k.seen[k.checked], id, k.checked, q.first+int64(len(q.seqs)))
			}
			if q.seqs[i] != k.seen[k.checked] {
				return fmt.Errorf("a consumer saw message %d of queue %d at offset %d: message %d lies there", k.seen[k.checked], id, k.checked, q.seqs[i])
			}
		}
	}
	return nil
}

// sameBytes compares two logs byte by byte where both have something. from is where to begin; what follows the head of a blank means
// nothing.
func sameBytes(a, b *view, from int64) error {
	if a.pos != b.pos {
		return fmt.Errorf("one log ends at %d, the other at %d", a.pos, b.pos)
	}
	from = max(a.start, b.start, from)
	for at := from - from%a.segment; at < a.pos; {
		base := at
		to := min(base+a.segment, a.pos)
		x, err := os.ReadFile(segmentFile(a.dir, base))
		if err != nil {
			return err
		}
		y, err := os.ReadFile(segmentFile(b.dir, base))
		if err != nil {
			return err
		}
		for _, blank := range a.blanks {
			if blank[0] >= base && blank[0] < to {
				to = blank[0]
			}
		}
		if int64(len(x)) < to-base || int64(len(y)) < to-base {
			return fmt.Errorf("segment %d has %d and %d bytes", base, len(x), len(y))
		}
		if p, q := x[:to-base], y[:to-base]; !bytes.Equal(p, q) {
			i := 0
			for p[i] == q[i] {
				i++
			}
			return fmt.Errorf("the logs differ at %d: % x and % x", at+int64(i), p[i:min(i+16, len(p))], q[i:min(i+16, len(q))])
		}
		at = base + a.segment
	}
	return nil
}
