package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewriteGolden = flag.Bool("golden", false, "write the golden files anew")

// sampleReport is a report whose figures follow from a rate and a latency; round makes them a little different.
func sampleReport(name string, perSecond, p50 float64, round int) *Report {
	f := 1 + float64(round)/50
	perSecond, p50 = perSecond*f, p50/f
	r := &Report{
		Kind: "produce", Name: name, Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Seconds: 3.5, Requests: int64(perSecond * 3.5), Messages: int64(perSecond * 3.5),
		PerSecond: perSecond, Bytes: int64(perSecond*3.5) * 1024,
		Host:      &Host{Name: "host", System: "Linux 6.1", Processor: "Some <CPU> & more", Processors: 2, MemoryBytes: 8 << 30},
		Workload:  Workload{Addr: "127.0.0.1:10911", Conns: 4, Window: 64, WarmUp: time.Second, Duration: 3500 * time.Millisecond, Sizes: FixedSize(1024)}.withDefaults(),
		Latency:   Latency{Mean: p50 * 1.1, P50: p50, P90: p50 * 1.5, P99: p50 * 3, P999: p50 * 8, P9999: p50 * 20, Max: p50 * 50},
		Broker:    &Used{CPUSeconds: 3.5, Cores: 1, CPUPerMessageUs: 1e6 / perSecond, ResidentBytes: int64(1e12 / perSecond), AnonymousBytes: int64(4e11 / perSecond), PeakBytes: 70 << 20, DiskWriteBytes: 3 << 30, Threads: 12},
		Generator: Used{CPUSeconds: 1.75, Cores: 0.5, CPUPerMessageUs: 0.5e6 / perSecond, ResidentBytes: 14 << 20, AnonymousBytes: 6 << 20, PeakBytes: 15 << 20, Threads: 8, PageCachedBytes: 5 << 30},
		Others:    &Others{Cores: 0.04, Share: 0.02},
	}
	for i := range 4 {
		share := []float64{1, 1.1, 0.9, 0.5}[i]
		l := r.Latency
		l.P99 *= share
		r.Series = append(r.Series, Second{Messages: int64(perSecond * share), Latency: l, BrokerCPU: share, BrokerBytes: r.Broker.ResidentBytes})
	}
	for i, p := range []float64{0, 50, 90, 99, 99.9, 99.99, 100} {
		r.Curve = append(r.Curve, Point{p, p50 * float64(1+i*i)})
	}
	return r
}

// sampleVersus is three rounds of two brokers, the first 3.2 times as fast.
func sampleVersus() *Result {
	b := Set{Name: "stock"}
	r := &Result{Title: "produce: ours and stock, 3 rounds", Command: "ringmq bench versus ours=127.0.0.1:1 stock=127.0.0.1:2 --note 'a <b> & c'", Rounds: true, A: Set{Name: "ours"}, B: &b}
	for round := range 3 {
		x, y := sampleReport("ours", 400_000, 0.15, round), sampleReport("stock", 125_000, 0.5, round)
		x.About = &About{Version: "5.3.3", FlushDiskType: "SYNC_FLUSH", BrokerRole: "ASYNC_MASTER", DiskEngine: "io_uring"}
		y.About = &About{FlushDiskType: "ASYNC_FLUSH", BrokerRole: "ASYNC_MASTER", Untold: []string{"its runtime figures: code 16 NO_PERMISSION"}}
		r.A.Reports = append(r.A.Reports, x)
		b.Reports = append(b.Reports, y)
	}
	y := b.Reports[1]
	y.Others = &Others{Cores: 0.5, Share: 0.25}
	y.Warnings = []string{y.Others.warning()}
	return r
}

// sampleTrouble is a report of a run in which much went wrong.
func sampleTrouble() *Report {
	r := sampleReport(`odd <name> & "more"`, 900, 12, 0)
	r.Workload.Rate, r.Workload.Poisson, r.Workload.Batch, r.Workload.Tag, r.Workload.Keys, r.Workload.Property = 2000, true, 16, "a<b", true, 100
	r.Requests = 196
	r.Errors = map[string]int64{"code 2 SYSTEM_BUSY": 30, "code 14 SERVICE_NOT_AVAILABLE": 1}
	r.Remarks = map[string]string{"code 2 SYSTEM_BUSY": "[TIMEOUT_CLEAN_QUEUE]broker busy"}
	r.Warnings = []string{"the broker's process ended during the run"}
	r.Broker, r.Others, r.Generator.Cores = nil, nil, 0.97
	return r
}

// sampleDetails is a report with figures of its own and a verdict.
func sampleDetails(name string, lost float64) *Report {
	r := sampleReport(name, 1000, 2, 0)
	r.Kind, r.Workload.Ledger, r.Judged = "verify", "ledger", true
	r.tell("acknowledged", 3500, "", "")
	r.tell("lost", lost, "", lower)
	r.tell("sends, p99", 3+lost, "ms", lower)
	r.tell("drained", 5e8*(2+lost), "bytes/s", higher)
	r.tell("read back in", 0.25, "s", "")
	r.tell("memory growth", -3.5, "MiB/h", "")
	r.tell("peak", 123456.7, "/s", higher)
	r.tell("ratio", 1.5, "times", lower)
	r.tell("size", 1<<20, "bytes", "")
	if lost > 0 {
		r.Failures = []string{"1 acknowledged message lost"}
	}
	return r
}

func sameAsGolden(t *testing.T, name string, write func(io.Writer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *rewriteGolden {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		got, lines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
		for i := range got {
			if i >= len(lines) || got[i] != lines[i] {
				t.Errorf("%s differs from line %d on:\n%s", name, i+1, got[i])
				break
			}
		}
		t.Errorf("%s: run the test with -golden if this is meant, and look at the difference", name)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	single, trouble := Single(sampleReport("ours", 400_000, 0.15, 0)), Single(sampleTrouble())
	oneway := sampleReport("ours", 400_000, 0.15, 0)
	oneway.Workload.Oneway = true
	pair := Result{Title: "two", A: Set{"before", []*Report{sampleReport("before", 1000, 2, 0)}}, B: &Set{"after", []*Report{sampleTrouble()}}}
	all := []*Result{sampleVersus(), single, &pair}
	catchups := Result{Title: "catchup", A: Set{"before", []*Report{sampleDetails("before", 1)}}, B: &Set{"after", []*Report{sampleDetails("after", 0)}}}
	failed := Single(sampleDetails("ours", 1))
	stopped, unchecked, unfinished := sampleDetails("ours", 0), sampleDetails("ours", 0), sampleDetails("ours", 0)
	stopped.Stopped = "stopped after 3.5 s of 10s"
	unchecked.Judged, unchecked.Unjudged = false, "no connection of 4 is left"
	unfinished.Kind, unfinished.Judged, unfinished.Stopped, unfinished.Unjudged = "soak", false, stopped.Stopped, "a soak that is not whole has not passed"
	brokenOff := sampleVersus()
	brokenOff.A.Reports, brokenOff.B.Reports = brokenOff.A.Reports[:2], brokenOff.B.Reports[:2]
	if _, err := brokenOff.ended(5, errors.New("round 3, stock: gone")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"report.txt", single.Text}, {"trouble.txt", trouble.Text}, {"oneway.txt", Single(oneway).Text}, {"versus.txt", sampleVersus().Text}, {"pair.txt", pair.Text},
		{"stopped.txt", Single(stopped).Text}, {"unchecked.txt", Single(unchecked).Text}, {"unfinished.txt", Single(unfinished).Text}, {"broken-off.txt", brokenOff.Text},
		{"stopped.html", (&Page{Title: "t", Results: []*Result{brokenOff, Single(unfinished)}}).Write},
		{"details.txt", failed.Text}, {"details-pair.txt", catchups.Text}, {"details.html", (&Page{Title: "t", Results: []*Result{failed}}).Write},
		{"report.json", func(w io.Writer) error { return WriteJSON(w, single.A.Reports[0]) }},
		{"page.md", (&Document{Title: "Title", Intro: "Some *intro*.\n", Machine: "A disk.", Missing: []string{"a row: not as root"}, Results: all}).Write},
		{"versus.html", (&Page{Title: sampleVersus().Title, Results: all[:1]}).Write},
		{"trouble.html", (&Page{Title: "t", Results: []*Result{trouble}}).Write},
		{"page.html", (&Page{Title: `Title <i>&"`, Results: all}).Write},
	} {
		b := sameAsGolden(t, c.name, c.write)
		if strings.HasSuffix(c.name, ".html") {
			if err := selfContained(b); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		for _, bad := range []string{"NaN", "Inf", "%!", "<nil>"} {
			if bytes.Contains(b, []byte(bad)) {
				t.Errorf("%s: %s in it", c.name, bad)
			}
		}
	}
}

// selfContained says what is wrong with a page: it must be well-formed and must load nothing and run nothing.
func selfContained(page []byte) error {
	d := xml.NewDecoder(bytes.NewReader(page))
	ids, links := map[string]bool{}, []string{}
	charts := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch e.Name.Local {
		case "script", "link", "img", "iframe", "object", "embed", "image", "use", "base":
			return fmt.Errorf("an element %s", e.Name.Local)
		case "figure":
			charts++
		}
		for _, a := range e.Attr {
			switch value := a.Value; {
			case a.Name.Local == "id":
				ids[value] = true
			case a.Name.Local == "href":
				links = append(links, value)
			case a.Name.Local == "src" || strings.HasPrefix(a.Name.Local, "on"):
				return fmt.Errorf("%s=%q", a.Name.Local, value)
			}
		}
	}
	for _, l := range links {
		if !strings.HasPrefix(l, "#") || !ids[l[1:]] {
			return fmt.Errorf("a link to %q", l)
		}
	}
	for _, s := range []string{"url(", "@import", "http:", "https:"} {
		if bytes.Contains(page, []byte(s)) {
			return fmt.Errorf("%q is in it", s)
		}
	}
	if charts == 0 {
		return errors.New("no chart")
	}
	return nil
}

func TestSelfContained(t *testing.T) {
	for _, c := range []struct{ page, want string }{
		{"<p><figure></figure></p>", ""}, {"<p>", "syntax"}, {"<p></p>", "no chart"}, {`<a href="x"/>`, "a link"}, {`<a href="#x"/>`, "a link"},
		{"<img/>", "img"}, {`<p onclick="x"/>`, "onclick"}, {"<figure/><style>a{b:url(c)}</style>", "url("},
	} {
		err := selfContained([]byte(c.page))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.page, err)
		}
	}
}

// TestLegends: every line of a chart stands in the colour of its legend, and both targets are drawn in all that have figures.
func TestLegends(t *testing.T) {
	for _, c := range sampleVersus().charts() {
		drawn := map[string]int{}
		for _, l := range c.lines {
			drawn[l.class]++
		}
		if drawn["c1"] == 0 || drawn["c1"] != drawn["c2"] || len(drawn) != 2 {
			t.Errorf("%s: %v", c.title, drawn)
		}
		if legend := c.legend(); !strings.Contains(legend, "ours") || !strings.Contains(legend, "stock") {
			t.Errorf("%s: %s", c.title, legend)
		}
	}
}

func TestAxes(t *testing.T) {
	for _, c := range []struct {
		name   string
		a      axis
		values []float64
		want   string
	}{
		{"from zero", axis{fromZero: true}, []float64{3, 97}, "0 20 40 60 80 100"},
		{"all alike", axis{}, []float64{5, 5}, "5 5.2 5.4 5.6 5.8 6"},
		{"none", axis{}, nil, "1 1.2 1.4 1.6 1.8 2"},
		{"seconds", axis{seconds: true}, []float64{1, 2, 3}, "1 2 3"},
		{"many seconds", axis{seconds: true}, []float64{1, 60}, "20 40 60"},
		{"log", axis{log: true}, []float64{0, 0.3, 40}, "0.2 0.5 1 2 5 10 20 50"},
		{"log over much", axis{log: true}, []float64{0.001, 900}, "0.001 0.01 0.1 1 10 100 1000"},
		{"log of one", axis{log: true}, []float64{7}, "5 10"},
		{"binary", axis{fromZero: true, binary: true}, []float64{100}, "0 32 64 96 128"},
		{"binary log", axis{log: true, binary: true}, []float64{3, 60}, "2 4 8 16 32 64"},
	} {
		text := func(v float64) string { return fmt.Sprintf("%.4g", v) }
		c.a.fit(c.values, text)
		var got []string
		for _, m := range c.a.marks {
			if place := c.a.place(m.at); place < 0 || place > 1 {
				t.Errorf("%s: %s at %f", c.name, m.text, place)
			}
			got = append(got, m.text)
		}
		if joined := strings.Join(got, " "); joined != c.want {
			t.Errorf("%s: %s, not %s", c.name, joined, c.want)
		}
	}
}

// TestThinned: a long line keeps its peaks and its ends' order, and a short one all of it.
func TestThinned(t *testing.T) {
	for _, n := range []int{0, 1, 5, 640, 641, 1000, 86_400} {
		y := make([]float64, n)
		for i := range y {
			y[i] = float64(i % 7)
		}
		if n > 0 {
			y[n/2], y[n/3] = 1000, -1000
		}
		keep := thinned(y)
		if n <= drawnPoints && len(keep) != n || len(keep) > 2*drawnPoints || !slices.IsSorted(keep) {
			t.Errorf("%d: %d are kept", n, len(keep))
		}
		if n > 1 && (!slices.Contains(keep, n/2) || !slices.Contains(keep, n/3)) {
			t.Errorf("%d: the peaks are lost", n)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"}, {Count(999), "999"}, {Count(1000), "1,000"}, {Count(-1234567), "-1,234,567"}, {Count(1234.6), "1,235"}, {Count(12.34), "12.3"}, {Count(0.5), "0.50"},
		{percent(0), "0.00 %"}, {percent(1), "100 %"}, {percent(0.9999), "99.9 %"}, {percent(0.254), "25 %"}, {percent(0.00123), "0.12 %"}, {percent(1e-7), "less than 0.01 %"}, {percent(1.5), "150 %"},
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1024), "1.00 KiB"}, {Bytes(1536 << 20), "1.50 GiB"}, {Bytes(3 << 50), "3072 TiB"}, {Bytes(-2048), "-2.00 KiB"},
		{Millis(0), "0"}, {Millis(0.0012), "1.20 us"}, {Millis(0.9994), "999 us"}, {Millis(0.9996), "1.00 ms"}, {Millis(12.34), "12.3 ms"}, {Millis(999.4), "999 ms"},
		{Millis(999.6), "1.00 s"}, {Millis(61_000), "61.0 s"}, {Micros(3.456), "3.46 us"}, {Ratio(3.302), "3.30x"}, {Ratio(1 / zero()), "-"}, {Ratio(zero() / zero()), "-"},
		{plural(1, "topic"), "1 topic"}, {plural(2000, "topic"), "2,000 topics"}, {short("50.0 ms"), "50 ms"}, {short("1.20 s"), "1.2 s"}, {short("100"), "100"}, {short("0.5"), "0.5"},
	} {
		if c.got != c.want {
			t.Errorf("%q, not %q", c.got, c.want)
		}
	}
}

func zero() float64 { return 0 }
