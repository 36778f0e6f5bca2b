package bench

import (
	"strings"
	"testing"
	"time"
)

func TestEndToEnd(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{delay: 400 * time.Millisecond}) // of the answers: what is delivered does not wait for them
	r, err := EndToEnd(b.until(t, 300), brief(b, func(w *Workload) { w.Rate, w.Window, w.Duration = 1000, 128, time.Minute }), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages == 0 || r.Messages > int64(b.sent()) || r.Sent == 0 || r.Sent > int64(b.sent()) || r.Undelivered != 0 || len(r.Errors)+len(r.SendErrors) > 0 || r.Kind != "endtoend" {
		t.Errorf("%d messages, %d undelivered, %v %v", r.Messages, r.Undelivered, r.Errors, r.SendErrors)
	}
	if r.Latency.P50 <= 0 || r.SendLatency.P50 < 399 || r.Latency.P50 >= r.SendLatency.P50 {
		t.Errorf("delivered after %g ms, acknowledged after %g", r.Latency.P50, r.SendLatency.P50)
	}
	if said, ok := r.detail("sends, p50"); !ok || said != r.SendLatency.P50 {
		t.Errorf("details %+v", r.Details)
	}
}

// TestEndToEndGroups: a message is delivered once to each group, and the rate that was to be kept is that of all of them.
func TestEndToEndGroups(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	r, err := EndToEnd(b.until(t, 300), brief(b, func(w *Workload) { w.Rate, w.Window, w.Duration, w.Groups = 1000, 128, time.Minute, 3 }), nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent == 0 || r.Messages <= int64(b.sent()) || r.Messages > 3*int64(b.sent()) || r.Undelivered != 0 || len(r.Errors)+len(r.SendErrors) > 0 || r.rate() != 3000 {
		t.Errorf("%d sent, %d delivered, %d undelivered, a rate of %g, %v %v", r.Sent, r.Messages, r.Undelivered, r.rate(), r.Errors, r.SendErrors)
	}
}

// TestMissing: what was acknowledged is missing once for each group that did not have it.
func TestMissing(t *testing.T) {
	for _, c := range []struct{ groups, acknowledged, delivered, missing int64 }{{1, 10, 10, 0}, {1, 10, 7, 3}, {3, 10, 30, 0}, {3, 10, 25, 5}, {3, 10, 31, 0}} {
		w := plain(func(w *Workload) { w.Groups = int(c.groups) })
		run := timed{p: &producer{g: &gauge{}}, c: &puller{w: w, g: &gauge{}}, acknowledged: c.acknowledged, delivered: c.delivered}
		if got := run.missing(); got != c.missing {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// TestEndToEndCountsFromTheIntendedTime: what a full window makes wait is charged for it.
func TestEndToEndCountsFromTheIntendedTime(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{delay: 20 * time.Millisecond})
	r, err := EndToEnd(b.until(t, 20), brief(b, func(w *Workload) { w.Conns, w.Window, w.Rate, w.Duration = 1, 1, 1000, time.Minute }), nil)
	if err != nil || r.Latency.P90 < 100 || r.SendLatency.P90 < 100 {
		t.Errorf("%v: 50 of 1000 messages a second were taken, and the latency is %+v, of sends %+v", err, r.Latency, r.SendLatency)
	}
}

func TestEndToEndRefuses(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	for want, change := range map[string]func(*Workload){
		"rate":     func(*Workload) {},
		"at least": func(w *Workload) { w.Rate, w.Sizes = 1, FixedSize(timedBytes-1) },
		"answers":  func(w *Workload) { w.Rate, w.Oneway = 1, true },
	} {
		if _, err := EndToEnd(t.Context(), brief(b, change), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
