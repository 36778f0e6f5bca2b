package bench

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// brief is a workload against b that is over soon.
func brief(b *fakeBroker, change func(*Workload)) Workload {
	w := Workload{Addr: b.addr(), Conns: 2, Window: 4, Queues: 4, Sizes: FixedSize(100), Duration: 20 * time.Millisecond, visible: 50 * time.Millisecond}
	if change != nil {
		change(&w)
	}
	return w
}

// told is what a report warns of, but for what the machine that the tests run on is the reason for: here all tests together are the generator.
func told(r *Report) []string {
	return slices.DeleteFunc(slices.Clone(r.Warnings), func(w string) bool { return strings.HasPrefix(w, limitedWarning) })
}

func on(which int) func(int) bool { return func(n int) bool { return n == which } }

func from(which int) func(int) bool { return func(n int) bool { return n >= which } }

// TestVerify: each thing that a broker can do wrong is found, and nothing else is.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		wrong fakeWrong
		batch int
		want  Verdict // but for what is always counted
	}{
		{"nothing", fakeWrong{}, 1, Verdict{}},
		{"nothing, in batches", fakeWrong{}, 5, Verdict{}},
		{"lost", fakeWrong{drop: on(9)}, 1, Verdict{Lost: 1}},
		{"lost, its offset used up", fakeWrong{hole: on(9)}, 1, Verdict{Lost: 1, Gaps: 1}},
		{"twice", fakeWrong{duplicate: on(9)}, 1, Verdict{Duplicated: 1}},
		{"corrupt", fakeWrong{corrupt: on(9)}, 1, Verdict{Corrupt: 1}},
		{"a batch corrupt", fakeWrong{corrupt: on(9)}, 3, Verdict{Corrupt: 3}},
		{"refused", fakeWrong{refuse: func(n int) int32 { return int32(min(n, 1)) * int32(n%2) }}, 1, Verdict{}},
		{"answered with a code, but there", fakeWrong{doubtful: func(n int) int32 {
			if n == 9 {
				return 10
			}
			return 0
		}}, 1, Verdict{Unacknowledged: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := startFake(t, c.wrong)
			r, err := Verify(b.until(t, 60), brief(b, func(w *Workload) { w.Batch, w.Duration = c.batch, time.Minute }), nil)
			if err != nil {
				t.Fatal(err)
			}
			got := r.Verdict
			if got.Acknowledged < 20 || got.Read == 0 {
				t.Errorf("%d acknowledged, %d read", got.Acknowledged, got.Read)
			}
			bad := c.want.Lost + c.want.Duplicated + c.want.Corrupt + c.want.Gaps
			if (len(r.Failures) > 0) != (bad > 0) || !r.Judged {
				t.Errorf("failures %v", r.Failures)
			}
			if lost, ok := r.detail("lost"); !ok || lost != float64(got.Lost) {
				t.Errorf("details %+v", r.Details)
			}
			got.Acknowledged, got.Read = 0, 0
			if got.Lost != c.want.Lost || got.Duplicated != c.want.Duplicated || got.Corrupt != c.want.Corrupt || got.Gaps != c.want.Gaps ||
				got.Unacknowledged != c.want.Unacknowledged || got.OutOfOrder != 0 || got.Moved != 0 || got.Foreign != 0 {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// TestVerifyOrder: two messages that change places on one connection are noticed.
func TestVerifyOrder(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{swap: on(5)})
	r, err := Verify(b.until(t, 60), brief(b, func(w *Workload) { w.Conns, w.Queues, w.Duration = 1, 1, time.Minute }), nil)
	if err != nil || !strings.HasPrefix(strings.Join(r.Failures, ";"), "1 message out of order (with --window 4; ") || r.OutOfOrder != 1 || r.Lost+r.Moved+r.Duplicated != 0 || len(r.Failures) != 1 {
		t.Errorf("%v, %+v", err, r.Verdict)
	}
}

// TestVerifyAfterACrash: the ledger of a run whose broker went away is checked later, and what the crash lost is found.
func TestVerifyAfterACrash(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{hangUp: from(300)})
	name := filepath.Join(t.TempDir(), "ledger")
	r, err := Verify(t.Context(), brief(b, func(w *Workload) { w.Ledger, w.Duration = name, time.Minute }), nil)
	if err != nil || r.Unjudged == "" || r.Judged || r.Acknowledged == 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	check := Workload{Addr: b.addr(), visible: 50 * time.Millisecond, Conns: 2, Ledger: name, Check: true}
	later, err := Verify(t.Context(), check, nil)
	if err != nil || len(later.Failures) > 0 || later.Acknowledged != r.Acknowledged || later.Read < r.Acknowledged {
		t.Fatalf("%v, %+v", err, later.Verdict)
	}
	b.mu.Lock()
	q := b.topics["RingmqBench"][2]
	q.messages = q.messages[:len(q.messages)-7]
	q.next -= 7
	b.mu.Unlock()
	later, err = Verify(t.Context(), check, nil)
	if err != nil || later.Lost == 0 || later.Lost > 7 || len(later.Failures) != 1 {
		t.Errorf("%v, %+v", err, later.Verdict)
	}
}

// TestVerifyNothing: where nothing was acknowledged nothing is shown, by the run itself or by its ledger later.
func TestVerifyNothing(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{refuse: func(int) int32 { return 2 }})
	name := filepath.Join(t.TempDir(), "ledger")
	r, err := Verify(b.until(t, 20), brief(b, func(w *Workload) { w.Ledger, w.Duration = name, time.Minute }), nil)
	if err != nil || r.Acknowledged != 0 || strings.Join(r.Failures, ";") != "nothing was acknowledged: nothing was shown" {
		t.Errorf("%v, %+v", err, r)
	}
	r, err = Verify(t.Context(), Workload{Addr: b.addr(), visible: 50 * time.Millisecond, Ledger: name, Check: true}, nil)
	if err != nil || strings.Join(r.Failures, ";") != "nothing was acknowledged: nothing was shown" {
		t.Errorf("checked later: %v, %+v", err, r)
	}
	var text strings.Builder
	if err := Single(&r.Report).Text(&text); err != nil || strings.Contains(text.String(), "passed") || !strings.Contains(text.String(), "FAILED: nothing was acknowledged") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// TestVerifyMovedAndForeign: what lies elsewhere than acknowledged is not lost, and messages of others do not matter.
func TestVerifyMovedAndForeign(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	w := brief(b, func(w *Workload) { w.FillMessages = 64; w.Fill, w.Drain = true, true })
	if _, err := Consume(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "ledger")
	w = brief(b, func(w *Workload) { w.Ledger, w.Duration = name, time.Minute })
	if r, err := Verify(b.until(t, 60), w, nil); err != nil || len(r.Failures) > 0 || r.Foreign != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	l, err := readLedger(name)
	if err != nil {
		t.Fatal(err)
	}
	for q := range l.pages {
		l.pages[q].from = 0
	}
	l.last = make([]uint64, l.conns*len(l.pages))
	first, err := l.receipts(0)
	if err != nil {
		t.Fatal(err)
	}
	l.pages[0] = ledgerPage{}
	for _, r := range first {
		l.enter(r.conn, 0, r.serial, r.offset+1)
	}
	if err := l.save(name); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(t.Context(), Workload{Addr: b.addr(), visible: 50 * time.Millisecond, Ledger: name, Check: true}, nil)
	if err != nil || r.Moved != int64(len(first)) || r.Lost != 0 || r.Foreign != 64 || !strings.Contains(strings.Join(r.Failures, ";"), "not at the acknowledged") {
		t.Errorf("%v, %+v, %d receipts", err, r.Verdict, len(first))
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Workload){
		"small bodies": func(w *Workload) { w.Sizes = FixedSize(numberedBytes - 1) },
		"one-way":      func(w *Workload) { w.Oneway = true },
		"no folder":    func(w *Workload) { w.Ledger = filepath.Join(t.TempDir(), "none", "ledger") },
		"pairs":        func(w *Workload) { w.Conns, w.Window, w.Queues = 1000, 1, 10_000 },
	} {
		w := Workload{Addr: "127.0.0.1:1"}
		change(&w)
		if _, err := Verify(context.Background(), w, nil); err == nil || strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(context.Background(), Workload{Check: true}, nil); err == nil || !strings.Contains(err.Error(), "--ledger FILE") {
		t.Error(err)
	}
	if _, err := Verify(context.Background(), Workload{Check: true, Ledger: filepath.Join(t.TempDir(), "none")}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
