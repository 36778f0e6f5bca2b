package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringmq/bench"
)

// TestWorkloadFlags: the flags of each workload reach it, and its own defaults are in force and in the help.
func TestWorkloadFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		want func(*bench.Workload) bool
		help string
	}{
		{"consume --fill --fill-messages 7 --drain --pull-messages 3", func(w *bench.Workload) bool {
			return w.Fill && w.FillMessages == 7 && w.Drain && w.PullMessages == 3 && w.WarmUp == 0
		}, "how many (default 100000)"},
		{"consume", func(w *bench.Workload) bool { return !w.Fill && !w.Drain && w.WarmUp == 2*time.Second && w.Queues == 0 }, "--drain"},
		{"consume --drain --warm-up 1s", func(w *bench.Workload) bool { return w.Drain && w.WarmUp == time.Second }, "--drain"},
		{"endtoend", func(w *bench.Workload) bool { return w.Rate == 10_000 && w.Window == 1024 }, "in an open loop; 0: a closed loop (default 10000)"},
		{"endtoend --rate 5", func(w *bench.Workload) bool { return w.Rate == 5 }, "--rate"},
		{"catchup --backlog 1.5GiB --drop-cache", func(w *bench.Workload) bool { return w.BacklogBytes == 3<<29 && w.DropCache && w.Rate == 10_000 }, "--backlog size"},
		{"soak --peak-share 0.5 --growth 3 --metrics http://h:1/metrics", func(w *bench.Workload) bool {
			return w.Metrics == "http://h:1/metrics" && w.PeakShare == 0.5 && w.GrowthMiBHour == 3 && w.WarmUp == 0 && w.Duration == 10*time.Minute
		}, "10m or 1h (default 10m0s)"},
		{"verify --ledger l --check", func(w *bench.Workload) bool { return w.Ledger == "l" && w.Check && w.WarmUp == 0 }, "--ledger file"},
	} {
		words := strings.Fields(c.args)
		known, err := workloadNamed(words[0])
		if err != nil {
			t.Fatal(err)
		}
		wl, got := *known, bench.Workload{}
		wl.run = func(_ context.Context, w bench.Workload, _ func(bench.Second)) (*bench.Report, error) {
			got = w
			return &bench.Report{Kind: wl.name, Workload: w, Started: time.Unix(1, 0), Seconds: 1, Messages: 1}, nil
		}
		cmd := wl.command()
		cmd.SetArgs(words[1:])
		var out strings.Builder
		cmd.SetOut(&out)
		if err := cmd.Execute(); err != nil || !c.want(&got) {
			t.Errorf("%s: %v, %+v", c.args, err, got)
		}
		if help, err := ringmq(t, "bench", wl.name, "--help"); err != nil || !strings.Contains(help, c.help) {
			t.Errorf("%s: %v: no %q in\n%s", c.args, err, c.help, help)
		}
	}
	if _, err := ringmq(t, "bench", "catchup", "--backlog", "1TB"); err == nil || !strings.Contains(err.Error(), "--backlog") {
		t.Error(err)
	}
	if _, err := ringmq(t, "bench", "soak", "--oneway"); err == nil || !strings.Contains(err.Error(), "unknown flag") {
		t.Error(err)
	}
}

// TestWorkloadsRun: every workload runs against a real broker, alone or in turns.
func TestWorkloadsRun(t *testing.T) {
	p := &standaloneProcess{both: parsed(t, nil, small(filepath.Join(t.TempDir(), "data"))...), logger: quiet()}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.shutdown(context.Background()) }()
	addr, ledger := p.b.b.Addr().String(), filepath.Join(t.TempDir(), "ledger")
	short := " --size 100 --connections 1 --window 16 --duration 50ms "
	in := func(args string) []string { return append([]string{"bench"}, strings.Fields(args)...) }
	for _, c := range []struct{ args, want string }{
		{"consume -b " + addr + short + "--fill --fill-messages 200 --drain", "pull latency"},
		{"endtoend -b " + addr + short + "--warm-up 0s --rate 500", "undelivered"},
		{"catchup -b " + addr + short + "--warm-up 0s --rate 500 --backlog 20KiB", "p99 of sends, during to before"},
		{"soak -b " + addr + short + "--rate 500", "slowest interval"},
		{"verify -b " + addr + short + "--duration 300ms --ledger " + ledger, "  passed\n"},
		{"verify -b " + addr + " --ledger " + ledger + " --check", "  passed\n"},
		{"versus a=" + addr + " b=" + addr + short + "--workload consume --rounds 1 --fill --fill-messages 200 --drain", "consume: a and b, 1 round\n"},
		{"versus a=" + addr + " b=" + addr + short + "--workload endtoend --rounds 1 --warm-up 0s", "Sends, p50"},
	} {
		if out, err := ringmq(t, in(c.args)...); err != nil && !strings.Contains(err.Error()+out, "nothing was acknowledged") || !strings.Contains(out, c.want) { // as on a machine too busy for 50 ms
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
	if _, err := ringmq(t, in("versus a="+addr+" b="+addr+" --workload endtoend --drain")...); err == nil || err.Error() != "--drain means nothing to endtoend" {
		t.Error(err)
	}
}

// TestFailedVerdict: reasons are told once, by the table or else by the line of error.
func TestFailedVerdict(t *testing.T) {
	wl := verifyWorkload
	wl.run = func(_ context.Context, w bench.Workload, _ func(bench.Second)) (*bench.Report, error) {
		return &bench.Report{Kind: "verify", Workload: w, Started: time.Unix(1, 0), Seconds: 1, Judged: true, Failures: []string{"2 messages lost", "1 offset without a message"}}, nil
	}
	var out strings.Builder
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-o", "json"}, "verify failed: 2 messages lost; 1 offset without a message"},
		{[]string{}, "verify failed, for what stands above"},
	} {
		cmd := wl.command()
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		out.Reset()
		cmd.SetOut(&out)
		cmd.SetArgs(c.args)
		if err := cmd.Execute(); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	if !strings.Contains(out.String(), "  FAILED: 2 messages lost\n  FAILED: 1 offset") || strings.Contains(out.String(), "passed") {
		t.Error(out.String())
	}
}
