package bench

import (
	"fmt"

	"ringmq/store/record"
)

// Verdict is what Verify found. Messages are counted, of this run only.
type Verdict struct {
	Acknowledged   int64
	Read           int64
	Lost           int64 // acknowledged, and nowhere
	Moved          int64 // acknowledged, and there, but not at the acknowledged offset
	Duplicated     int64 // there more than once; the further ones count
	OutOfOrder     int64 // behind a later one of the same connection and queue
	Corrupt        int64 // with a wrong checksum, or in a queue that is not theirs
	Gaps           int64 // offsets without a message between others, or past which the broker could not read
	Unacknowledged int64 // there, though their answer was no success or never came: allowed
	Foreign        int64 // of somebody else: allowed
}

// checker compares what is read with a ledger. One goroutine.
type checker struct {
	l      *ledger
	queues []checkedQueue
	v      Verdict
}

type checkedQueue struct {
	receipts []receipt
	at       int // receipt
	within   int // message of it
	next     int64
	seen     []*seenSerials // by connection
	missing  []missing
}

// missing are messages that are not at their acknowledged offsets.
type missing struct {
	conn   int
	serial uint64
	n      int
}

// seenSerials are the serials of one connection and queue that were read.
type seenSerials struct {
	bits []uint64
	top  uint64 // one more than the highest
}

// newChecker decodes the ledger. begin has to follow.
func newChecker(l *ledger) (*checker, error) {
	c := &checker{l: l, queues: make([]checkedQueue, len(l.pages)), v: Verdict{Acknowledged: l.entries()}}
	for q := range c.queues {
		receipts, err := l.receipts(q)
		if err != nil {
			return nil, err
		}
		c.queues[q] = checkedQueue{receipts: receipts, seen: make([]*seenSerials, l.conns)}
	}
	return c, nil
}

// shown says whether the queues reach as far as the acknowledgements.
func (c *checker) shown(all []span) bool {
	for q, s := range all {
		if n := len(c.queues[q].receipts); n > 0 && s.high < c.queues[q].receipts[n-1].offset+int64(c.l.batch) {
			return false
		}
	}
	return true
}

// begin says where the reader begins.
func (c *checker) begin(from []span) {
	for q, s := range from {
		c.queues[q].next = s.low
	}
}

// visit checks one message.
func (c *checker) visit(queue int, r *record.Record) {
	cq := &c.queues[queue]
	if r.QueueOffset != cq.next {
		c.v.Gaps += max(1, r.QueueOffset-cq.next)
	}
	cq.next = r.QueueOffset + 1
	n, ours, whole := readNumber(r.Body, c.l.run)
	good := ours && whole && n.queue == queue && n.conn < c.l.conns && n.serial < c.l.sent && r.VerifyBody() == nil
	wanted := c.reach(cq, r.QueueOffset, n, good)
	switch {
	case !ours && !wanted:
		c.v.Foreign++
		return
	case !good:
		c.v.Read++
		c.v.Corrupt++
		return
	}
	c.v.Read++
	switch fresh, late := cq.mark(n); {
	case !fresh:
		c.v.Duplicated++
		return
	case late:
		c.v.OutOfOrder++
	}
	if !wanted {
		c.v.Unacknowledged++
	}
}

// reach goes through the receipts up to and with offset, and says whether there is one for it. What they acknowledge and is
// not there is missing; n is what is, if it is good.
func (c *checker) reach(cq *checkedQueue, offset int64, n number, good bool) (wanted bool) {
	for cq.at < len(cq.receipts) {
		r := cq.receipts[cq.at]
		serial, place := r.serial+uint64(cq.within), r.offset+int64(cq.within)
		if place > offset {
			break
		}
		count := 1
		switch {
		case place < offset:
			count = int(min(offset-place, int64(c.l.batch-cq.within)))
			cq.miss(r.conn, serial, count)
		case good && (r.conn != n.conn || serial != n.serial):
			cq.miss(r.conn, serial, 1)
			fallthrough
		default:
			wanted = true
		}
		cq.skip(c.l.batch, count)
	}
	return wanted
}

// skip goes on by n messages of a receipt.
func (cq *checkedQueue) skip(batch, n int) {
	if cq.within += n; cq.within == batch {
		cq.at, cq.within = cq.at+1, 0
	}
}

func (cq *checkedQueue) miss(conn int, serial uint64, n int) {
	cq.missing = append(cq.missing, missing{conn, serial, n})
}

// mark notes that a message was read. fresh: for the first time; late: one with a higher serial came before.
func (cq *checkedQueue) mark(n number) (fresh, late bool) {
	s := cq.seen[n.conn]
	if s == nil {
		s = &seenSerials{}
		cq.seen[n.conn] = s
	}
	for uint64(len(s.bits)) <= n.serial/64 {
		s.bits = append(s.bits, 0)
	}
	word, bit := &s.bits[n.serial/64], uint64(1)<<(n.serial%64)
	fresh, late = *word&bit == 0, n.serial < s.top
	*word |= bit
	s.top = max(s.top, n.serial+1)
	return fresh, late
}

func (cq *checkedQueue) has(conn int, serial uint64) bool {
	s := cq.seen[conn]
	return s != nil && serial < s.top && s.bits[serial/64]&(1<<(serial%64)) != 0
}

// verdict ends the check; reading got up to the ends of to.
func (c *checker) verdict(to []span) Verdict {
	for q := range c.queues {
		cq := &c.queues[q]
		c.v.Gaps += max(0, to[q].high-cq.next)
		for ; cq.at < len(cq.receipts); cq.at, cq.within = cq.at+1, 0 {
			r := cq.receipts[cq.at]
			cq.miss(r.conn, r.serial+uint64(cq.within), c.l.batch-cq.within)
		}
		for _, m := range cq.missing {
			for i := range m.n {
				if cq.has(m.conn, m.serial+uint64(i)) {
					c.v.Moved++
				} else {
					c.v.Lost++
				}
			}
		}
		cq.missing = nil
	}
	return c.v
}

// faults are what a broker must not do; none: passed. w is the run that made the ledger, or that checks it.
func (v *Verdict) faults(w *Workload) (out []string) {
	order := "out of order"
	switch {
	case w.Check:
		order += " (if they were sent with --window above 1, to a stock broker: it keeps the order only with --window 1)"
	case w.Window > 1:
		order += fmt.Sprintf(" (with --window %d; a broker that hands the requests of a connection to several threads, as stock does, keeps the order only with --window 1)", w.Window)
	}
	for _, f := range []struct {
		n          int64
		noun, what string
	}{
		{v.Lost, "acknowledged message", "lost"}, {v.Moved, "message", "not at the acknowledged offset"}, {v.Duplicated, "message", "more than once"},
		{v.OutOfOrder, "message", order}, {v.Corrupt, "message", "corrupt"}, {v.Gaps, "offset", "without a message"},
	} {
		if f.n > 0 {
			out = append(out, plural(int(f.n), f.noun)+" "+f.what)
		}
	}
	return out
}
