package bench

import (
	"fmt"
	"math"
	"strings"
)

// summaryRow is one result in a line of a table of several.
type summaryRow struct {
	ID, Title, A, B        string
	Rate, RateRatio        string
	CPU, CPURatio          string
	P99, P99Ratio          string
	Memory, MemoryRatio    string
	Counted                string
	RateSpread, P99Spread  string
	Agree, Command, Detail string
}

// summary has a line for every result of two targets.
func summary(results []*Result) (out []summaryRow) {
	for i, r := range results {
		if r.B == nil {
			continue
		}
		s := summaryRow{ID: fmt.Sprintf("r%d", i+1), Title: r.Title, A: r.A.Name, B: r.B.Name, Command: r.Command, Agree: "-", Detail: r.A.Reports[0].describe(),
			Rate: "-", RateRatio: "-", CPU: "-", CPURatio: "-", P99: "-", P99Ratio: "-", RateSpread: "-", P99Spread: "-", Memory: "-", MemoryRatio: "-", Counted: r.countedTime()}
		for _, row := range r.rows() {
			both, ratio := pair(&row), Ratio(row.Ratio)
			switch row.Name {
			case "messages a second":
				s.Rate, s.RateRatio, s.RateSpread, s.Agree = both, ratio, spreads(&row), row.agreement()
			case cpuMetric:
				s.CPU, s.CPURatio = both, ratio
			case anonymousMetric:
				s.Memory, s.MemoryRatio = both, ratio
			case "latency p99":
				s.P99, s.P99Ratio, s.P99Spread = both, ratio, spreads(&row)
			}
		}
		out = append(out, s)
	}
	return out
}

func pair(row *Row) string {
	a, _ := row.A.cells(row.m)
	b, _ := row.B.cells(row.m)
	return a + " / " + b
}

// spreads writes how far the rounds lie apart, in percent of the median: the one number that says whether to trust it.
func spreads(row *Row) string {
	text := func(s Spread) string {
		if s.N < 2 || s.Median == 0 {
			return "-"
		}
		return fmt.Sprintf("±%.0f %%", math.Max(s.Max-s.Median, s.Median-s.Min)/s.Median*100)
	}
	a, b := text(row.A), text(row.B)
	if a == b && a == "-" {
		return a
	}
	return a + " / " + b
}

func hostOf(results []*Result) string {
	for _, r := range results {
		for _, report := range r.A.Reports {
			if report.Host != nil {
				return report.Host.String()
			}
		}
	}
	return ""
}

// cell keeps a text from ending its cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func bold(s string) string {
	if s == "-" {
		return s
	}
	return "**" + s + "**"
}
