package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// standing is how the first target of a result stands to the second: metrics with their ratios.
type standing struct {
	better, equal, worse, notJudged, notMeasured []string

	why string // nothing is judged; "": it is
}

// judgedMetrics are what a standing counts of every report. What only one workload measures counts too, where it is good or bad. Memory
// does not: a JVM holds the heap that it was given, so that its figure is that of whoever started it.
var judgedMetrics = []string{"messages a second", cpuMetric, "latency p50", "latency p99", "latency p99.9"}

// unjudgeable says why a difference between the two targets of a result means nothing; "": nothing speaks against it.
func (r *Result) unjudgeable() string {
	var why []string
	if min(len(r.A.Reports), len(r.B.Reports)) < 2 {
		why = append(why, "one round")
	}
	for _, s := range r.sets() {
		refused, limited := int64(0), false
		for _, report := range s.Reports {
			refused += report.ErrorCount()
			limited = limited || report.limited()
		}
		if refused > 0 {
			why = append(why, fmt.Sprintf("%s failed %s", s.Name, plural(int(refused), "request")))
		}
		if limited {
			why = append(why, "the generator was the limit with "+s.Name)
		}
	}
	if r.unlikeLoops() && !r.Mixed {
		why = append(why, "a closed loop beside an open one")
	}
	return strings.Join(why, ", ")
}

// standing judges a result of two targets by the ratios of its rows.
func (r *Result) standing() (s standing) {
	rows := r.rows()
	s.why = r.unjudgeable()
	for _, name := range judgedMetrics {
		if i := slices.IndexFunc(rows, func(row Row) bool { return row.Name == name }); i >= 0 {
			r.place(&s, &rows[i])
		} else {
			s.notMeasured = append(s.notMeasured, briefMetric(name))
		}
	}
	for i := range rows {
		if row := &rows[i]; row.m.detail && !row.m.neutral {
			r.place(&s, row)
		}
	}
	return s
}

// place puts one row where it belongs. Equal is what differs by less than half a percent, what the rounds contradict each other
// about, and the throughput of an open loop that both kept.
func (r *Result) place(s *standing, row *Row) {
	name := briefMetric(row.Name)
	if row.A.N == 0 || row.B.N == 0 {
		s.notMeasured = append(s.notMeasured, name)
		return
	}
	if !math.IsNaN(row.Ratio) {
		name += " " + Ratio(row.Ratio)
	}
	rate := r.A.Reports[0].rate()
	low, high := min(row.A.Median, row.B.Median), max(row.A.Median, row.B.Median)
	switch {
	case s.why != "":
		s.notJudged = append(s.notJudged, name)
	case row.m.short == "throughput" && rate > 0 && low >= keptShare*rate, high < 1.005*low, high == low, row.doubtful():
		s.equal = append(s.equal, name)
	case row.better() > 0:
		s.better = append(s.better, name)
	default:
		s.worse = append(s.worse, name)
	}
}

// briefMetric is a metric's name where there is little room.
func briefMetric(name string) string {
	switch name {
	case "messages a second":
		return "messages/s"
	case cpuMetric:
		return "CPU"
	}
	return strings.TrimPrefix(name, "latency ")
}

// countedTime says how often a target was measured and for how long, as it was; both where they differ by more than a tenth.
func (r *Result) countedTime() string {
	text := func(s *Set) (seconds float64, text string) {
		var all []float64
		for _, report := range s.Reports {
			all = append(all, report.Seconds)
		}
		seconds = spreadOf(all).Median
		return seconds, Millis(seconds * 1000)
	}
	a, out := text(&r.A)
	if r.B != nil {
		if b, other := text(r.B); math.Abs(a-b) > 0.1*max(a, b) {
			out += " and " + other
		}
	}
	return fmt.Sprintf("%d x %s", len(r.A.Reports), out)
}

// standings writes the summary of several results: how many figures are better, equal, worse, not judged and not measured, and which
// are worse.
func standings(results []*Result, missing []string) string {
	var b, rows strings.Builder
	var n [5]int
	first, second := "", ""
	var where, unjudged []string
	for _, r := range results {
		if r.B == nil {
			continue
		}
		first, second = r.A.Name, r.B.Name
		s := r.standing()
		line := "| " + cell(r.Title)
		for i, all := range [][]string{s.better, s.equal, s.worse, s.notJudged, s.notMeasured} {
			n[i] += len(all)
			text := "-"
			if len(all) > 0 {
				text = cell(strings.Join(all, "; "))
			}
			line += " | " + text
		}
		rows.WriteString(line + " |\n")
		if len(s.worse) > 0 {
			where = append(where, fmt.Sprintf("- %s: %s", r.Title, strings.Join(s.worse, "; ")))
		}
		if s.why != "" {
			unjudged = append(unjudged, fmt.Sprintf("- %s: %s", r.Title, s.why))
		}
	}
	if rows.Len() == 0 {
		return ""
	}
	fmt.Fprintf(&b, "## In short\n\nOf %s, %s is better in %d, equal in %d, worse in %d; %d were not judged and %d not measured. A ratio is that of %s to %s.\n\n",
		plural(n[0]+n[1]+n[2]+n[3]+n[4], "figure"), first, n[0], n[1], n[2], n[3], n[4], first, second)
	if len(where) > 0 {
		fmt.Fprintf(&b, "%s is better here:\n\n%s\n\n", capital(second), strings.Join(where, "\n"))
	} else {
		fmt.Fprintf(&b, "There is no judged figure in which %s is better.\n\n", second)
	}
	if len(unjudged) > 0 {
		fmt.Fprintf(&b, "Not judged, because a difference would mean nothing:\n\n%s\n\n", strings.Join(unjudged, "\n"))
	}
	if len(missing) > 0 {
		fmt.Fprintf(&b, "Not in this table, because they were not measured:\n\n- %s\n\n", strings.Join(missing, "\n- "))
	}
	fmt.Fprintf(&b, "| row | better | equal | worse | not judged | not measured |\n| --- | --- | --- | --- | --- | --- |\n%s\n", rows.String())
	b.WriteString("Equal is what differs by less than half a percent, what the rounds contradict each other about, and the rate of an open loop that both kept.\n" +
		"A percentile is not measured where fewer than ten requests lie beyond it. Memory is not counted here: a JVM holds what its -Xmx gives it.\n\n")
	return b.String()
}
