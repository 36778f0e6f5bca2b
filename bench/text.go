package bench

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
	"time"
)

// percentile is one of those that are told.
type percentile struct {
	name string
	of   func(*Latency) float64
	rest float64 // share of the requests that are slower
}

var percentiles = []percentile{
	{"p50", func(l *Latency) float64 { return l.P50 }, 0.5},
	{"p90", func(l *Latency) float64 { return l.P90 }, 0.1},
	{"p99", func(l *Latency) float64 { return l.P99 }, 0.01},
	{"p99.9", func(l *Latency) float64 { return l.P999 }, 0.001},
	{"p99.99", func(l *Latency) float64 { return l.P9999 }, 0.0001},
	{"max", func(l *Latency) float64 { return l.Max }, 0},
}

// known returns a percentile of a report; ok is false when too few requests were answered to tell it: fewer than ten slower
// ones are chance.
func (p *percentile) known(r *Report) (ms float64, ok bool) {
	if r.Workload.Oneway || r.Requests == 0 {
		return 0, false
	}
	ms = p.of(&r.Latency)
	if p.rest > 0 && float64(r.Requests)*p.rest < 10 {
		return 0, false
	}
	return ms, ms > 0
}

// Text writes the report for a terminal.
func (r *Report) Text(w io.Writer) error {
	head := fmt.Sprintf("%s %s", r.Kind, r.Workload.Addr)
	if r.Name != "" && r.Name != r.Workload.Addr {
		head = fmt.Sprintf("%s %s (%s)", r.Kind, r.Name, r.Workload.Addr)
	}
	fmt.Fprintf(w, "%s, %s, from %s\n", head, r.counted(), r.Started.Format(time.DateTime))
	for i, line := range wrap(r.describe(), 128) {
		fmt.Fprintf(w, "  %s%s\n", []string{"", "  "}[min(i, 1)], line)
	}
	if r.About != nil {
		fmt.Fprintf(w, "  broker: %s\n", r.About)
	}
	if r.Host != nil {
		fmt.Fprintf(w, "  on %s\n", r.Host)
	}
	fmt.Fprintln(w)
	for _, t := range []*table{r.countTable(), r.latencyTable(), r.detailTable(), r.usedTable()} {
		if len(t.rows) == 0 {
			continue
		}
		if err := t.write(w, "  "); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	for _, why := range sortedKeys(r.Errors) {
		fmt.Fprintf(w, "  error: %s: %s%s\n", why, plural(int(r.Errors[why]), "time"), r.remark(why))
	}
	if s := r.halfStored(); s != "" {
		fmt.Fprintf(w, "  %s\n", s)
	}
	if s := r.shortfall(); s != "" && r.Requests > 0 {
		fmt.Fprintf(w, "  RATE NOT KEPT: %s\n", s)
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "  warning: %s\n", warning)
	}
	if r.Stopped != "" {
		fmt.Fprintf(w, "  %s: the figures are of what was done until then\n", r.Stopped)
	}
	for _, failure := range r.Failures {
		fmt.Fprintf(w, "  FAILED: %s\n", failure)
	}
	switch {
	case r.Unjudged != "":
		fmt.Fprintf(w, "  %s: %s\n", r.noVerdict(), r.Unjudged)
	case r.Judged && len(r.Failures) == 0 && r.Stopped != "":
		fmt.Fprintln(w, "  passed, as far as it came")
	case r.Judged && len(r.Failures) == 0:
		fmt.Fprintln(w, "  passed")
	}
	return nil
}

// noVerdict is what stands where a verdict should.
func (r *Report) noVerdict() string {
	if r.Kind == "soak" {
		return "NOT PASSED"
	}
	return "NOT CHECKED"
}

// remark is what came with the first error of a kind, ready to stand behind it.
func (r *Report) remark(why string) string {
	if remark := r.Remarks[why]; remark != "" {
		return ", the first with: " + remark
	}
	return ""
}

// counted says which time the figures are of.
func (r *Report) counted() string {
	s := fmt.Sprintf("%.1f s counted", r.Seconds)
	if r.Seconds < 1 {
		s = Millis(r.Seconds*1000) + " counted"
	}
	if r.Workload.WarmUp > 0 {
		s += fmt.Sprintf(" after %s of warm-up", r.Workload.WarmUp)
	}
	return s
}

func (r *Report) countTable() *table {
	t := &table{}
	a := func(n float64) string { return Count(math.Round(n)) }
	counts := r.kind().counts
	if r.Workload.Oneway {
		counts = "messages handed to the kernel"
	}
	t.add(counts, a(float64(r.Messages)), a(r.PerSecond)+"/s", Bytes(float64(r.Bytes)/math.Max(r.Seconds, 1e-9))+"/s")
	if r.Requests != r.Messages {
		t.add("requests", a(float64(r.Requests)), a(float64(r.Requests)/math.Max(r.Seconds, 1e-9))+"/s")
	}
	if low, high, ok := r.extremes(); ok {
		t.add("slowest, fastest second", "", a(low)+"/s", a(high)+"/s")
	}
	t.add("errors", a(float64(r.ErrorCount())))
	return t
}

// rates are the messages a second of every second; the last one may be shorter.
func (r *Report) rates() []float64 {
	out := make([]float64, len(r.Series))
	for i := range r.Series {
		length := 1.0
		if i == len(r.Series)-1 {
			length = math.Min(1, math.Max(r.Seconds-float64(i), 0.05))
		}
		out[i] = float64(r.Series[i].Messages) / length
	}
	return out
}

func (r *Report) extremes() (low, high float64, ok bool) {
	rates := r.rates()
	if len(rates) < 2 {
		return 0, 0, false
	}
	sort.Float64s(rates)
	return rates[0], rates[len(rates)-1], true
}

func (r *Report) latencyTable() *table {
	t := &table{}
	if r.Workload.Oneway || r.Requests == 0 || r.Latency.Max == 0 {
		return t
	}
	names, values := []string{r.kind().latency, "mean"}, []string{"", Millis(r.Latency.Mean)}
	for i := range percentiles {
		p := &percentiles[i]
		ms, ok := p.known(r)
		names = append(names, p.name)
		if !ok {
			values = append(values, "-")
		} else {
			values = append(values, Millis(ms))
		}
	}
	t.add(names...)
	t.add(values...)
	return t
}

func (r *Report) usedTable() *table {
	t := &table{}
	t.add("", "cores", "CPU a message", "resident", "anonymous", "peak", "disk written", "disk read", "threads", "page cache")
	row := func(name string, u *Used) {
		t.add(name, fmt.Sprintf("%.2f", u.Cores), Micros(u.CPUPerMessageUs), Bytes(float64(u.ResidentBytes)), Bytes(float64(u.AnonymousBytes)), Bytes(float64(u.PeakBytes)),
			Bytes(float64(u.DiskWriteBytes)), Bytes(float64(u.DiskReadBytes)), Count(float64(u.Threads)), "")
	}
	if r.Broker != nil {
		row("broker", r.Broker)
	}
	row("generator", &r.Generator)
	cached := ""
	if n := r.Generator.PageCachedBytes; n > 0 {
		cached = Bytes(float64(n))
	}
	switch {
	case r.Others != nil:
		t.add("all else", fmt.Sprintf("%.2f", r.Others.Cores), "", "", "", "", "", "", "", cached)
	case cached != "":
		t.add("the machine", "", "", "", "", "", "", "", "", cached)
	}
	return t
}

func sortedKeys(m map[string]int64) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// joined joins with commas and an "and".
func joined(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
