package bench

import (
	"math"
	"sort"
	"strings"
)

// Spread is a figure over the rounds of one target.
type Spread struct {
	Median, Min, Max float64
	N                int // 0: it was not measured
}

// spreadOf sums up values; of an even number the median is the mean of the middle two.
func spreadOf(values []float64) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	v := append([]float64(nil), values...)
	sort.Float64s(v)
	return Spread{Median: (v[(n-1)/2] + v[n/2]) / 2, Min: v[0], Max: v[n-1], N: n}
}

// metric is a figure of a report that two targets are compared by.
type metric struct {
	name   string
	short  string // in words: "A did 2x as many ..."
	higher bool   // more is better
	// neutral: neither is. detail: of one workload only.
	neutral, detail bool
	text            func(float64) string
	of              func(*Report) (float64, bool)
}

const (
	cpuMetric = "broker CPU a message"
	// What is resident of a process counts the pages of files that it has mapped, which the kernel takes back when it likes.
	anonymousMetric = "broker memory, anonymous"
	// What the instrument costs beside what it measures: above a quarter, part of a difference may be its own.
	generatorMetric = "generator CPU to broker CPU"
)

// metrics in the order in which they are told.
var metrics = append([]metric{
	{name: "messages a second", short: "throughput", higher: true, text: Count, of: func(r *Report) (float64, bool) { return math.Round(r.PerSecond), true }},
	{name: cpuMetric, short: "CPU", text: Micros, of: brokerCost},
	{name: anonymousMetric, short: "memory", text: Bytes, of: func(r *Report) (float64, bool) {
		return broker(r, func(u *Used) float64 { return float64(u.AnonymousBytes) })
	}},
	{name: "broker memory, resident", short: "resident memory", text: Bytes, of: func(r *Report) (float64, bool) {
		return broker(r, func(u *Used) float64 { return float64(u.ResidentBytes) })
	}},
	{name: generatorMetric, short: "the generator's part", neutral: true, text: Ratio, of: (*Report).generatorShare},
	{name: "latency mean", short: "mean latency", text: Millis, of: func(r *Report) (float64, bool) {
		return r.Latency.Mean, r.Latency.Mean > 0 && !r.Workload.Oneway
	}},
}, percentileMetrics()...)

func percentileMetrics() (out []metric) {
	for i := range percentiles {
		p := &percentiles[i]
		out = append(out, metric{name: "latency " + p.name, short: p.name, text: Millis, of: p.known})
	}
	return out
}

// brokerCost is the processor time of a message in the broker, in microseconds.
func brokerCost(r *Report) (float64, bool) {
	return broker(r, func(u *Used) float64 { return u.CPUPerMessageUs })
}

func broker(r *Report, of func(*Used) float64) (float64, bool) {
	if r.Broker == nil {
		return 0, false
	}
	v := of(r.Broker)
	return v, v > 0
}

// Row is one metric of both targets.
type Row struct {
	Name  string
	A, B  Spread
	Ratio float64 // of the medians, A to B; NaN when one was not measured or is 0
	Each  Spread  // of the rounds' own ratios
	Agree int     // rounds in which the target with the better median was better
	Of    int     // rounds that were compared one by one; 0: none

	apples bool // and pears: the medians are no figures of the same thing
	m      *metric
}

// CPURatio is the processor time of a message at the first broker, divided by that at the second: of reports made in turns the median
// of the rounds' ratios, since what a machine does meanwhile meets both of a round; of others the ratio of the medians. false: a broker's
// process was not known.
func (r *Result) CPURatio() (float64, bool) {
	for _, row := range r.rows() {
		if row.Name != cpuMetric {
			continue
		}
		if row.Each.N > 0 {
			return row.Each.Median, true
		}
		return row.Ratio, !math.IsNaN(row.Ratio)
	}
	return 0, false
}

// better says which target has the better median: 1 the first, -1 the second, 0 neither.
func (r *Row) better() int {
	if r.A.N == 0 || r.B.N == 0 {
		return 0
	}
	return r.m.prefer(r.A.Median, r.B.Median)
}

func (m *metric) prefer(a, b float64) int {
	if a == b || m.neutral {
		return 0
	}
	if (a > b) == m.higher {
		return 1
	}
	return -1
}

// apart says that every round of one target was better than every round of the other.
func (r *Row) apart() bool { return r.A.Min > r.B.Max || r.B.Min > r.A.Max }

// rows compares the sets metric by metric; what neither measured is left out.
func (r *Result) rows() (out []Row) {
	for _, m := range r.metrics() {
		row := Row{Name: m.name, Ratio: math.NaN(), m: m, A: spreadOf(valuesOf(&r.A, m))}
		if r.B != nil {
			row.B = spreadOf(valuesOf(r.B, m))
			if row.A.N > 0 && row.B.Median > 0 {
				row.Ratio = row.A.Median / row.B.Median
			}
			row.Each = spreadOf(r.ratios(m))
			row.Agree, row.Of = r.agreement(&row)
			if row.apples = r.unlikeLoops() && !r.Mixed && strings.HasPrefix(m.name, "latency "); row.apples {
				row.Ratio, row.Each, row.Agree, row.Of = math.NaN(), Spread{}, 0, 0
			}
		}
		if row.A.N+row.B.N > 0 {
			out = append(out, row)
		}
	}
	return out
}

// unlikeLoops says that one target was loaded in a closed loop and the other in an open one, where latency counts from when a request
// should have left: no stall of the one is charged as that of the other is.
func (r *Result) unlikeLoops() bool {
	if r.B == nil {
		return false
	}
	a, b := r.A.Reports[0], r.B.Reports[0]
	return a.kind().paced && b.kind().paced && (a.rate() > 0) != (b.rate() > 0)
}

func valuesOf(s *Set, m *metric) (out []float64) {
	for _, r := range s.Reports {
		if v, ok := m.of(r); ok {
			out = append(out, v)
		}
	}
	return out
}

// ratios are those of the rounds that have both figures, where reports of one round belong together.
func (r *Result) ratios(m *metric) (out []float64) {
	if !r.Rounds {
		return nil
	}
	for i := range min(len(r.A.Reports), len(r.B.Reports)) {
		a, okA := m.of(r.A.Reports[i])
		if b, okB := m.of(r.B.Reports[i]); okA && okB && b != 0 {
			out = append(out, a/b)
		}
	}
	return out
}

// agreement counts the rounds that agree with the medians on who is better.
func (r *Result) agreement(row *Row) (agree, of int) {
	if !r.Rounds || row.m.neutral {
		return 0, 0
	}
	for i := range min(len(r.A.Reports), len(r.B.Reports)) {
		a, okA := row.m.of(r.A.Reports[i])
		b, okB := row.m.of(r.B.Reports[i])
		if !okA || !okB {
			continue
		}
		of++
		if better := row.better(); better != 0 && row.m.prefer(a, b) == better {
			agree++
		}
	}
	return agree, of
}

// middle is the report of a set whose throughput is the median, of an even number the lower one.
func (s *Set) middle() *Report {
	sorted := append([]*Report(nil), s.Reports...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].PerSecond < sorted[j].PerSecond })
	return sorted[(len(sorted)-1)/2]
}
