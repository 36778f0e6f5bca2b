package bench

import (
	"io"
	"math"
	"net/http"
	"net/http/httptest"
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
	if r.Judged || len(r.Details) != 11 || !strings.Contains(strings.Join(r.Warnings, "\n"), "growth of memory was not judged: it takes more than 1 interval of 10s") {
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
	if len(told(&r.Report)) != 1 {
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
		points              int
	}{
		{intervals(10, 500, 100, 110, 120, 130), 100, 130.0 / 110, 3}, // the first half does not count
		{intervals(50, 50, 50, 50), 0, 1, 2},
		{intervals(7, 60), 0, 1, 1},
		{intervals(0, 0), 0, 0, 0},
	} {
		mibHour, maxOverMin, points := growth(c.all)
		if points != c.points || math.Abs(mibHour-c.mibHour) > 1e-6 || math.Abs(maxOverMin-c.maxOverMin) > 1e-6 {
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

// TestJudgeGoroutines: more of them at the end than after a quarter is a leak; where that is not known, it is said.
func TestJudgeGoroutines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n          []int
		fail, warn bool
	}{
		{[]int{10, 40, 41, 42, 43, 44, 45, 56}, false, false}, // after a quarter: 41
		{[]int{10, 40, 41, 42, 43, 44, 45, 57}, false, false},
		{[]int{10, 40, 41, 42, 43, 44, 45, 58}, true, false},
		{[]int{40, 100}, true, false},
		{[]int{40}, false, true},
		{[]int{40, 0}, false, true}, // the page did not come
	} {
		s := soak{w: *plain(func(w *Workload) { w.Metrics = "http://x/" }), hots: newMeter(plain(nil), nil), colds: newMeter(plain(nil), nil)}
		s.out.Messages, s.out.Rate, s.out.Seconds, s.out.PerSecond = 1000, 100, 10, 100
		for _, n := range c.n {
			s.out.Intervals = append(s.out.Intervals, Interval{Goroutines: n})
		}
		s.judge()
		failed, warned := strings.Contains(strings.Join(s.out.Failures, ";"), "goroutines grew"), strings.Contains(strings.Join(s.out.Warnings, ";"), "goroutines was not judged")
		if failed != c.fail || warned != c.warn {
			t.Errorf("%v: failures %v, warnings %v", c.n, s.out.Failures, s.out.Warnings)
		}
	}
}

// TestGoroutinesOf: what a broker's page says, and what is no such page.
func TestGoroutinesOf(t *testing.T) {
	t.Parallel()
	pages := http.NewServeMux()
	for path, text := range map[string]string{
		"/plain": "# TYPE go_goroutines gauge\ngo_goroutines 37\n", "/labels": "go_goroutines_x 5\ngo_goroutines{node_id=\"a} b\"} 1.2e1 1700000000000\n", "/other": "up 1\n",
	} {
		pages.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	s := httptest.NewServer(pages)
	defer s.Close()
	for path, want := range map[string]int{"/plain": 37, "/labels": 12} {
		if n, err := goroutinesOf(t.Context(), s.URL+path); err != nil || n != want {
			t.Errorf("%s: %d, %v", path, n, err)
		}
	}
	for path, want := range map[string]string{"/other": "no go_goroutines", "/none": "404"} {
		if _, err := goroutinesOf(t.Context(), s.URL+path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Soak(t.Context(), Workload{Rate: 1, Metrics: s.URL + "/other"}, nil); err == nil || !strings.Contains(err.Error(), "no go_goroutines") {
		t.Errorf("a soak that cannot judge them: %v", err)
	}
}

// TestSoakSays: what is done before the soak itself is told.
func TestSoakSays(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	var said []string
	opened, err := brief(b, func(w *Workload) {
		w.PeakShare, w.Duration = 0.1, 5*time.Second
		w.Phase = func(text string) { said = append(said, text) }
	}).open(t.Context(), madeTopics, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := soak{peak: time.Minute, w: *opened}
	if err := s.findRate(b.until(t, 50)); err != nil || strings.Join(said, ";") != "measuring the peak for 1m0s, the soak of 5s comes after it" {
		t.Errorf("%v, %q", err, said)
	}
}
