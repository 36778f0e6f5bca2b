package bench

import (
	"math"
	"strings"
)

// Detail is a figure that only some workloads have. Reports of one workload have the same ones, in the same order.
type Detail struct {
	Name   string
	Value  float64
	Unit   string `json:",omitempty"` // ms, s, bytes, bytes/s, /s, times, MiB/h; none: a number, mostly of messages
	Better string `json:",omitempty"` // higher or lower; none: it is neither good nor bad
}

const (
	higher = "higher"
	lower  = "lower"
)

// tell adds a detail.
func (r *Report) tell(name string, value float64, unit, better string) {
	r.Details = append(r.Details, Detail{name, value, unit, better})
}

// tellLatency adds those of a second kind of requests.
func (r *Report) tellLatency(name string, l *Latency) {
	r.tell(name+" p50", l.P50, "ms", lower)
	r.tell(name+" p99", l.P99, "ms", lower)
	r.tell(name+" max", l.Max, "ms", lower)
}

// detail finds one by its name.
func (r *Report) detail(name string) (float64, bool) {
	for i := range r.Details {
		if r.Details[i].Name == name {
			return r.Details[i].Value, true
		}
	}
	return 0, false
}

// mergeErrors adds errors of other requests under names that say which.
func (r *Report) mergeErrors(of string, other *Report) {
	for why, remark := range other.Remarks {
		if r.Remarks == nil {
			r.Remarks = map[string]string{}
		}
		r.Remarks[of+": "+why] = remark
	}
	for why, n := range other.Errors {
		if r.Errors == nil {
			r.Errors = map[string]int64{}
		}
		r.Errors[of+": "+why] += n
	}
}

// inUnit writes values of a unit.
func inUnit(unit string) func(float64) string {
	switch unit {
	case "ms":
		return Millis
	case "s":
		return func(v float64) string { return Millis(v * 1000) }
	case "bytes":
		return Bytes
	case "bytes/s":
		return func(v float64) string { return Bytes(v) + "/s" }
	case "/s":
		return func(v float64) string { return Count(math.Round(v)) + "/s" }
	case "times":
		return Ratio
	}
	return func(v float64) string { return strings.TrimSpace(Count(v) + " " + unit) }
}

func (r *Report) detailTable() *table {
	t := &table{}
	for i := range r.Details {
		d := &r.Details[i]
		t.add(d.Name, inUnit(d.Unit)(d.Value))
	}
	return t
}

// metrics are those of all reports, then one for every detail that some report of the result has.
func (r *Result) metrics() []*metric {
	var out []*metric
	for i := range metrics {
		out = append(out, &metrics[i])
	}
	known := map[string]bool{}
	for _, s := range r.sets() {
		for _, report := range s.Reports {
			for _, d := range report.Details {
				if known[d.Name] {
					continue
				}
				known[d.Name] = true
				out = append(out, &metric{
					name: d.Name, short: d.Name, higher: d.Better == higher, neutral: d.Better != higher && d.Better != lower, detail: true,
					text: inUnit(d.Unit), of: func(r *Report) (float64, bool) { return r.detail(d.Name) },
				})
			}
		}
	}
	return out
}
