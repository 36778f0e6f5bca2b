package bench

import (
	"math"
	"strconv"
)

// charts draws what the result has figures for.
func (r *Result) charts() (out []*chart) {
	for _, c := range []*chart{r.rateChart(), r.secondsChart(), r.nines(), r.cpuChart(), r.memoryChart()} {
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// drawn is one report as it is drawn: of several rounds the median one stands out.
type drawn struct {
	report *Report
	target string // the set's name
	name   string // in the legend; "" for the other rounds
	class  string
	faint  bool
}

// drawn lists the reports; those that stand out come last, on top.
func (r *Result) drawn() (out []drawn) {
	var top []drawn
	for i, s := range r.sets() {
		class := "c" + strconv.Itoa(i+1)
		middle := s.middle()
		for _, report := range s.Reports {
			if report != middle {
				out = append(out, drawn{report, s.Name, "", class, true})
			}
		}
		name := s.Name
		if len(s.Reports) > 1 {
			name += ", round of the median"
		}
		top = append(top, drawn{middle, s.Name, name, class, false})
	}
	return append(out, top...)
}

// overTime draws one value a second of every report.
func (r *Result) overTime(title string, y axis, text func(float64) string, of func(*Report, int) float64) *chart {
	c := &chart{title: title, x: axis{name: "seconds", seconds: true}, y: y}
	var xs, ys []float64
	for _, d := range r.drawn() {
		l := curveLine{name: d.name, class: d.class, faint: d.faint}
		measured := false
		for i := range d.report.Series {
			v := of(d.report, i)
			measured = measured || v > 0
			l.x, l.y = append(l.x, math.Min(float64(i+1), math.Max(d.report.Seconds, float64(i)))), append(l.y, v)
		}
		if measured {
			xs, ys = append(xs, l.x...), append(ys, l.y...)
			c.lines = append(c.lines, l)
		}
	}
	if len(c.lines) == 0 {
		return nil
	}
	c.x.fit(xs, Count)
	c.y.fit(ys, text)
	return c
}

func (r *Result) rateChart() *chart {
	rates := map[*Report][]float64{}
	return r.overTime("Messages a second", axis{fromZero: true}, Count, func(report *Report, i int) float64 {
		if rates[report] == nil {
			rates[report] = report.rates()
		}
		return rates[report][i]
	})
}

func (r *Result) cpuChart() *chart {
	cores := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	return r.overTime("Broker CPU, cores", axis{fromZero: true}, cores, func(report *Report, i int) float64 { return report.Series[i].BrokerCPU })
}

func (r *Result) memoryChart() *chart {
	y := axis{fromZero: true, binary: true}
	low, high := math.Inf(1), 0.0
	for _, d := range r.drawn() {
		for _, s := range d.report.Series {
			if b := float64(s.BrokerBytes); b > 0 {
				low, high = math.Min(low, b), math.Max(high, b)
			}
		}
	}
	// One target may use many times the other's.
	if high > 8*low {
		y = axis{log: true, binary: true}
	}
	return r.overTime("Broker memory, resident", y, Bytes, func(report *Report, i int) float64 { return float64(report.Series[i].BrokerBytes) })
}

// secondsChart draws percentiles over time: of one target five, of two the median and p99, each target in its colour.
func (r *Result) secondsChart() *chart {
	c := &chart{title: "Latency over time", x: axis{name: "seconds", seconds: true}, y: axis{log: true}}
	var xs, ys []float64
	for _, d := range r.drawn() {
		if d.faint {
			continue
		}
		for i, p := range percentiles {
			l := curveLine{name: p.name, class: "c" + strconv.Itoa(i+1)}
			if r.B != nil {
				if p.name != "p50" && p.name != "p99" {
					continue
				}
				l.name, l.class, l.dash = d.target+" "+p.name, d.class, map[string]int{"p50": 1}[p.name]
			} else if p.name == "p99.99" {
				continue // of one second it is the slowest request or nearly
			}
			for k := range d.report.Series {
				if v := p.of(&d.report.Series[k].Latency); v > 0 && !d.report.Workload.Oneway {
					l.x, l.y = append(l.x, float64(k+1)), append(l.y, v)
				}
			}
			xs, ys = append(xs, l.x...), append(ys, l.y...)
			c.lines = append(c.lines, l)
		}
	}
	if len(ys) == 0 {
		return nil
	}
	c.x.fit(xs, Count)
	c.y.fit(ys, Millis)
	return c
}

// nines draws latency by percentile, the axis such that every nine is as wide as the one before: 90, 99, 99.9.
func (r *Result) nines() *chart {
	c := &chart{title: "Latency by percentile", x: axis{name: "percentile, every nine as wide"}, y: axis{log: true}}
	var ys []float64
	for _, d := range r.drawn() {
		l := curveLine{name: d.name, class: d.class, faint: d.faint}
		last := 0.0
		for _, p := range d.report.Curve {
			at := last + 0.125 // the slowest: beyond what has a percentile
			if p.Percentile < 100 {
				at = -math.Log10(1 - p.Percentile/100)
			}
			if p.Ms > 0 && !d.report.Workload.Oneway {
				l.x, l.y = append(l.x, at), append(l.y, p.Ms)
			}
			last = at
		}
		c.x.high = math.Max(c.x.high, last)
		ys = append(ys, l.y...)
		c.lines = append(c.lines, l)
	}
	if len(ys) == 0 {
		return nil
	}
	for i, text := range []string{"0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"} {
		if float64(i) <= c.x.high {
			c.x.marks = append(c.x.marks, mark{float64(i), text})
		}
	}
	c.x.marks = append(c.x.marks, mark{-math.Log10(0.5), "50"})
	c.y.fit(ys, Millis)
	return c
}
