package commitlog

import "time"

// minZeroRate is the pace of zeroing while the log is idle or slow, bytes per second; above, it follows the log's rate.
const minZeroRate = 64 << 20

// zeroPacer spreads the zeroing: a little faster than the log grows, and not slower than minZeroRate.
type zeroPacer struct {
	l     *Log
	at    int64
	since time.Time
	rate  float64
}

func (p *zeroPacer) after(bytes int64) time.Duration {
	if bytes < zeroStep {
		return time.Microsecond
	}
	now, at := time.Now(), p.l.written.Load()
	if d := now.Sub(p.since); d > 100*time.Millisecond {
		p.rate = 1.2 * float64(at-p.at) / d.Seconds()
		p.since, p.at = now, at
	}
	return time.Duration(float64(bytes) / max(p.rate, minZeroRate) * float64(time.Second))
}
