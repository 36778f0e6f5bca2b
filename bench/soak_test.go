package bench

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestSoak(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	w := brief(b, func(w *Workload) { w.Rate, w.Duration, w.PID = 250, time.Minute, os.Getpid() })
	// Every message has been read by those that follow when all their pulls wait, and so many pulls are the other reader's.
	ctx := b.when(t, func() bool { return b.sends >= 60 && len(b.held) == w.Queues && b.pulls > 2*b.sends+100 })
	if _, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Fill, w.Drain, w.FillMessages = true, true, 64 }), nil); err != nil {
		t.Fatal(err)
	}
	s := soak{interval: time.Minute}
	r, err := s.run(ctx, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) > 0 || r.Unjudged == "" || r.Stopped == "" || r.Messages == 0 || r.Hot == 0 || r.Cold == 0 || r.Rate != 250 || r.Peak != 0 {
		t.Errorf("failures %v, %d messages, %d hot, %d cold, peak %g, rate %g", r.Failures, r.Messages, r.Hot, r.Cold, r.Peak, r.Rate)
	}
	if r.Judged || len(r.Details) != 12 {
		t.Errorf("details %+v", r.Details)
	}
	if i := r.Intervals[0]; i.AtSeconds <= 0 || i.Lag != max(0, r.Messages-r.Hot) || i.PerSecond <= 0 || i.P99 <= 0 || i.AnonymousBytes <= 0 || i.ResidentBytes < i.AnonymousBytes {
		t.Errorf("%+v", i)
	}
}

// TestSoakFindsItsRate: a share of the peak is measured first, beside readers, and none is an error.
func TestSoakFindsItsRate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		refuse func(int) int32
		want   string
	}{{nil, ""}, {func(int) int32 { return 2 }, "no send succeeded"}} {
		b := startFake(t, fakeWrong{refuse: c.refuse})
		opened, err := brief(b, func(w *Workload) { w.PeakShare = 0.1 }).open(t.Context(), madeTopics, func(*Workload) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		s := soak{peak: time.Minute, w: *opened}
		ctx := b.when(t, func() bool { return b.sends >= 100 && (b.pulls >= 100 || c.refuse != nil) })
		switch err := s.findRate(ctx); {
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		case err != nil || s.out.Peak <= 0 || s.w.Rate != 0.1*s.out.Peak || s.out.Rate != s.w.Rate:
			t.Errorf("%v: peak %g, rate %g", err, s.out.Peak, s.w.Rate)
		}
	}
}

// TestSoakFails: what was rejected, and what memory did, is told.
func TestSoakFails(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{refuse: func(n int) int32 { return int32(n%2) * 2 }})
	s := soak{interval: 100 * time.Millisecond}
	r, err := s.run(b.until(t, 60), brief(b, func(w *Workload) { w.Rate, w.Duration = 500, time.Minute }), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) == 0 || !strings.Contains(r.Failures[0], "sends rejected: code 2") || !r.Judged || r.Intervals[0].Rejected == 0 {
		t.Errorf("failures %v, %+v", r.Failures, r.Intervals)
	}
	if len(r.Warnings) != 1 {
		t.Errorf("warnings %v", r.Warnings)
	}
}

func TestSoakRefuses(t *testing.T) {
	t.Parallel()
	for _, w := range []Workload{{Oneway: true}, {Rate: 1, PeakShare: 1}, {Rate: 1, Oneway: true}} {
		if _, err := Soak(t.Context(), w, nil); err == nil {
			t.Errorf("%+v", w)
		}
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	intervals := func(mib ...float64) (all []Interval) {
		for i, m := range mib {
			all = append(all, Interval{AtSeconds: float64(i) * 360, AnonymousBytes: int64(m * (1 << 20))})
		}
		return all
	}
	for _, c := range []struct {
		all                 []Interval
		mibHour, maxOverMin float64
	}{
		{intervals(10, 500, 100, 110, 120, 130), 100, 130.0 / 110}, // the first half does not count
		{intervals(50, 50, 50, 50), 0, 1},
		{intervals(7, 60), 0, 1},
		{intervals(0, 0), 0, 0},
	} {
		mibHour, maxOverMin := growth(c.all)
		if math.Abs(mibHour-c.mibHour) > 1e-6 || math.Abs(maxOverMin-c.maxOverMin) > 1e-6 {
			t.Errorf("%v MiB an hour, ratio %v of %+v", mibHour, maxOverMin, c.all)
		}
	}
}

// TestJudgeMemory: growth fails when it is both fast and large.
func TestJudgeMemory(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mib  [4]float64
		fail bool
	}{
		{[4]float64{1, 1, 100, 200}, true},
		{[4]float64{1, 1, 100, 101}, false}, // fast in a short time, but not large
		{[4]float64{1, 1, 200, 100}, false},
	} {
		s := soak{w: *plain(func(w *Workload) { w.PID = 1 }), hots: newMeter(plain(nil), nil), colds: newMeter(plain(nil), nil)}
		s.out.Messages, s.out.Rate, s.out.Seconds, s.out.PerSecond = 1000, 100, 10, 100
		for i, m := range c.mib {
			s.out.Intervals = append(s.out.Intervals, Interval{AtSeconds: float64(10 * i), AnonymousBytes: int64(m * (1 << 20))})
		}
		if s.judge(); (len(s.out.Failures) > 0) != c.fail {
			t.Errorf("%v: %v", c.mib, s.out.Failures)
		}
	}
	s := soak{w: *plain(nil), hots: newMeter(plain(nil), nil), colds: newMeter(plain(nil), nil)}
	s.out.Messages, s.out.Rate, s.out.Seconds, s.out.PerSecond, s.out.Intervals = 1000, 100, 10, 100, []Interval{{Lag: 1000}}
	if s.judge(); len(s.out.Failures) != 1 || !strings.Contains(s.out.Failures[0], "behind") {
		t.Errorf("%v", s.out.Failures)
	}
}

// TestJudgeRate: a rate that was not kept is a failure, what is under way at the end is none.
func TestJudgeRate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		messages int64
		seconds  float64
		fail     string
	}{
		{1000, 10, ""}, {981, 10, ""}, {979, 10, "the rate was not kept: 98 of 100 messages a second, 97.9 %"}, {500, 10, "the rate was not kept: 50 of 100 messages a second, 50.0 %"},
		{15, 0.2, ""}, {0, 10, "nothing was acknowledged"},
	} {
		s := soak{w: *plain(nil), hots: newMeter(plain(nil), nil), colds: newMeter(plain(nil), nil)}
		s.out.Messages, s.out.Rate, s.out.Seconds, s.out.Intervals = c.messages, 100, c.seconds, []Interval{{}}
		s.out.PerSecond = float64(c.messages) / c.seconds
		s.judge()
		if got := strings.Join(s.out.Failures, ";"); (c.fail == "") != (got == "") || !strings.Contains(got, c.fail) || !s.out.Judged {
			t.Errorf("%d in %g s: %q", c.messages, c.seconds, got)
		}
	}
	s := soak{w: *plain(nil), hots: newMeter(plain(nil), nil), colds: newMeter(plain(nil), nil)}
	s.out.Messages, s.out.Rate, s.out.Seconds, s.out.PerSecond, s.out.Intervals, s.out.Stopped = 1000, 100, 10, 100, []Interval{{}}, "stopped after 10.0 s of 1h0m0s"
	if s.judge(); s.out.Judged || s.out.Unjudged == "" || len(s.out.Failures) > 0 {
		t.Errorf("a soak that was stopped: %+v", s.out.Report)
	}
}

// TestSoakEndsWithItsConnections: what was measured until then is reported.
func TestSoakEndsWithItsConnections(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{hangUp: from(100)})
	s := soak{interval: time.Minute}
	r, err := s.run(t.Context(), brief(b, func(w *Workload) { w.Rate, w.Duration = 1000, time.Minute }), nil)
	if err != nil || r.Messages == 0 || len(r.Failures) < 2 || !strings.Contains(r.Failures[len(r.Failures)-1], "ended early") || r.Errors["connection lost"] != 2 || len(r.Intervals) != 1 {
		t.Errorf("%v, %+v", err, r)
	}
}
