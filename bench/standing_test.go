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
			"messages/s 2.90x", "", "p99 4.00x", "CPU, memory, p50, p99.9"},
		{"alike", rated(true, [][2]float64{{300, 1}, {300, 1}}, [][2]float64{{300, 1.001}, {300, 1.001}}), 0,
			"", "messages/s 1.00x, p99 1.00x", "", "CPU, memory, p50, p99.9"},
		{"contradicting", rated(true, [][2]float64{{200, 1}, {100, 9}, {150, 3}}, [][2]float64{{190, 2}, {120, 2}, {149, 2}}), 0,
			"", "messages/s 1.01x, p99 1.50x", "", "CPU, memory, p50, p99.9"},
		{"an open loop that both kept", rated(true, [][2]float64{{1000, 1}}, [][2]float64{{992, 2}}), 1000,
			"p99 0.50x", "messages/s 1.01x", "", "CPU, memory, p50, p99.9"},
		{"one that one did not keep", rated(true, [][2]float64{{700, 1}}, [][2]float64{{1000, 2}}), 1000,
			"p99 0.50x", "", "messages/s 0.70x", "CPU, memory, p50, p99.9"},
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

// TestStandings: the summary names where the second target is better, and the details of a workload count.
func TestStandings(t *testing.T) {
	t.Parallel()
	r := &Result{Title: "cold | drain", A: Set{"ours", []*Report{sampleDetails("ours", 1)}}, B: &Set{"stock", []*Report{sampleDetails("stock", 0)}}}
	got := standings([]*Result{r, Single(sampleTrouble())}, []string{"batch60: left out"})
	for _, want := range []string{"Stock is better here:\n\n- cold | drain: lost; sends, p99 1.33x\n", "- batch60: left out\n", "| cold \\| drain (one round) | drained 1.50x | messages/s 1.00x", "Of 11 figures, ours is better in 1, equal in 7, worse in 2, and 1 were not measured."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := standings([]*Result{Single(sampleTrouble())}, nil); got != "" {
		t.Errorf("of nothing compared: %s", got)
	}
}
