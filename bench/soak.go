package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"ringmq/netpoll"
)

// SoakReport is what one run of Soak found. The Report inside is of the sends.
type SoakReport struct {
	Report
	Rate       float64 // messages a second that were to be sent
	Peak       float64 `json:",omitempty"` // of a closed loop before, beside the same readers, with PeakShare
	Intervals  []Interval
	Hot        int64 // messages that the consumers that follow read
	Cold       int64 // and the one that reads again and again
	ColdRounds int64 // times that it came to the end of a queue and began again

	// Growth of the broker's memory that is no file's, over the second half; 0 without PID.
	GrowthMiBHour float64
	MaxOverMin    float64
}

// Interval is 10 s of a soak.
type Interval struct {
	AtSeconds      float64 // its end
	PerSecond      float64 // messages acknowledged
	Rejected       int64
	P99            float64 // of sends, ms
	Lag            int64   // messages acknowledged that the hot consumers have not read
	ColdPerSecond  float64
	ResidentBytes  int64
	AnonymousBytes int64
	Goroutines     int `json:",omitempty"` // of the broker, with Metrics; 0: not known
}

const (
	soakInterval = 10 * time.Second
	soakPeak     = 20 * time.Second
	// Memory grows when it does by more than GrowthMiBHour and this ratio, so that a short run's noise is no failure.
	soakRatio = 1.1
	// soakKept of the rate must have been acknowledged over the whole run. What is under way at its end is not held against it:
	// so much of a second.
	soakKept     = 0.98
	soakUnderWay = 0.1
	// soakShare of the peak is the load where nothing else is said.
	soakShare = 0.8
	// lagSeconds is how far the hot consumers may be behind at the end.
	lagSeconds = 5
)

// Soak loads a broker evenly for a long time: sends at Rate or a share of the peak, consumers that follow, and one reader that
// reads everything from the beginning again and again. The peak is what the sends reach beside these readers: without them it is one
// that a broker which serves readers never has. It fails when a send was rejected, the rate was not kept, memory grows, the
// consumers fall behind, or a connection is lost; Failures says so. One that ctx ended has not passed. When no connection of the sends is left, or one of the readers' ends, so
// does the run. A warm-up is counted like the rest. onTick, if not nil, is called once a counted second of the sends.
func Soak(ctx context.Context, w Workload, onTick func(Second)) (*SoakReport, error) {
	s := soak{interval: soakInterval, peak: soakPeak}
	return s.run(ctx, w, onTick)
}

// soak is one run of Soak.
type soak struct {
	interval time.Duration
	peak     time.Duration // that the peak is measured for

	w    Workload
	out  SoakReport
	send *producer
	hot  *puller
	cold *puller

	// What follows belongs to the goroutine of the sends' meter.
	hots  *meter // its gauge is emptied together with that of the sends
	colds *meter
	hist  *hdrhistogram.Histogram // of the interval
	sum   tally
	cold0 int64 // cold messages before the interval
	acked int64

	grown, counted bool // how memory grew is known, and how many goroutines there were
	last           time.Time
	began          time.Time
}

func (s *soak) run(ctx context.Context, w Workload, onTick func(Second)) (*SoakReport, error) {
	if w.Rate == 0 && w.PeakShare == 0 {
		w.PeakShare = soakShare
	}
	opened, err := w.open(ctx, madeTopics, func(w *Workload) error {
		if (w.Rate > 0) == (w.PeakShare > 0) || w.Oneway {
			return errors.New("either a rate or a share of the peak is needed, and answers")
		}
		if w.Metrics != "" { // known to be right before hours of load
			_, err := goroutinesOf(ctx, w.Metrics)
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.w, s.hist = *opened, newHistogram()
	if err = s.findRate(ctx); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, stoppedBefore(ctx, err, "while the peak was measured")
	}
	s.w.WarmUp = 0 // all is counted, so that lag is what was sent less what was read
	sends := newMeter(&s.w, onTick)
	sends.look = s.look
	s.hots, s.colds = newMeter(&s.w, nil), newMeter(&s.w, nil)
	if err := s.connect(ctx, &s.w, sends.gauge(), s.hots.gauge(), s.colds.gauge()); err != nil {
		return nil, err
	}
	defer s.disconnect()
	s.send.settle = answersWait
	s.began = time.Now()
	s.last = s.began
	err = sends.beside(ctx, s.hot.run, s.cold.run, s.send.run)
	if err != nil && !errors.Is(err, netpoll.ErrClosed) {
		return nil, err
	}
	if took := sends.ended.Sub(s.last); took >= s.interval/2 || len(s.out.Intervals) == 0 {
		s.close(sends.ended)
	}
	s.out.Report = *sends.report("soak")
	s.out.ColdRounds = s.cold.rounds
	s.out.Stopped = sends.stopped(ctx)
	s.judge()
	if err != nil { // days of figures are not thrown away
		s.out.Failures = append(s.out.Failures, "it ended early: "+endedBy(err))
	}
	s.send.warn(&s.out.Report)
	s.describeIntervals()
	return &s.out, nil
}

// findRate measures the peak where the rate depends on it.
func (s *soak) findRate(ctx context.Context) error {
	if s.w.PeakShare > 0 {
		peak, err := s.findPeak(ctx)
		if err != nil {
			return err
		}
		s.out.Peak, s.w.Rate = peak, s.w.PeakShare*peak
	}
	s.out.Rate = s.w.Rate
	return nil
}

// findPeak is the messages a second of a closed loop beside the readers.
func (s *soak) findPeak(ctx context.Context) (float64, error) {
	own := s.w
	own.WarmUp, own.Duration = 0, s.peak
	s.w.say("measuring the peak for %s, the soak of %s comes after it", s.peak, s.w.Duration)
	sends := newMeter(&own, nil)
	if err := s.connect(ctx, &own, sends.gauge(), newMeter(&own, nil).gauge(), newMeter(&own, nil).gauge()); err != nil {
		return 0, err
	}
	defer s.disconnect()
	if err := sends.beside(ctx, s.hot.run, s.cold.run, s.send.run); err != nil {
		return 0, err
	}
	r := sends.report("soak")
	if r.Messages == 0 {
		return 0, fmt.Errorf("no send succeeded in %s: there is no peak to take a share of", s.peak)
	}
	return r.PerSecond, nil
}

// connect makes the sends and the readers of w; disconnect must follow unless it failed.
func (s *soak) connect(ctx context.Context, w *Workload, send, hot, cold *gauge) error {
	from, err := spans(ctx, w)
	if err != nil {
		return err
	}
	if s.hot, err = newPuller(ctx, w, hot, follow, atEnds(from)); err != nil {
		return err
	}
	one := *w
	one.Conns = 1
	if s.cold, err = newPuller(ctx, &one, cold, restart, from); err != nil {
		s.hot.ls.Close()
		return err
	}
	if s.send, err = newProducer(ctx, w, send); err != nil {
		s.hot.ls.Close()
		s.cold.ls.Close()
	}
	return err
}

func (s *soak) disconnect() {
	s.send.ls.Close()
	s.hot.ls.Close()
	s.cold.ls.Close()
}

// look takes a second of the sends, and closes the interval when it is over.
func (s *soak) look(hist *hdrhistogram.Histogram, sum tally) {
	s.out.Hot += s.hots.drain(nil, s.hots.errors).messages
	s.out.Cold += s.colds.drain(nil, s.colds.errors).messages
	s.hist.Merge(hist)
	s.sum.add(sum)
	s.acked += sum.messages
	// Looks come once a second: one that is a little early closes the interval all the same.
	if now := time.Now(); now.Sub(s.last) >= s.interval-s.interval/20 {
		s.close(now)
	}
}

func (s *soak) close(now time.Time) {
	seconds := max(now.Sub(s.last), 1).Seconds()
	i := Interval{
		AtSeconds: now.Sub(s.began).Seconds(), PerSecond: float64(s.sum.messages) / seconds, Rejected: s.sum.errors, P99: latencyOf(s.hist).P99,
		Lag: max(0, s.acked-s.out.Hot), ColdPerSecond: float64(s.out.Cold-s.cold0) / seconds,
	}
	if s.w.PID != 0 {
		if u, err := usage(s.w.PID); err == nil {
			i.ResidentBytes, i.AnonymousBytes = u.ResidentBytes, u.AnonymousBytes
		}
	}
	if s.w.Metrics != "" {
		i.Goroutines, _ = goroutinesOf(context.Background(), s.w.Metrics)
	}
	s.out.Intervals = append(s.out.Intervals, i)
	s.hist.Reset()
	s.sum, s.cold0, s.last = tally{}, s.out.Cold, now
}
