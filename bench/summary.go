package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// summaryRow is one result in a line of a table of several.
type summaryRow struct {
	ID, Title, A, B        string
	Rate, CPU, P99, Memory string
	Counted                string
	Generator, Others      string
	RateSpread, P99Spread  string
	Agree, Command, Detail string

	RateRatio, CPURatio, P99Ratio, MemoryRatio ratioCell
}

// ratioCell is the ratio of the medians, and from where to where those of the rounds reach; "": there are no two.
type ratioCell struct{ Medians, Rounds string }

func (c ratioCell) markdown() string { return strings.TrimSpace(bold(c.Medians) + " " + c.Rounds) }

var noRatio = ratioCell{Medians: "-"}

// summary has a line for every result of two targets.
func summary(results []*Result) (out []summaryRow) {
	for i, r := range results {
		if r.B == nil {
			continue
		}
		s := summaryRow{ID: fmt.Sprintf("r%d", i+1), Title: r.Title, A: r.A.Name, B: r.B.Name, Command: r.Command, Agree: "-", Detail: r.A.Reports[0].describe(),
			Rate: "-", CPU: "-", P99: "-", RateSpread: "-", P99Spread: "-", Memory: "-", Counted: r.countedTime(),
			RateRatio: noRatio, CPURatio: noRatio, P99Ratio: noRatio, MemoryRatio: noRatio,
			Generator: r.both(Micros, (*Report).generatorCost), Others: r.both(percent, (*Report).othersShare)}
		for _, row := range r.rows() {
			both, ratio := pair(&row), ratioCell{Ratio(row.Ratio), row.ratioEnds()}
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

// generatorCost is the processor time of a message in the generator, in microseconds.
func (r *Report) generatorCost() (float64, bool) {
	return r.Generator.CPUPerMessageUs, r.Generator.CPUPerMessageUs > 0
}

// generatorShare is that divided by what a message cost the broker. Stock's own clients are no generator of ours.
func (r *Report) generatorShare() (float64, bool) {
	generator, ok := r.generatorCost()
	cost, known := brokerCost(r)
	if !ok || !known || r.kind().generators == 0 {
		return 0, false
	}
	return generator / cost, true
}

func (r *Report) othersShare() (float64, bool) {
	if r.Others == nil {
		return 0, false
	}
	return r.Others.Share, true
}

// both writes the medians of a figure of both targets.
func (r *Result) both(text func(float64) string, of func(*Report) (float64, bool)) string {
	var out []string
	for _, s := range r.sets() {
		spread := spreadOf(valuesOf(s, &metric{of: of}))
		if spread.N == 0 {
			out = append(out, "-")
		} else {
			out = append(out, text(spread.Median))
		}
	}
	if !slices.ContainsFunc(out, func(s string) bool { return s != "-" }) {
		return "-"
	}
	return strings.Join(out, " / ")
}

// dearGenerator names the targets with which a message cost the generator more than a quarter of what it cost the broker, in the median
// of the rounds, with the medians of both costs; "": none.
func (r *Result) dearGenerator() string {
	const most = 0.25
	var out []string
	for _, s := range r.sets() {
		of := func(of func(*Report) (float64, bool)) float64 { return spreadOf(valuesOf(s, &metric{of: of})).Median }
		if share := of((*Report).generatorShare); share > most {
			out = append(out, fmt.Sprintf("%s (%s, %s of the broker's %s)", s.Name, Micros(of((*Report).generatorCost)), percent(share), Micros(of(brokerCost))))
		}
	}
	return joined(out)
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
