package bench

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Words interprets the result, a sentence or two for every thing that can be said.
func (r *Result) Words() (out []string) {
	if r.B == nil {
		return append(r.A.Reports[0].words(), r.doubts()...)
	}
	a, b := r.A.Reports[0], r.B.Reports[0]
	for _, s := range Unlike(r.A.Name, a.About, r.B.Name, b.About) {
		out = append(out, "Warning: "+s)
	}
	if a.Kind != b.Kind {
		out = append(out, fmt.Sprintf("These are different workloads, %s and %s: the figures say nothing about each other.", a.Kind, b.Kind))
	}
	if d := differences(&a.Workload, &b.Workload); len(d) > 0 {
		out = append(out, "The workloads differ in "+joined(d)+": part of the difference is theirs.")
	}
	if r.unlikeLoops() && !r.Mixed {
		out = append(out, "One is a closed loop and the other an open one, whose latency counts from when a request should have left: no ratios of latency are told (compare --mixed-loops tells them).")
	}
	rows := r.rows()
	for _, name := range []string{"messages a second", cpuMetric, anonymousMetric, "latency p50", "latency p99", "latency p99.9", "latency p99.99"} {
		if i := slices.IndexFunc(rows, func(row Row) bool { return row.Name == name }); i >= 0 && rows[i].A.N > 0 && rows[i].B.N > 0 && !rows[i].apples {
			out = append(out, r.sentence(&rows[i])...)
		}
	}
	for i := range rows {
		if row := &rows[i]; row.m.detail && !row.m.neutral && row.A.N > 0 && row.B.N > 0 {
			out = append(out, r.sentence(row)...)
		}
	}
	return append(out, r.doubts()...)
}

// sentence says how one metric compares and how far that can be trusted.
func (r *Result) sentence(row *Row) []string {
	rate := r.A.Reports[0].rate()
	if row.m.short == "throughput" && rate > 0 {
		return r.kept(row, rate)
	}
	more, less := r.A.Name, r.B.Name
	high, low := row.A.Median, row.B.Median
	if low > high {
		more, less, high, low = less, more, low, high
	}
	values := fmt.Sprintf("%s against %s", row.m.text(high), row.m.text(low))
	if high == low || low > 0 && high < 1.005*low {
		return []string{fmt.Sprintf("%s: no difference (%s).", capital(row.m.short), values)}
	}
	if row.doubtful() {
		s := fmt.Sprintf("%s: no difference that these runs can tell (%s, spreads overlap", capital(row.m.short), values)
		if row.Of > 0 {
			s += fmt.Sprintf(", %d of %d rounds agree", row.Agree, row.Of)
		}
		return []string{s + ")."}
	}
	times := threeDigits(high/low) + " times"
	if low <= 0 {
		return []string{fmt.Sprintf("%s: %s of %s against %s of %s.%s", capital(row.m.short), row.m.text(high), more, row.m.text(low), less, row.trust())}
	}
	var s string
	switch row.m.short {
	case "throughput":
		s = fmt.Sprintf("%s moved %s as many messages a second as %s: %s.", more, times, less, values)
	case "CPU":
		s = fmt.Sprintf("A message cost %s %s as much processor time as %s: %s.", more, times, less, values)
	case "memory":
		s = fmt.Sprintf("%s held %s as much memory that is no file's as %s: %s.", more, times, less, values)
	default:
		s = fmt.Sprintf("%s of %s was %s that of %s: %s.", capital(row.m.short), more, times, less, values)
	}
	return []string{s + row.trust()}
}

// doubtful says that the rounds contradict each other too much for the medians to mean anything.
func (row *Row) doubtful() bool {
	const few = 2
	return row.A.N >= few && row.B.N >= few && !row.apart() && (row.Of == 0 || row.Agree*5 < row.Of*4)
}

// trust says whether the rounds bear a difference out.
func (row *Row) trust() string {
	switch {
	case row.A.N < 2 || row.B.N < 2:
		return " One run is not enough to exclude chance."
	case row.apart() && row.Of > 0:
		return " " + allRounds(row.Of) + " and the spreads do not touch."
	case row.apart():
		return " The spreads do not touch."
	case row.Agree == row.Of:
		return " " + allRounds(row.Of) + ", but the spreads overlap."
	}
	return fmt.Sprintf(" %d of %d rounds agree and the spreads overlap: likely, not certain.", row.Agree, row.Of)
}

// allRounds says that they agree; two of them are little to agree.
func allRounds(n int) string {
	if n == 2 {
		return "Both rounds agree (two are few)"
	}
	return fmt.Sprintf("All %d rounds agree", n)
}

// keptShare of its rate is what an open loop that kept it has reached.
const keptShare = 0.99

// kept says who kept up with an open loop. There the rate is given, so that only falling short tells anything.
func (r *Result) kept(row *Row, rate float64) (out []string) {
	short := []string{}
	for _, t := range []struct {
		name string
		s    Spread
	}{{r.A.Name, row.A}, {r.B.Name, row.B}} {
		if t.s.Median < keptShare*rate {
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
		for _, s := range set.doubts() {
			add(s)
		}
	}
	for _, s := range r.each((*Report).halfStored) {
		add(capital(s) + ".")
	}
	for _, s := range r.each(func(report *Report) string { return report.Stopped }) { // the result's own is its note
		add(capital(s) + ".")
	}
	for _, name := range r.Empty() {
		add(fmt.Sprintf("Nothing was acknowledged or delivered by %s.", name))
	}
	for _, f := range r.Failures() {
		add("Failed: " + f + ".")
	}
	for _, why := range r.Unjudged() {
		add(capital(strings.ToLower(r.A.Reports[0].noVerdict())) + ": " + why + ".")
	}
	switch {
	case !r.judged() || len(r.Failures()) > 0:
	case len(r.Stops()) > 0:
		add("Passed, as far as it came: nothing was found that must not be.")
	default:
		add("Passed: nothing was found that must not be.")
	}
	return out
}

// doubts are reasons to mistrust the figures of one broker.
func (s *Set) doubts() (out []string) {
	failed, requests := int64(0), int64(0)
	limited, crowded, most := 0, 0, 0.0
	why := map[string]string{}
	for _, report := range s.Reports {
		failed += report.ErrorCount()
		requests += report.Requests
		for code := range report.Errors {
			if why[code] == "" {
				why[code] = report.remark(code)
			}
		}
		if report.limited() {
			limited++
		}
		if report.crowded() {
			crowded, most = crowded+1, max(most, report.Others.Share)
		}
		for _, w := range report.Warnings {
			summed := report.limited() && strings.HasPrefix(w, limitedWarning) || report.crowded() && strings.HasPrefix(w, othersWarning)
			if !summed { // below
				out = append(out, fmt.Sprintf("%s: %s.", s.Name, w))
			}
		}
	}
	if limited > 0 {
		out = append(out, fmt.Sprintf("In %d of the %s of %s the generator used over %.0f %% of a processor: it, not the broker, may have been the limit, and the broker could do more.",
			limited, plural(len(s.Reports), "run"), s.Name, 100*saturated))
	}
	if crowded > 0 {
		out = append(out, fmt.Sprintf("In %d of the %s of %s something else used over %.0f %% of the machine's processors, %.0f %% at most: these figures are worth less than those of a quiet machine.",
			crowded, plural(len(s.Reports), "run"), s.Name, 100*othersMuch, 100*most))
	}
	if failed > 0 {
		var codes []string
		for _, code := range slices.Sorted(maps.Keys(why)) {
			codes = append(codes, code+why[code])
		}
		out = append(out, fmt.Sprintf("%s failed %s (%s of all; %s): figures of a broker that refuses work are no figures.",
			s.Name, plural(int(failed), "request"), percent(float64(failed)/math.Max(float64(failed+requests), 1)), joined(codes)))
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
	k := r.kind()
	out = append(out, fmt.Sprintf("Half of the %ss took up to %s, one in a hundred more than %s, the slowest of %s took %s%s.",
		k.noun, Millis(l.P50), Millis(l.P99), Count(float64(r.Requests)), Millis(l.Max), k.span))
	w := r.Workload
	if r.rate() > 0 {
		if s := r.shortfall(); s != "" {
			out = append(out, capital(s)+".")
		} else {
			out = append(out, fmt.Sprintf("The rate of %s messages a second was kept.", Count(r.rate())))
		}
	} else if n := w.Conns * w.Window; n > 1 && k.noun == "request" {
		out = append(out, fmt.Sprintf("%s were always under way, so latency is that of a broker kept busy: the mean is about %d divided by the requests a second.", plural(n, "request"), n))
	}
	return out
}

// shortfall says that an open loop fell behind its rate; "" if not.
func (r *Report) shortfall() string {
	if rate := r.rate(); rate > 0 && r.PerSecond < keptShare*rate {
		return fmt.Sprintf("the rate of %s messages a second was not kept, %s were reached: latency grows for as long as the run lasts", Count(rate), Count(math.Round(r.PerSecond)))
	}
	return ""
}

func capital(s string) string {
	percentile := len(s) > 1 && s[0] == 'p' && s[1] >= '0' && s[1] <= '9'
	if s == "" || s[0] < 'a' || s[0] > 'z' || percentile {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
