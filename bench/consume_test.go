package bench

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

func TestConsumeDrains(t *testing.T) {
	t.Parallel()
	for _, enc := range encodings {
		b := startFake(t, fakeWrong{groupless: true})
		w := brief(b, func(w *Workload) {
			w.Encoding, w.Fill, w.Drain, w.FillMessages, w.Topics, w.Window, w.PullMessages = enc, true, true, 1000, 3, 2, 7
		})
		r, err := Consume(t.Context(), w, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Messages < 1000 || r.Messages > 1000+fillBatch || r.Bytes != 100*r.Messages || r.Requests < r.Messages/7 || r.Latency.P50 <= 0 || len(r.Errors)+len(told(r)) > 0 {
			t.Errorf("%s: %+v", enc, r)
		}
	}
}

// TestConsumeGroups: each of several groups, under a name of its own, reads all there is.
func TestConsumeGroups(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{groupless: true})
	w := brief(b, func(w *Workload) {
		w.Fill, w.Drain, w.FillMessages, w.Topics, w.Window, w.PullMessages, w.Groups = true, true, 1000, 3, 2, 7, 5
	})
	r, err := Consume(t.Context(), w, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages%5 != 0 || r.Messages < 5000 || r.Bytes != 100*r.Messages || len(r.Errors)+len(told(r)) > 0 || !strings.Contains(r.describe(), "all of it to each of 5 groups") {
		t.Errorf("%+v", r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.groups) != 5 || !b.groups["ringmq-bench-0"] || !b.groups["ringmq-bench-4"] {
		t.Errorf("groups %v", b.groups)
	}
}

// TestConsumeAgain: few messages are read many times, none of which is waiting.
func TestConsumeAgain(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	reading, stop := context.WithCancel(t.Context())
	defer stop()
	w := brief(b, func(w *Workload) { w.Fill, w.Again, w.FillMessages, w.Duration = true, true, 100, time.Minute })
	var read int64
	r, err := Consume(reading, w, func(s Second) {
		if read += s.Messages; read > 1000 {
			stop()
		}
	})
	if err != nil || r.Messages <= 1000 || len(r.Errors) > 0 || strings.Contains(strings.Join(r.Warnings, " "), "had to wait") {
		t.Errorf("%v, %+v", err, r)
	}
	if _, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Fill, w.Again, w.Drain = true, true, true }), nil); err == nil {
		t.Error("drain reads once, and again was taken beside it")
	}
}

// TestConsumeWaits: at the end of the queues pulls are held, and what comes then is counted without a latency.
func TestConsumeWaits(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	w := brief(b, func(w *Workload) { w.Fill, w.FillMessages, w.Duration = true, 100, time.Minute })
	ended := make(chan error, 1)
	reading, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // sends begin when every queue waits, and reading ends when every queue waits again
		b.allHeld(t.Context(), w.Queues)
		_, err := Produce(b.until(t, 500), brief(b, func(w *Workload) { w.Rate, w.Duration = 5000, time.Minute }), nil)
		b.allHeld(t.Context(), w.Queues)
		stop()
		ended <- err
	}()
	r, err := Consume(reading, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if r.Messages < 600 || r.Requests >= r.Messages || len(told(r)) != 1 || !strings.Contains(told(r)[0], "had to wait") {
		t.Errorf("%d messages, %d requests, warnings %v", r.Messages, r.Requests, r.Warnings)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pulls > 3*b.sends+1000 {
		t.Errorf("%d pulls: they are not held", b.pulls)
	}
}

// TestConsumeGoesOn: refused pulls are counted and asked again; an offset that is gone is left behind.
func TestConsumeGoesOn(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{pull: func(n int) int32 {
		if n == 3 {
			return remoting.RespSystemBusy
		}
		return 0
	}})
	w := brief(b, func(w *Workload) { w.Fill, w.Drain, w.FillMessages = true, true, 500 })
	r, err := Consume(t.Context(), w, nil)
	if err != nil || r.Messages < 500 || r.Errors["pull: code 2 SYSTEM_BUSY"] != 1 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestConsumeRefuses(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	if _, err := Consume(t.Context(), brief(b, nil), nil); err == nil || !strings.Contains(err.Error(), "has no topic RingmqBench") {
		t.Errorf("no topic: %v", err)
	}
	if _, err := plain(func(w *Workload) { w.Addr, w.Queues = b.addr(), 4 }).open(t.Context(), madeTopics, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := Consume(t.Context(), brief(b, nil), nil); err == nil || !strings.Contains(err.Error(), "no message") {
		t.Errorf("an empty topic: %v", err)
	}
	if _, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Drain, w.WarmUp = true, time.Second }), nil); err == nil {
		t.Error("a drain with a warm-up")
	}
}

// TestFillGivesUp: a broker that refuses everything ends a fill.
func TestFillGivesUp(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{refuse: func(int) int32 { return 14 }})
	_, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Fill, w.Batch = true, 2 }), nil)
	if err == nil || !strings.Contains(err.Error(), "code 14") {
		t.Error(err)
	}
}

// TestProduceCountsItsBodies: sizes that vary are counted as they were, and one-way sends, here 2.7 MB of frames, go on and on.
func TestProduceCountsItsBodies(t *testing.T) {
	t.Parallel()
	for _, oneway := range []bool{false, true} {
		b, n := startFake(t, fakeWrong{}), 1500
		if oneway {
			n = 9000
		}
		sizes, err := ParseSizes("10,30")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Produce(b.until(t, n), brief(b, func(w *Workload) { w.Sizes, w.Oneway, w.Duration = sizes, oneway, time.Minute }), nil)
		if err != nil {
			t.Fatal(err)
		}
		if mean := float64(r.Bytes) / float64(r.Messages); int(r.Messages) < n-n/10 || mean < 17 || mean > 23 {
			t.Errorf("oneway %v: %d messages, %g bytes each", oneway, r.Messages, mean)
		}
	}
}

// TestProduceLosesConnections: one that ends is an error, and the others go on; without any the run ends, and is reported.
func TestProduceLosesConnections(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{hangUp: on(100)})
	w := brief(b, func(w *Workload) { w.Duration = time.Minute })
	r, err := Produce(b.until(t, 500), w, nil)
	if err != nil || r.Messages < 400 || r.Errors["connection lost"] != 1 || len(told(r)) != 1 || !strings.Contains(told(r)[0], "1 of 2 connections lost, with ") {
		t.Errorf("%v, %+v", err, r)
	}
	b = startFake(t, fakeWrong{hangUp: from(100)})
	w.Addr = b.addr()
	r, err = Produce(t.Context(), w, nil)
	if err != nil || r.Messages < 80 || r.Errors["connection lost"] != 2 || len(told(r)) != 1 || !strings.HasPrefix(r.Stopped, "ended after ") {
		t.Errorf("%v, %+v", err, r)
	}
	w.WarmUp = time.Hour
	if r, err = Produce(t.Context(), w, nil); err == nil {
		t.Errorf("lost while warming up: %+v", r)
	}
}

// TestFillSendsAgain: what was in flight on a lost connection comes over another one.
func TestFillSendsAgain(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{hangUp: on(5)})
	r, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Fill, w.Drain, w.FillMessages, w.Batch = true, true, 200, 10 }), nil)
	if err != nil || r.Messages < 200 {
		t.Errorf("%v, %+v", err, r)
	}
}

// TestFillIsReadAlone: what lay there before a fill is left alone, so that one run is like the next.
func TestFillIsReadAlone(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	w := brief(b, func(w *Workload) { w.Fill, w.Drain, w.FillMessages, w.Batch = true, true, 200, 10 })
	for range 3 {
		if r, err := Consume(t.Context(), w, nil); err != nil || r.Messages != 200 {
			t.Errorf("%v, %+v", err, r)
		}
	}
}

// TestConsumeWaitsForTheQueues: what was acknowledged but is not shown yet is read too.
func TestConsumeWaitsForTheQueues(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{blind: 20}) // 8 questions before the messages, 8 after them, and some more
	r, err := Consume(t.Context(), brief(b, func(w *Workload) { w.Fill, w.Drain, w.FillMessages, w.visible = true, true, 200, time.Minute }), nil)
	if err != nil || r.Messages < 200 {
		t.Errorf("%v, %+v", err, r)
	}
}
