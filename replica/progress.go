package replica

import "time"

// progress is what a master knows of one slave's copy. It decides by what it is told, and by a clock that is given to it.
//
//	acked <= sent
type progress struct {
	acked  int64 // the slave has everything before it
	sent   int64 // was sent, or is just being
	inStep bool  // as of the last look

	// joinAt must be acknowledged before the slave is in step: where the log ended when it came, or when it fell out.
	joinAt int64
	// since is when the slave last acknowledged something, or when the first of what it has not acknowledged came; waiting: there is
	// something.
	since   time.Duration
	waiting bool
}

// pace says when a slave is in step.
type pace struct {
	timeout time.Duration // without an acknowledgement while there is something to acknowledge
	maxGap  int64         // bytes
}

// begin is a slave's first report: it has everything before acked, gets what follows start, and the log ends at end.
func (p *progress) begin(acked, start, end int64, now time.Duration) {
	*p = progress{acked: acked, sent: start, joinAt: end, since: now}
}

// send says that bytes before to are on their way.
func (p *progress) send(to int64, now time.Duration) {
	p.sent = max(p.sent, to)
	p.await(p.sent, now)
}

// ack is a later report. false: it speaks of bytes that were never sent.
func (p *progress) ack(to int64, now time.Duration) bool {
	if to > p.sent {
		return false
	}
	if to > p.acked {
		p.acked, p.since = to, now
		p.waiting = p.acked < p.sent
	}
	return true
}

// await notes since when there is something to acknowledge.
func (p *progress) await(end int64, now time.Duration) {
	if p.acked < end && !p.waiting {
		p.waiting, p.since = true, now
	}
}

// look decides whether the slave is in step with a log that ends at end.
func (p *progress) look(end int64, now time.Duration, by pace) bool {
	p.await(end, now)
	silent := p.waiting && p.acked < end && now-p.since >= by.timeout
	if silent || end-p.acked >= by.maxGap && end > p.acked {
		p.inStep, p.joinAt = false, max(p.joinAt, end)
		return false
	}
	p.inStep = p.acked >= p.joinAt
	return p.inStep
}
