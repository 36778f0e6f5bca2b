package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// VerifyReport is what one run of Verify found. The Report inside is of the sending, or with Check of the reading.
type VerifyReport struct {
	Report
	Verdict
	ReadSeconds float64 // of the check
}

// answersWait is how long answers are waited for when the time is over.
const answersWait = 10 * time.Second

// Verify sends numbered messages for Duration, keeps what the broker acknowledged, reads everything back, and checks that each
// acknowledged message is there once, whole, at its offset, and in its order. onTick, if not nil, is called once a counted
// second of the sending.
//
// With Ledger the acknowledgements are written to that file, also when the broker goes away meanwhile. With Check nothing is
// sent: the messages of the file are read and checked, after a restart or a kill.
//
// Order holds between messages of one connection to one queue. A broker that hands the requests of one connection to several
// threads, as the stock one does, keeps it only with a Window of 1.
func Verify(ctx context.Context, w Workload, onTick func(Second)) (*VerifyReport, error) {
	if w.Check {
		return verifyLater(ctx, w, onTick)
	}
	opened, err := w.open(ctx, madeTopics, (*Workload).checkNumbered)
	if err != nil {
		return nil, err
	}
	w = *opened
	from, err := spans(ctx, &w)
	if err != nil {
		return nil, err
	}
	m := newMeter(&w, onTick)
	p, err := newProducer(ctx, &w, m.gauge())
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	l := newLedger(&w, rand.Uint64(), from)
	p.follow, p.settle = newNumberer(&w, l), answersWait
	err = m.beside(ctx, p.run)
	if w.Ledger != "" {
		if saveErr := l.save(w.Ledger); saveErr != nil {
			return nil, errors.Join(err, saveErr)
		}
	}
	if err != nil && !m.lost(err) {
		return nil, err
	}
	r := &VerifyReport{Report: *m.report("verify"), Verdict: Verdict{Acknowledged: l.entries()}}
	r.Stopped = m.stopped(ctx)
	p.warn(&r.Report)
	if err != nil {
		r.unchecked(err)
		return r, nil
	}
	if ctx.Err() != nil { // whoever ended the sending early still wants to know
		ctx = context.WithoutCancel(ctx)
	}
	reading, err := readBack(ctx, &w, l, nil)
	if err != nil {
		r.unchecked(err)
		return r, nil
	}
	r.Verdict, r.ReadSeconds, r.Unjudged = reading.Verdict, reading.Seconds, reading.Unjudged
	r.Warnings = append(r.Warnings, reading.Warnings...)
	r.judge()
	return r, nil
}

// unchecked says that there is no verdict, because the broker went away, and how to get one.
func (r *VerifyReport) unchecked(err error) {
	r.Unjudged = endedBy(err)
	if r.Workload.Ledger != "" {
		r.Unjudged += "; when the broker is back: ringmq bench verify --check --ledger " + r.Workload.Ledger
	} else {
		r.Unjudged += "; with --ledger FILE what was acknowledged could be checked when it is back"
	}
	r.tell("acknowledged", float64(r.Acknowledged), "", "")
}

// judge fills the details and, where all was read, says what failed.
func (r *VerifyReport) judge() {
	if r.Unjudged == "" {
		r.Judged, r.Failures = true, r.faults(&r.Workload)
		if r.Acknowledged == 0 { // of nothing all is there
			r.Failures = append(r.Failures, "nothing was acknowledged: nothing was shown")
		}
	}
	for _, d := range []struct {
		name   string
		n      int64
		better string
	}{
		{"acknowledged", r.Acknowledged, ""}, {"read back", r.Read, ""}, {"lost", r.Lost, lower}, {"not at the acknowledged offset", r.Moved, lower},
		{"duplicated", r.Duplicated, lower}, {"out of order", r.OutOfOrder, lower}, {"corrupt", r.Corrupt, lower}, {"offsets without a message", r.Gaps, lower},
		{"there without an acknowledgement", r.Unacknowledged, ""}, {"of others", r.Foreign, ""},
	} {
		r.tell(d.name, float64(d.n), "", d.better)
	}
	if !r.Workload.Check {
		r.tell("of these acknowledged after the time was over", float64(max(0, r.Acknowledged-r.Messages)), "", "")
	}
	r.tell("read back in", r.ReadSeconds, "s", "")
}

// checkNumbered is what must hold besides of a workload whose messages carry numbers.
func (w *Workload) checkNumbered() error {
	var err error
	if w.Oneway {
		err = errors.New("verify needs answers")
	}
	if w.Ledger != "" {
		err = errors.Join(err, mayWrite(w.Ledger))
	}
	if n := w.Sizes.smallest(); n < numberedBytes {
		err = errors.Join(err, fmt.Errorf("the smallest body is %d bytes, it must be at least %d for the number in it", n, numberedBytes))
	}
	if w.Conns*w.Topics*w.Queues > maxPairs {
		err = errors.Join(err, fmt.Errorf("connections times queues: at most %d", maxPairs))
	}
	return err
}

// verifyLater checks a ledger of an earlier run.
func verifyLater(ctx context.Context, w Workload, onTick func(Second)) (*VerifyReport, error) {
	if w.Ledger == "" {
		return nil, errors.New("check: which ledger? --ledger FILE names the one that the run before wrote")
	}
	l, err := readLedger(w.Ledger)
	if err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	w.Topic, w.Topics, w.Queues, w.Batch, w.Existing = l.topic, l.topics, l.queues, l.batch, true
	w = w.withDefaults()
	if err := w.check(); err != nil {
		return nil, err
	}
	if w.about, err = Ask(ctx, w.Addr); err != nil {
		return nil, err
	}
	return readBack(ctx, &w, l, onTick)
}

// readBack reads the queues of a ledger and checks them.
func readBack(ctx context.Context, w *Workload, l *ledger, onTick func(Second)) (*VerifyReport, error) {
	c, err := newChecker(l)
	if err != nil {
		return nil, err
	}
	from, err := spansWith(ctx, w, c.shown)
	if err != nil {
		return nil, err
	}
	for q := range from {
		from[q].low = max(from[q].low, min(l.pages[q].from, from[q].high))
	}
	own := *w
	own.WarmUp = 0
	m := newMeter(&own, onTick)
	m.length = longest
	p, err := newPuller(ctx, &own, m.gauge(), leave, from)
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	c.begin(from)
	p.visit = c.visit
	if err := m.beside(ctx, p.run); err != nil {
		return nil, err
	}
	r := &VerifyReport{Report: *m.report("verify")}
	r.ReadSeconds = r.Seconds
	if p.open > 0 { // ctx has ended: what was not read is not lost
		r.Verdict = Verdict{Acknowledged: c.v.Acknowledged, Read: c.v.Read}
		r.Stopped = fmt.Sprintf("stopped after %s of %s messages were read back", Count(float64(r.Messages)), Count(float64(held(from))))
		r.Unjudged = "not all was read"
	} else {
		r.Verdict = c.verdict(from)
	}
	p.warn(&r.Report)
	r.judge()
	return r, nil
}
