package bench

import (
	"strings"
	"testing"
)

// TestStanding: each figure is counted once, where it belongs by the ratio of its row.
func TestStanding(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                              string
		r                                 *Result
		rate                              float64
		better, equal, worse, notMeasured string
	}{
		{"apart", rated(true, [][2]float64{{300, 4}, {310, 4}}, [][2]float64{{100, 1}, {110, 1}}), 0,
			"messages/s 2.90x", "", "p99 4.00x", "CPU, p50, p99.9"},
		{"alike", rated(true, [][2]float64{{300, 1}, {300, 1}}, [][2]float64{{300, 1.001}, {300, 1.001}}), 0,
			"", "messages/s 1.00x, p99 1.00x", "", "CPU, p50, p99.9"},
		{"contradicting", rated(true, [][2]float64{{200, 1}, {100, 9}, {150, 3}}, [][2]float64{{190, 2}, {120, 2}, {149, 2}}), 0,
			"", "messages/s 1.01x, p99 1.50x", "", "CPU, p50, p99.9"},
		{"an open loop that both kept", rated(true, [][2]float64{{1000, 1}, {1000, 1}}, [][2]float64{{992, 2}, {992, 2}}), 1000,
			"p99 0.50x", "messages/s 1.01x", "", "CPU, p50, p99.9"},
		{"one that one did not keep", rated(true, [][2]float64{{700, 1}, {700, 1}}, [][2]float64{{1000, 2}, {1000, 2}}), 1000,
			"p99 0.50x", "", "messages/s 0.70x", "CPU, p50, p99.9"},
	} {
		for _, s := range c.r.sets() {
			for _, r := range s.Reports {
				r.Workload.Rate = c.rate
			}
		}
		s := c.r.standing()
		for what, pair := range map[string][2]string{
			"better": {strings.Join(s.better, ", "), c.better}, "equal": {strings.Join(s.equal, ", "), c.equal},
			"worse": {strings.Join(s.worse, ", "), c.worse}, "not measured": {strings.Join(s.notMeasured, ", "), c.notMeasured},
		} {
			if pair[0] != pair[1] {
				t.Errorf("%s: %s is %q, not %q", c.name, what, pair[0], pair[1])
			}
		}
	}
}

// TestUnjudgeable: what one round says, or a broker that refused, or a generator that was the limit, is nobody's advantage.
func TestUnjudgeable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		rounds int
		change func(*Report) // of the last report of the first target
		why    string
	}{
		{"two quiet rounds", 2, func(*Report) {}, ""},
		{"one round", 1, func(*Report) {}, "one round"},
		{"refused", 2, func(r *Report) { r.Errors = map[string]int64{"code 2": 3} }, "a failed 3 requests"},
		{"the generator was the limit", 2, func(r *Report) { r.Seconds, r.Generator.Cores = 3, 0.95 }, "the generator was the limit with a"},
		{"too short to tell", 2, func(r *Report) { r.Seconds, r.Generator.Cores = 0.1, 0.95 }, ""},
		{"a client of many threads", 2, func(r *Report) { r.Kind, r.Seconds, r.Generator.Cores = "stock Producer", 3, 1.5 }, ""},
		{"all of it", 1, func(r *Report) {
			r.Errors, r.Seconds, r.Generator.Cores = map[string]int64{"code 2": 1}, 3, 0.95
		}, "one round, a failed 1 request, the generator was the limit with a"},
	} {
		r := rated(true, [][2]float64{{300, 1}, {310, 1}}[:c.rounds], [][2]float64{{100, 4}, {110, 4}}[:c.rounds])
		c.change(r.A.Reports[c.rounds-1])
		s := r.standing()
		if s.why != c.why {
			t.Errorf("%s: %q, not %q", c.name, s.why, c.why)
		}
		if judged := len(s.better) == 2 && s.notJudged == nil; judged != (c.why == "") || !judged && len(s.notJudged) != 2 {
			t.Errorf("%s: better %v, not judged %v", c.name, s.better, s.notJudged)
		}
	}
}

// TestStandings: the summary names where the second target is better and what is not judged, and the details of a workload count.
func TestStandings(t *testing.T) {
	t.Parallel()
	cold := func(title string, rounds int) *Result {
		r := &Result{Title: title, A: Set{Name: "ours"}, B: &Set{Name: "stock"}}
		for range rounds {
			r.A.Reports, r.B.Reports = append(r.A.Reports, sampleDetails("ours", 1)), append(r.B.Reports, sampleDetails("stock", 0))
		}
		return r
	}
	got := standings([]*Result{cold("cold | drain", 2), cold("once", 1), Single(sampleTrouble())}, []string{"batch60: left out"})
	for _, want := range []string{"Stock is better here:\n\n- cold | drain: lost; sends, p99 1.33x\n", "- batch60: left out\n", "| cold \\| drain | drained 1.50x | messages/s 1.00x",
		"Of 20 figures, ours is better in 1, equal in 6, worse in 2; 9 were not judged and 2 not measured.", "Not judged, because a difference would mean nothing:\n\n- once: one round\n", "| once | - | - | - | messages/s 1.00x; CPU 1.00x"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := standings([]*Result{Single(sampleTrouble())}, nil); got != "" {
		t.Errorf("of nothing compared: %s", got)
	}
}
