package commitlog

// Store timestamps are in the order of the log as long as the clock only goes forward, and as long as it is not behind them for more than an
// hour: see docs/adr/0015-clocks-that-are-set-back.md for who needs that order.

const (
	// clockStepMs is how far the clock may go back before it is worth a line in the log.
	clockStepMs = 10_000
	// standstillMs is how long timestamps stand still, by the clock that is behind them. A clock that is wrong when a machine starts is set
	// within minutes: the one that is an hour old is right, and the timestamps are not.
	standstillMs = 3_600_000
	// notBeforeMs is a time before which no clock is right: 2026 began, and this program had not been written. Where a machine's clock begins when it
	// has none of its own lies before. What was stored then would be older than everything, and retention would take it first.
	notBeforeMs = 1_767_225_600_000
)

// behind is the clock behind the timestamps.
type behind struct {
	since int64 // what it said when that was found, ms, if it can be right; less than notBeforeMs: not found
	said  bool
}

// clockBehind decides what becomes of the timestamp where the clock is behind it. mu is held; lines are not written under it.
func (l *Log) clockBehind(now int64) {
	b, back := &l.behind, l.stamp-now
	if b.since < notBeforeMs || now < b.since {
		b.since = now
	}
	if now-b.since >= standstillMs {
		l.stamp, l.behind = now, behind{}
		go l.logger.Warn("commit log: the clock stays behind the store timestamps, which follow it back", "backMs", back)
	} else if back > clockStepMs && !b.said {
		b.said = true
		go l.logger.Warn("commit log: the clock went back, store timestamps stand still, for an hour at most", "backMs", back)
	}
}
