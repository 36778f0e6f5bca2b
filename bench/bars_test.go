package bench

import (
	"os"
	"strings"
	"testing"
)

func TestReadBars(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, err string }{
		{"# nothing\n\nn | what | k, latency p99 | < 2 ms |\n", ""},
		{"n | what | | >= 50 % | [there](x.md)\n", ""},
		{"n | what | k, latency p99 | < 2 |\n", `line 1: bar "< 2": as`},
		{"\nn | what | k, latency p99 | < 2 ms\n", "line 2: 4 fields"},
		{"n | what | | >= 50 % |\n", "line 1: neither"},
		{"n | what | key | < 2 ms | x\n", "line 1: neither"},
		{"n | what | *, latency p99 | < 2 x |\n", "line 1: a bar of every result"},
	} {
		if _, err := ReadBars(strings.NewReader(c.text)); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

// TestBarTable: each bar stands beside its figure, and says whether it is reached, or why that cannot be said.
func TestBarTable(t *testing.T) {
	t.Parallel()
	r := rated(true, [][2]float64{{300, 1}, {300, 1}}, [][2]float64{{100, 4}, {100, 4}})
	r.Key = "fast-SYNC"
	for i, s := range r.sets() {
		for _, report := range s.Reports {
			report.Broker = &Used{CPUPerMessageUs: []float64{2, 18}[i], ResidentBytes: 100 << 20}
			report.Generator.CPUPerMessageUs = []float64{0.5, 6}[i]
		}
	}
	once := rated(true, [][2]float64{{300, 1}}, [][2]float64{{100, 4}})
	once.Key = "once-SYNC"
	once.A.Reports[0].tell("during to before", 1.15, "times", lower)
	apart := rated(true, [][2]float64{{100, 1}, {300, 1}}, [][2]float64{{150, 4}, {140, 4}})
	apart.Key = "apart-SYNC"
	for i, report := range apart.A.Reports { // the inverse has the ends of its ratios the other way round
		report.Broker, apart.B.Reports[i].Broker = &Used{CPUPerMessageUs: 2}, &Used{CPUPerMessageUs: []float64{8, 16}[i]}
	}
	notes := ReadNotes("# Title\n\nAbove.\n\n## n\n\nTwo lines\nare one.\n\nMore.\n\n## other\n\nNo.\n")
	for _, c := range []struct{ bar, want string }{
		{"n | a | fast-SYNC, messages per broker CPU second | >= 10 x |", "| a | >= 10 x | 9.00x (2.00 us / 18.0 us; rounds 9.00..9.00x) | **no** | Two lines are one. [more](notes.md#n) |"},
		{"n | a | fast-SYNC, messages per broker CPU second | >= 9 x |", "| a | >= 9 x | 9.00x (2.00 us / 18.0 us; rounds 9.00..9.00x) | yes | - |"},
		{"n | a | fast-SYNC, messages a second | > 3 x |", "| 3.00x (300 / 100; rounds 3.00..3.00x) | **no** |"},
		{"n | a | fast-SYNC, broker CPU a message | <= 0.2 x |", "| 0.11x (2.00 us / 18.0 us; rounds 0.11..0.11x) | yes | - |"},
		{"n | a | fast-SYNC, latency p99 | < 1 ms |", "| 1.00 ms (b 4.00 ms) | **no** |"},
		{"n | a | fast-SYNC, latency p99 | <= 1 ms |", "| 1.00 ms (b 4.00 ms) | yes |"},
		{"n | a | fast-SYNC, broker memory, resident | < 150 MiB |", "| 100 MiB (b 100 MiB) | yes |"},
		{"n | a | fast-SYNC, latency p99.99 | < 10 ms |", "| not measured by these rounds | not judged | Two lines"},
		{"none | a | slow-SYNC, latency p99 | < 10 ms |", "| this page was made without that row | not judged | - |"},
		{"none | a | slow-SYNC, latency p99 | < 10 ms | [there](x.md)", "| [there](x.md) | as it says there | - |"},
		{"other | a | | >= 50 % | [there](x.md)", "| a | >= 50 % | [there](x.md) | as it says there | No. [more](notes.md#other) |"},
		{"n | a | apart-SYNC, messages a second | >= 1 x |", "| 1.38x (200 / 145; rounds 0.67..2.14x) | not judged (the rounds contradict each other); as it stands yes | Two lines"},
		{"n | a | fast-SYNC, latency p99 | < 1 ms |\nn | b | fast-SYNC, latency p99 | < 0.5 ms |", "| b | < 0.5 ms | 1.00 ms (b 4.00 ms) | **no** | as above [more]"},
		{"n | a | apart-SYNC, messages per broker CPU second | >= 6 x |", "| 6.00x (2.00 us / 12.0 us; rounds 4.00..8.00x) | yes | - |"},
		{"n | a | *, generator CPU to broker CPU | <= 0.25 times |", "| 0.33x (fast-SYNC, b), the worst of 2 | **no** | Two lines"},
		{"n | a | *, generator CPU to broker CPU | <= 0.34 times |", "| 0.33x (fast-SYNC, b), the worst of 2 | yes | - |"},
		{"n | a | *, during to before | <= 1.1 times |", "| 1.15x (once-SYNC, a), the worst of 1 | not judged (one round); as it stands no | Two lines"},
		{"n | a | *, messages a second | >= 101 s |", "| 100 (fast-SYNC, b), the worst of 6 | **no** |"},
		{"n | a | *, latency p50 | < 1 ms |", "| this page was made without that row | not judged |"},
		{"n | a | once-SYNC, messages a second | >= 2 x |", "| 3.00x (300 / 100) | not judged (one round); as it stands yes | Two lines"},
		{"n | a | once-SYNC, during to before | <= 1.1 times |", "| 1.15x | not judged (one round); as it stands no | Two lines"},
	} {
		bars, err := ReadBars(strings.NewReader(c.bar))
		if err != nil {
			t.Fatalf("%s: %v", c.bar, err)
		}
		if got := barTable(bars, []*Result{r, once, apart}, notes, "notes.md"); !strings.Contains(got, c.want) {
			t.Errorf("%s: no %q in\n%s", c.bar, c.want, got)
		}
	}
	if got := barTable(nil, []*Result{r}, notes, ""); got != "" {
		t.Error(got)
	}
}

// TestBarsOfVersus: the bars that the project is held to can be read, each with a note about what is left, and a metric that there is.
func TestBarsOfVersus(t *testing.T) {
	t.Parallel()
	f, err := os.Open("../interop/bars.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	bars, err := ReadBars(f)
	if err != nil || len(bars) < 30 {
		t.Fatalf("%d bars, %v", len(bars), err)
	}
	text, err := os.ReadFile("../docs/benchmarks-notes.md")
	if err != nil {
		t.Fatal(err)
	}
	notes := ReadNotes(string(text))
	script, err := os.ReadFile("../interop/versus.sh")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{perCPUSecond: true, "p99 of sends, during to before": true}
	for i := range metrics {
		known[metrics[i].name] = true
	}
	for _, b := range bars {
		if notes[b.Note] == "" {
			t.Errorf("%s: no section %q in the notes", b.What, b.Note)
		}
		row, _, _ := strings.Cut(b.Key, "-")
		if b.Key != "" && b.Key != anyKey && !strings.Contains(string(script), "\n"+row+"|") {
			t.Errorf("%s: no row %q", b.What, row)
		}
		if b.Key != "" && !known[b.Metric] {
			t.Errorf("%s: no metric %q", b.What, b.Metric)
		}
	}
}
