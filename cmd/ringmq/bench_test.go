package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/bench"
)

// saved writes a report to a file and returns its name.
func saved(t *testing.T, name string, perSecond float64, more func(*bench.Report)) string {
	t.Helper()
	r := &bench.Report{Kind: "produce", Name: name, Started: time.Unix(1, 0).UTC(), Seconds: 10, PerSecond: perSecond, Messages: int64(perSecond * 10), Requests: int64(perSecond * 10),
		Latency: bench.Latency{Mean: 1, P50: 1, P90: 2, P99: 3, P999: 4, P9999: 5, Max: 6}, Curve: []bench.Point{{Percentile: 50, Ms: 1}, {Percentile: 100, Ms: 6}}}
	if more != nil {
		more(r)
	}
	file := filepath.Join(t.TempDir(), name+".json")
	if err := writeFile(file, func(w io.Writer) error { return bench.WriteJSON(w, r) }); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBenchFlags: every flag of produce reaches the workload.
func TestBenchFlags(t *testing.T) {
	var got bench.Workload
	wl := workloads[0]
	wl.run = func(_ context.Context, w bench.Workload, _ func(bench.Second)) (*bench.Report, error) {
		got = w
		return &bench.Report{Kind: "produce", Workload: w, Started: time.Unix(1, 0), Seconds: 1, Messages: 1}, nil
	}
	run := func(args ...string) (string, error) {
		cmd := wl.command()
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		cmd.SetArgs(args)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		err := cmd.Execute()
		return out.String(), err
	}
	if _, err := run(); err != nil {
		t.Fatal(err)
	}
	sizes, _ := bench.ParseSizes("1024")
	want := bench.Workload{Addr: "127.0.0.1:10911", Topic: "RingmqBench", Topics: 1, Queues: 8, Encoding: "json", Conns: 4, Window: 64, Sizes: sizes, Batch: 1, WarmUp: 2 * time.Second, Duration: 10 * time.Second}
	if a, b := asJSON(t, got), asJSON(t, want); a != b {
		t.Errorf("defaults: %s, not %s", a, b)
	}
	pid := strconv.Itoa(os.Getpid())
	out, err := run(strings.Fields("-b 127.0.0.1:1 --pid " + pid + " --name N --connections 2 --window 3 --rate 5.5 --poisson --encoding binary --size 10-20,30:2 --batch 4 --oneway --tag T --keys --property 9 " +
		"--topic X --topics 6 --queues 7 --existing --warm-up 8s --duration 9s --json -")...)
	if err != nil {
		t.Fatal(err)
	}
	sizes, _ = bench.ParseSizes("10-20,30:2")
	want = bench.Workload{Addr: "127.0.0.1:1", Topic: "X", Topics: 6, Queues: 7, Existing: true, Encoding: "binary", Conns: 2, Window: 3, Rate: 5.5, Poisson: true, Sizes: sizes, Batch: 4, Oneway: true,
		Tag: "T", Keys: true, Property: 9, WarmUp: 8 * time.Second, Duration: 9 * time.Second, PID: os.Getpid()}
	if a, b := asJSON(t, got), asJSON(t, want); a != b {
		t.Errorf("%s, not %s", a, b)
	}
	warning, out, _ := strings.Cut(out, "\n") // it does not listen there, and both streams are one here
	if r, err := bench.ReadResult(strings.NewReader(out)); err != nil || r.A.Name != "N" || r.A.Reports[0].Host == nil || r.A.Reports[0].Ringmq != version || len(r.A.Reports[0].Warnings) != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	if warning != "warning: process "+pid+" does not listen on 127.0.0.1:1: its figures may be those of something else" {
		t.Error(warning)
	}
	for _, c := range []struct{ args, want string }{
		{"--size 0", "size"}, {"-o xml", `output "xml": table or json`}, {"--poisson", "give a --rate"}, {"-b a:1 -n b:2", "were all set"}, {"--pid x", "a number or auto"},
		{"extra", "unknown command"}, {"--pid auto -b 192.0.2.1:5", "no address of this machine"}, {"-n 127.0.0.1:1;127.0.0.1:2", "name server 127.0.0.1:2: nothing listens there"},
		{"--pid 999999999", "no such process"}, {"--window 0", "--window is 0, it must be above 0; without the flag it is 64"}, {"--connections 0", "--connections is 0"}, {"--duration 0s", "--duration is 0s"},
		{"--duration 5", "write 5s, 5m or 5h"}, {"--warm-up x", "write it as 500ms"}, {"--size 1KB", "a number with K, M, G or T"}, {"--json /nowhere/x", "no such file"}, {"--json - --html -", "only one"},
	} {
		if _, err := run(strings.Fields(c.args)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBenchTable: what each row of the table of workloads says is there and can be run.
func TestBenchTable(t *testing.T) {
	known := map[string]bool{}
	for _, g := range flagGroups {
		known[g.name] = true
	}
	for _, wl := range workloads {
		for _, g := range wl.groups {
			if !known[g] {
				t.Errorf("%s: no group of flags %q", wl.name, g)
			}
		}
		help, err := ringmq(t, "bench", wl.name, "--help")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{wl.long, "Exit code 0: ", "--pid auto", "Examples:\n  ringmq bench " + wl.name, "The broker:\n", "What comes out:\n"} {
			if !strings.Contains(help, want) {
				t.Errorf("%s: no %q in its help", wl.name, want)
			}
		}
		if loops := strings.Contains(help, "Without --rate the loop is closed"); loops != (wl.name == "produce") {
			t.Errorf("%s: help about closed loops: %v", wl.name, loops)
		}
		for line := range strings.SplitSeq(wl.example, "\n") {
			words := strings.Fields(strings.SplitN(line, "  ", 2)[0])
			cmd := wl.command()
			if err := cmd.ParseFlags(words[1:]); err != nil || words[0] != wl.name {
				t.Errorf("%s: example %q: %v", wl.name, line, err)
			}
		}
	}
	if help, err := ringmq(t, "bench", "versus", "--help"); err != nil || !strings.Contains(help, "--rounds int") || !strings.Contains(help, "--connections int") || strings.Contains(help, "--broker") {
		t.Errorf("%v\n%s", err, help)
	}
}

func TestBenchVersusRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"a=x:1", "versus compares two brokers, and 1 were named: give two targets"}, {"a=x:1 b=y:2 --workload none", `workload "none": one of produce`}, {"a=x:1 b=y:2 --rounds 0", "at least 1"},
		{"x:1 b=y:2", "it has no name"}, {"a=127.0.0.1:1 b=127.0.0.1:1", "a: broker 127.0.0.1:1: nothing listens there"}, {"a=127.0.0.1:1 a=127.0.0.1:1", "both targets"},
	} {
		if _, err := ringmq(t, append([]string{"bench", "versus"}, strings.Fields(c.args)...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

// TestBenchForeign: a flag that the workload does not know is refused, and not passed over.
func TestBenchForeign(t *testing.T) {
	o := &benchOptions{}
	cmd := newBenchVersus()
	if err := cmd.ParseFlags([]string{"--batch", "3", "--duration", "1s"}); err != nil {
		t.Fatal(err)
	}
	if err := o.foreign(cmd, &workload{name: "idle", groups: []string{"load", "time", "output"}}); err == nil || err.Error() != "--batch means nothing to idle" {
		t.Errorf("%v", err)
	}
	if err := o.foreign(cmd, &workloads[0]); err != nil {
		t.Error(err)
	}
}

func TestBenchCompare(t *testing.T) {
	dir := t.TempDir()
	fast, slow := saved(t, "fast", 200_000, nil), saved(t, "slow", 100_000, func(r *bench.Report) { r.Errors = map[string]int64{"code 2 SYSTEM_BUSY": 4} })
	result := filepath.Join(dir, "result.json")
	page := filepath.Join(dir, "page.html")
	out, err := ringmq(t, "bench", "compare", fast, slow, "--json", result, "--html", page, "--title", "The title", "--note", "A note.", "--command", "how it was made")
	if err != nil || !strings.Contains(out, "The title\n") || !strings.Contains(out, "fast moved 2.00 times as many messages a second as slow: 200,000 against 100,000.") || !strings.Contains(out, "slow failed 4 requests") {
		t.Errorf("%v\n%s", err, out)
	}
	again, err := ringmq(t, "bench", "compare", result)
	if err != nil || again+"wrote "+result+"\nwrote "+page+"\n" != out {
		t.Errorf("%v: a saved comparison is shown as\n%s", err, again)
	}
	for _, file := range []string{page, filepath.Join(dir, "all.html"), filepath.Join(dir, "all.md")} {
		if file != page {
			flag := "--html"
			if strings.HasSuffix(file, ".md") {
				flag = "--markdown"
			}
			if out, err := ringmq(t, "bench", "page", flag, file, "--title", "All", result, fast); err != nil || out != "wrote "+file+"\n" {
				t.Fatalf("%v, %s", err, out)
			}
		}
		b, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(b), "The title") || !strings.Contains(string(b), "how it was made") || !strings.Contains(string(b), "A note.") {
			t.Errorf("%s: %v", file, err)
		}
	}
	same := saved(t, "fast", 1, nil)
	if out, err := ringmq(t, "bench", "compare", fast, same, "--in-turns"); err != nil || !strings.Contains(out, "1 of 1") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{fast, saved(t, "reader", 1, func(r *bench.Report) { r.Kind = "consume" })}, "they measure different things"},
		{[]string{fast}, "it holds no comparison"}, {[]string{fast, result}, "cannot be compared with another"}, {[]string{fast, "/nowhere"}, "no such file"},
		{[]string{fast, slow, "--fail-on-errors"}, "unknown flag: --fail-on-errors"}, {[]string{fast, page}, page + ": "}, {[]string{fast, slow, "--html", dir}, "is a directory"},
	} {
		if _, err := ringmq(t, append([]string{"bench", "compare"}, c.args...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	if _, err := ringmq(t, "bench", "page", fast); err == nil || !strings.Contains(err.Error(), "--html or --markdown") {
		t.Errorf("%v", err)
	}
}

// TestProgress: one line that is written over, cut to the terminal; nothing where there is no terminal.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, &bench.Workload{Duration: 3 * time.Second, WarmUp: time.Second})
	if tick := p.begin("x"); tick != nil {
		t.Error("a buffer is no terminal")
	}
	p.end()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	if p.phase("measuring"); out.String() != "measuring\n" {
		t.Errorf("without a terminal a phase is a line: %q", out.String())
	}
	out.Reset()
	p.on = true
	tick := p.begin("round 1 of 2, ours:")
	tick(bench.Second{Messages: 1234, Errors: 2, Latency: bench.Latency{P50: 0.5, P99: 12}, BrokerCPU: 1.5})
	p.columns = 30
	tick(bench.Second{Messages: 99, Errors: 1})
	p.phase("measuring")
	p.end()
	want := "\r\x1b[Kround 1 of 2, ours:  warming up for 1s" +
		"\r\x1b[Kround 1 of 2, ours:  1,234/s  p50 500 us  p99 12.0 ms  broker 1.50 cores  error" +
		"\r\x1b[Kround 1 of 2, ours:  99/s  p5" +
		"\r\x1b[Kround 1 of 2, ours:  measurin\r\x1b[K"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// TestBenchRuns loads a real broker and looks at its process, which is this one.
func TestBenchRuns(t *testing.T) {
	p := &standaloneProcess{both: parsed(t, nil, small(filepath.Join(t.TempDir(), "data"))...), logger: quiet()}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.shutdown(context.Background()) }()
	addr := p.b.b.Addr().String()
	page := filepath.Join(t.TempDir(), "page.html")
	out, err := ringmq(t, "bench", "produce", "-b", addr, "--pid", "auto", "--duration", "1s", "--warm-up", "0s", "--connections", "1", "--window", "2", "--size", "100", "-o", "json",
		"--fail-on-errors", "--html", page)
	if err != nil {
		t.Fatal(err)
	}
	out, written, _ := strings.Cut(out, "wrote ") // on the other stream
	if written != page+"\n" {
		t.Error(written)
	}
	r, err := bench.ReadResult(strings.NewReader(out))
	if err != nil || r.A.Reports[0].Workload.PID != os.Getpid() || r.A.Reports[0].Broker == nil || r.A.Name != addr {
		t.Errorf("%v\n%s", err, out)
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "<svg") {
		t.Errorf("%v", err)
	}
	out, err = ringmq(t, "bench", "produce", "-b", addr, "--existing", "--duration", "500ms", "--warm-up", "0s", "--connections", "1", "--window", "2", "--html", "-")
	if err != nil || !strings.HasPrefix(out, "<!DOCTYPE html>") || !strings.Contains(out, "1 topic of 8 queues") || !strings.Contains(out, "ringmq, speaks 5.3.3") {
		t.Errorf("%v\n%.300s", err, out)
	}
	if _, err = ringmq(t, "bench", "produce", "-b", addr, "--existing", "--queues", "7"); err == nil || err.Error() != "topic RingmqBench has 8 queues, --queues says 7" {
		t.Error(err)
	}
	gate := []string{"bench", "versus", "a=" + addr + ",pid=auto", "b=" + addr + ",pid=auto", "--existing", "--rounds", "1", "--duration", "500ms", "--warm-up", "0s", "--connections", "1", "--window", "8", "--max-cpu-ratio"}
	if _, err := ringmq(t, append(gate, "0.000001")...); err == nil || !strings.Contains(err.Error(), "a message costs a ") {
		t.Error("a gate that lets everything pass:", err)
	}
	if _, err := ringmq(t, append(gate, "1000000")...); err != nil {
		t.Error("a gate that lets nothing pass:", err)
	}
	gate[2] = "a=" + addr
	if _, err := ringmq(t, append(gate, "1")...); err == nil || !strings.Contains(err.Error(), "--max-cpu-ratio: the processes") {
		t.Error("a gate without figures:", err)
	}
	if out, err = ringmq(t, "bench", "versus", "a="+addr, "b="+addr+",pid=auto", "--existing", "--rounds", "2", "--duration", "500ms", "--warm-up", "0s", "--connections", "1", "--window", "1"); err != nil || !strings.Contains(out, "produce: a and b, 2 rounds") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestBenchSuggests: a slip of the pen in a flag or a name is told with what may have been meant.
func TestBenchSuggests(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"produce --conections 3", "unknown flag: --conections; did you mean --connections?"},
		{"versus a=x:1 b=y:2 --round 3", "unknown flag: --round; did you mean --rounds?"},
		{"soak --oneway", "unknown flag: --oneway; ringmq bench soak --help lists them"},
		{"prodcue", `"prodcue" is no command of ringmq bench; did you mean produce?`},
		{"nothing", `"nothing" is no command of ringmq bench; there are `},
		{"produce --rate x", "invalid argument"},
	} {
		if _, err := ringmq(t, append([]string{"bench"}, strings.Fields(c.args)...)...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.args, err)
		}
	}
	if help, err := ringmq(t, "bench", "compare", "--help"); err != nil || strings.Contains(help, "--fail-on-") || !strings.Contains(help, "--html") {
		t.Errorf("%v\n%s", err, help)
	}
}

// TestBenchPageOfOne: a page of one saved report has the line that made it, and the version.
func TestBenchPageOfOne(t *testing.T) {
	one, page := saved(t, "one", 1000, func(r *bench.Report) { r.Command, r.Ringmq = "ringmq bench produce --duration 7s", "7.8.9" }), filepath.Join(t.TempDir(), "one.html")
	if _, err := ringmq(t, "bench", "page", "--html", page, one); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "ringmq bench produce --duration 7s") || !strings.Contains(string(b), "ringmq 7.8.9") {
		t.Errorf("%v\n%s", err, b)
	}
}

// TestBenchPageBars: the bars of a file stand beside the results of the files that they name, and what is left of each that is missed.
func TestBenchPageBars(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	row := filepath.Join(dir, "row-SYNC.json")
	if _, err := ringmq(t, "bench", "compare", saved(t, "ours", 200_000, nil), saved(t, "stock", 100_000, nil), "--json", row); err != nil {
		t.Fatal(err)
	}
	bars, notes, page := write("bars.txt", "n | sends | row-SYNC, messages a second | >= 3 x |\n"), write("notes.md", "## n\n\nThe disk.\n"), filepath.Join(dir, "page.md")
	if _, err := ringmq(t, "bench", "page", "--markdown", page, "--bars", bars, "--notes", notes, row); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "| sends | >= 3 x | 2.00x (200,000 / 100,000) | not judged (one round); as it stands no | The disk. [more](notes.md#n) |") {
		t.Errorf("%v\n%s", err, b)
	}
	if _, err := ringmq(t, "bench", "page", "--markdown", page, "--bars", write("bad.txt", "x\n"), row); err == nil || !strings.Contains(err.Error(), "bad.txt: line 1") {
		t.Error(err)
	}
}

// TestBenchDeletesItsTopic: what a run made is gone when it is asked for, and what was there stays.
func TestBenchDeletesItsTopic(t *testing.T) {
	p := &standaloneProcess{both: parsed(t, nil, small(filepath.Join(t.TempDir(), "data"))...), logger: quiet()}
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.shutdown(context.Background()) }()
	run := func(args ...string) (string, error) {
		return ringmq(t, append([]string{"bench", "produce", "-b", p.b.b.Addr().String(), "--duration", "200ms", "--warm-up", "0s", "--connections", "1", "--window", "2", "--size", "100"}, args...)...)
	}
	if out, err := run("--topic", "Passing", "--delete-topic"); err != nil || !strings.Contains(out, "topics deleted that this run had made: 1\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := run("--topic", "Passing", "--existing"); err == nil || !strings.Contains(err.Error(), "has no topic Passing") {
		t.Errorf("it is still there: %v", err)
	}
	if _, err := run("--topic", "Staying"); err != nil {
		t.Fatal(err)
	}
	if out, err := run("--topic", "Staying", "--delete-topic"); err != nil || !strings.Contains(out, "topics deleted that this run had made: 0\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := run("--topic", "Staying", "--existing"); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}
