package bench

import (
	"fmt"
	"math"
	"slices"
)

// Words interprets the result, a sentence or two for every thing that can be said.
func (r *Result) Words() (out []string) {
	if r.B == nil {
		return append(r.A.Reports[0].words(), r.doubts()...)
	}
	a, b := r.A.Reports[0], r.B.Reports[0]
	if a.Kind != b.Kind {
		out = append(out, fmt.Sprintf("These are different workloads, %s and %s: the figures say nothing about each other.", a.Kind, b.Kind))
	}
	if d := differences(&a.Workload, &b.Workload); len(d) > 0 {
		out = append(out, "The workloads differ in "+joined(d)+": part of the difference is theirs.")
	}
	rows := r.rows()
	for _, name := range []string{"messages a second", "broker CPU a message", "broker memory", "latency p50", "latency p99", "latency p99.9", "latency p99.99"} {
		if i := slices.IndexFunc(rows, func(row Row) bool { return row.Name == name }); i >= 0 && rows[i].A.N > 0 && rows[i].B.N > 0 {
			out = append(out, r.sentence(&rows[i])...)
		}
	}
	return append(out, r.doubts()...)
}

// sentence says how one metric compares and how far that can be trusted.
func (r *Result) sentence(row *Row) []string {
	a, b := r.A.Name, r.B.Name
	rate := r.A.Reports[0].Workload.Rate
	if row.m.short == "throughput" && rate > 0 {
		return r.kept(row, rate)
	}
	better := row.better()
	values := fmt.Sprintf("%s against %s", row.m.text(row.A.Median), row.m.text(row.B.Median))
	ratio := row.Ratio
	if better < 0 {
		a, b = b, a
		values = fmt.Sprintf("%s against %s", row.m.text(row.B.Median), row.m.text(row.A.Median))
		ratio = 1 / ratio
	}
	if !row.m.higher {
		ratio = 1 / ratio
	}
	if better == 0 || ratio < 1.005 {
		return []string{fmt.Sprintf("%s: no difference (%s).", capital(row.m.short), values)}
	}
	times := fmt.Sprintf("%s times", threeDigits(ratio))
	var s string
	switch row.m.short {
	case "throughput":
		s = fmt.Sprintf("%s moved %s as many messages a second as %s: %s.", a, times, b, values)
	case "CPU":
		s = fmt.Sprintf("A message cost the broker %s less processor time with %s than with %s: %s.", times, a, b, values)
	case "memory":
		s = fmt.Sprintf("%s held %s less memory than %s: %s.", a, times, b, values)
	default:
		s = fmt.Sprintf("%s of %s was %s lower than that of %s: %s.", capital(row.m.short), a, times, b, values)
	}
	return []string{s + row.trust()}
}

// trust says whether the rounds bear a difference out.
func (row *Row) trust() string {
	switch {
	case row.A.N < 2 || row.B.N < 2:
		return " One run each: chance is not excluded."
	case row.apart() && row.Of > 0 && row.Agree == row.Of:
		return fmt.Sprintf(" All %d rounds agree and the spreads do not touch.", row.Of)
	case row.apart():
		return " The spreads do not touch."
	case row.Of > 0 && row.Agree == row.Of:
		return fmt.Sprintf(" All %d rounds agree, but the spreads overlap.", row.Of)
	case row.Of > 0:
		return fmt.Sprintf(" Only %d of %d rounds agree: take it for no difference.", row.Agree, row.Of)
	}
	return " The spreads overlap: take it for no difference."
}

// kept says who kept up with an open loop. There the rate is given, so that only falling short tells anything.
func (r *Result) kept(row *Row, rate float64) (out []string) {
	const share = 0.99
	short := []string{}
	for _, t := range []struct {
		name string
		s    Spread
	}{{r.A.Name, row.A}, {r.B.Name, row.B}} {
		if t.s.Median < share*rate {
			short = append(short, fmt.Sprintf("%s reached %s", t.name, Count(t.s.Median)))
		}
	}
	if len(short) == 0 {
		return []string{fmt.Sprintf("Both kept the rate of %s messages a second: compare latency and processor time.", Count(rate))}
	}
	return []string{fmt.Sprintf("Of %s messages a second %s: beyond what a broker can do, latency only says how long the run was.", Count(rate), joined(short))}
}

// doubts are reasons to mistrust the figures.
func (r *Result) doubts() (out []string) {
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, set := range r.sets() {
		failed, requests := int64(0), int64(0)
		limited := 0
		for _, report := range set.Reports {
			failed += report.ErrorCount()
			requests += report.Requests
			if share := report.Generator.Cores; share > saturated {
				limited++
			}
			for _, w := range report.Warnings {
				if report.Generator.Cores <= saturated {
					add(fmt.Sprintf("%s: %s.", set.Name, w))
				}
			}
		}
		if limited > 0 {
			add(fmt.Sprintf("In %d of %s of %s the generator used over %.0f %% of a processor: it, not the broker, may have been the limit, and the broker could do more.",
				limited, plural(len(set.Reports), "run"), set.Name, 100*saturated))
		}
		if failed > 0 {
			add(fmt.Sprintf("%s failed %s (%.2g %% of all): figures of a broker that refuses work are no figures.",
				set.Name, plural(int(failed), "request"), 100*float64(failed)/math.Max(float64(failed+requests), 1)))
		}
	}
	return out
}

// words interprets one report by itself.
func (r *Report) words() (out []string) {
	if r.Workload.Oneway {
		return []string{"Nothing was answered: the figures say what was handed to the kernel, not what the broker stored."}
	}
	if r.Requests == 0 {
		return []string{"No request was answered with success."}
	}
	l := r.Latency
	out = append(out, fmt.Sprintf("Half of the requests took up to %s, one in a hundred more than %s, the slowest of %s took %s.",
		Millis(l.P50), Millis(l.P99), Count(float64(r.Requests)), Millis(l.Max)))
	w := r.Workload
	if w.Rate > 0 {
		if r.PerSecond < 0.99*w.Rate {
			out = append(out, fmt.Sprintf("The rate of %s messages a second was not kept, %s were reached: latency grows for as long as the run lasts.", Count(w.Rate), Count(math.Round(r.PerSecond))))
		} else {
			out = append(out, fmt.Sprintf("The rate of %s messages a second was kept.", Count(w.Rate)))
		}
	} else if n := w.Conns * w.Window; n > 1 {
		out = append(out, fmt.Sprintf("%s were always under way, so latency is that of a broker kept busy: the mean is about %d divided by the requests a second.", plural(n, "request"), n))
	}
	return out
}

func capital(s string) string {
	if s == "throughput" || s == "memory" || s == "mean latency" {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}
