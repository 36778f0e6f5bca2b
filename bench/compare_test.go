package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   Spread
	}{
		{nil, Spread{}}, {[]float64{3}, Spread{3, 3, 3, 1}}, {[]float64{9, 1}, Spread{5, 1, 9, 2}}, {[]float64{9, 1, 2}, Spread{2, 1, 9, 3}},
		{[]float64{4, 1, 3, 2}, Spread{2.5, 1, 4, 4}}, {[]float64{5, 1, 4, 2, 3}, Spread{3, 1, 5, 5}},
	} {
		before := slices.Clone(c.values)
		if got := spreadOf(c.values); got != c.want || !slices.Equal(before, c.values) {
			t.Errorf("%v: %v, not %v; values are now %v", before, got, c.want, c.values)
		}
	}
}

// rated is a result of rounds with the given throughputs and p99s.
func rated(inTurns bool, a, b [][2]float64) *Result {
	set := func(name string, v [][2]float64) (s Set) {
		s.Name = name
		for _, x := range v {
			s.Reports = append(s.Reports, &Report{Kind: "produce", Name: name, PerSecond: x[0], Requests: 1e6, Latency: Latency{P99: x[1], Mean: x[1], Max: x[1]}})
		}
		return s
	}
	other := set("b", b)
	return &Result{Rounds: inTurns, A: set("a", a), B: &other}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		name      string
		r         *Result
		ratio     [2]float64 // of messages a second and p99
		agree, of [2]int
		words     [2]string
	}{
		{"apart", rated(true, [][2]float64{{300, 1}, {310, 1}, {290, 1}}, [][2]float64{{100, 4}, {110, 4}, {90, 5}}), [2]float64{3, 0.25}, [2]int{3, 3}, [2]int{3, 3},
			[2]string{"a moved 3.00 times as many messages a second as b: 300 against 100. All 3 rounds agree and the spreads do not touch.", "p99 of b was 4.00 times that of a"}},
		{"the other way round", rated(true, [][2]float64{{100, 4}, {101, 4}}, [][2]float64{{300, 1}, {303, 1}}), [2]float64{100.5 / 301.5, 4}, [2]int{2, 2}, [2]int{2, 2},
			[2]string{"b moved 3.00 times as many", "p99 of a was 4.00 times that of b"}},
		{"overlapping, all agree", rated(true, [][2]float64{{200, 1}, {100, 1}, {150, 1}}, [][2]float64{{190, 1}, {90, 1}, {140, 1}}), [2]float64{150.0 / 140, 1}, [2]int{3, 0}, [2]int{3, 3},
			[2]string{"All 3 rounds agree, but the spreads overlap.", "p99: no difference (1.00 ms against 1.00 ms)."}},
		{"contradicting", rated(true, [][2]float64{{200, 1}, {100, 9}, {150, 3}}, [][2]float64{{190, 2}, {120, 2}, {149, 2}}), [2]float64{150.0 / 149, 1.5}, [2]int{2, 2}, [2]int{3, 3},
			[2]string{"no difference that these runs can tell (150 against 149, spreads overlap, 2 of 3 rounds agree)", "p99: no difference that these runs can tell (3.00 ms against 2.00 ms, spreads overlap, 2 of 3 rounds agree)."}},
		{"most agree", rated(true, [][2]float64{{20, 1}, {21, 1}, {22, 1}, {23, 1}, {10, 1}}, [][2]float64{{15, 2}, {16, 2}, {17, 2}, {18, 2}, {19, 0.5}}), [2]float64{21.0 / 17, 0.5}, [2]int{4, 4}, [2]int{5, 5},
			[2]string{"4 of 5 rounds agree and the spreads overlap: likely, not certain.", "4 of 5 rounds agree"}},
		{"not in turns", rated(false, [][2]float64{{200, 1}, {210, 1}}, [][2]float64{{100, 2}, {110, 2}, {105, 2}}), [2]float64{205.0 / 105, 0.5}, [2]int{}, [2]int{}, [2]string{"The spreads do not touch.", "The spreads do not touch."}},
		{"single", rated(false, [][2]float64{{200, 1}}, [][2]float64{{100, 2}}), [2]float64{2, 0.5}, [2]int{}, [2]int{}, [2]string{"One run is not enough", "One run is not enough"}},
	} {
		words := strings.Join(c.r.Words(), "\n")
		for i, name := range []string{"messages a second", "latency p99"} {
			rows := c.r.rows()
			k := slices.IndexFunc(rows, func(r Row) bool { return r.Name == name })
			if k < 0 {
				t.Fatalf("%s: no %s", c.name, name)
			}
			if r := rows[k]; math.Abs(r.Ratio-c.ratio[i]) > 1e-9 || r.Agree != c.agree[i] || r.Of != c.of[i] {
				t.Errorf("%s: %s: ratio %f, %d of %d", c.name, name, r.Ratio, r.Agree, r.Of)
			}
			if !strings.Contains(words, c.words[i]) {
				t.Errorf("%s: no %q in\n%s", c.name, c.words[i], words)
			}
		}
	}
}

// TestFewRequests: a percentile that fewer than ten requests lie beyond is not told.
func TestFewRequests(t *testing.T) {
	r := &Report{Requests: 9_999, Latency: Latency{P50: 1, P90: 1, P99: 1, P999: 1, P9999: 1, Max: 1}}
	told := func() (out []string) {
		for i := range percentiles {
			if _, ok := percentiles[i].known(r); ok {
				out = append(out, percentiles[i].name)
			}
		}
		return out
	}
	if got := strings.Join(told(), " "); got != "p50 p90 p99 max" {
		t.Error(got)
	}
	r.Requests = 100_000
	if got := strings.Join(told(), " "); got != "p50 p90 p99 p99.9 p99.99 max" {
		t.Error(got)
	}
	r.Workload.Oneway = true
	if got := told(); got != nil {
		t.Errorf("one-way: %v", got)
	}
}

// TestOpenLoop: where the rate is given, throughput is no difference, but falling short of it is.
func TestOpenLoop(t *testing.T) {
	for _, c := range []struct {
		a, b float64
		want string
	}{
		{1000, 999, "Both kept the rate of 1,000 messages a second"},
		{1000, 700, "Of 1,000 messages a second b reached 700: "},
		{600, 700, "Of 1,000 messages a second a reached 600 and b reached 700: "},
	} {
		r := rated(true, [][2]float64{{c.a, 1}}, [][2]float64{{c.b, 1}})
		r.A.Reports[0].Workload.Rate, r.B.Reports[0].Workload.Rate = 1000, 1000
		if words := r.Words(); !strings.HasPrefix(words[0], c.want) {
			t.Errorf("%s", words[0])
		}
	}
}

func TestDifferences(t *testing.T) {
	a, b := Workload{Addr: "x:1", PID: 3}, Workload{Addr: "y:2", PID: 4, Conns: 4}
	if d := differences(&a, &b); d != nil {
		t.Errorf("%v", d)
	}
	b.Window, b.Duration, b.Tag, b.Sizes = 1, 5e9, "t", FixedSize(10)
	if got := joined(differences(&a, &b)); got != "--duration (10s and 5s), --size (1024 and 10), --tag (none and t) and --window (64 and 1)" {
		t.Error(got)
	}
}

// TestVersus: the targets take turns, and what is broken off counts only whole rounds.
func TestVersus(t *testing.T) {
	t.Parallel()
	x, y := startFake(t, fakeWrong{}).addr(), startFake(t, fakeWrong{}).addr()
	names := strings.NewReplacer(x, "x", y, "y")
	a, b := Target{Name: "a", Addr: x, PID: 7, Doubt: "doubtful"}, Target{Name: "b", Addr: y}
	var order []string
	ctx, cancel := context.WithCancel(t.Context())
	stopAt := 100
	run := func(_ context.Context, w Workload, onTick func(Second)) (*Report, error) {
		order = append(order, w.Addr)
		onTick(Second{Messages: int64(w.PID)})
		if len(order) == stopAt {
			cancel()
		}
		return &Report{Kind: "produce", Workload: w, PerSecond: float64(len(order))}, nil
	}
	pids := int64(0)
	before := func(int, Target) func(Second) { return func(s Second) { pids += s.Messages } }
	r, err := Versus(ctx, a, b, Workload{Topic: "T"}, 3, run, before)
	if err != nil {
		t.Fatal(err)
	}
	if got := names.Replace(strings.Join(order, " ")); got != "x y x y x y" || pids != 21 {
		t.Errorf("%s, %d", got, pids)
	}
	if len(r.A.Reports) != 3 || len(r.B.Reports) != 3 || r.Title != "produce: a and b, 3 rounds" || r.A.Reports[2].PerSecond != 5 || r.B.Reports[2].Name != "b" || r.A.Reports[0].Workload.Topic != "T" {
		t.Errorf("%+v", r)
	}
	order, stopAt = nil, 3
	if r, err = Versus(ctx, a, b, Workload{}, 3, run, before); err != nil || len(r.A.Reports) != 1 || len(r.B.Reports) != 1 || r.Note != "Stopped after 1 of 3 rounds." || r.Stopped != "stopped after 1 of 3 rounds" {
		t.Errorf("broken off: %v %+v", err, r)
	}
	order = nil
	if _, err = Versus(ctx, a, b, Workload{}, 3, run, before); err == nil || !strings.Contains(err.Error(), "before the first round") {
		t.Errorf("broken off at once: %v", err)
	}
	broken := errors.New("gone")
	_, err = Versus(t.Context(), a, b, Workload{}, 3, func(context.Context, Workload, func(Second)) (*Report, error) { return nil, broken }, nil)
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "round 1, a: ") {
		t.Errorf("%v", err)
	}
	for _, rounds := range []int{0, -1} {
		if _, err = Versus(t.Context(), a, b, Workload{}, rounds, run, before); err == nil || !strings.Contains(err.Error(), "at least 1") {
			t.Errorf("%d rounds: %v", rounds, err)
		}
	}
	if _, err = Versus(t.Context(), a, a, Workload{}, 3, run, before); err == nil {
		t.Error("two targets of one name")
	}
	order, stopAt = nil, 100
	if _, err = Versus(t.Context(), a, Target{Name: "c", Addr: "127.0.0.1:1"}, Workload{}, 3, run, before); err == nil || !strings.HasPrefix(err.Error(), "c: broker 127.0.0.1:1: nothing listens there") || len(order) > 0 {
		t.Errorf("a second target that is not there: %v after %d runs", err, len(order))
	}
	// A broker that goes away ends the rounds, and those before are kept; so does one whose run ended early.
	for _, early := range []string{"", "ended after 1.0 s of 10s"} {
		order = nil
		r, err = Versus(t.Context(), a, b, Workload{}, 3, func(ctx context.Context, w Workload, onTick func(Second)) (*Report, error) {
			r, _ := run(ctx, w, onTick)
			switch {
			case len(order) < 4:
			case early != "":
				r.Stopped = early
			default:
				return nil, broken
			}
			return r, nil
		}, before)
		if err != nil || len(r.A.Reports) != 1 || len(r.B.Reports) != 1 || !strings.HasPrefix(r.Stopped, "stopped after 1 of 3 rounds: round 2, b: ") || len(r.Stops()) != 1 {
			t.Errorf("a broker that goes away: %v %+v", err, r)
		}
	}
}

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text string
		want Target
		err  string
	}{
		{"ours=127.0.0.1:10911", Target{Name: "ours", Addr: "127.0.0.1:10911"}, ""},
		{"x=[::1]:1,pid=999999999", Target{}, "no such process"},
		{"127.0.0.1:10911", Target{}, "it has no name"}, {"=a:1", Target{}, "it has no name"}, {"a=b", Target{}, "not host:port"}, {"a=b:", Target{}, "not host:port"},
		{"a=b:1,foo=2", Target{}, `"foo=2" is unknown`}, {"a=b:1,pid=x", Target{}, "a number or auto"}, {"a=b:1,pid=-4", Target{}, "a number or auto"},
	} {
		got, err := ParseTarget(t.Context(), c.text)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %+v, %v", c.text, got, err)
		}
	}
}

// TestDearGenerator: where the instrument costs more than a quarter of what it measures, the row is named.
func TestDearGenerator(t *testing.T) {
	r := rated(true, [][2]float64{{300, 1}, {300, 1}}, [][2]float64{{100, 4}, {100, 4}})
	r.Title = "a row"
	for i, s := range r.sets() {
		for _, report := range s.Reports {
			report.Broker = &Used{CPUPerMessageUs: 4}
			report.Generator.CPUPerMessageUs = []float64{0.9, 1.4}[i]
		}
	}
	if got := dearGenerators([]*Result{r}); !strings.Contains(got, "\n- a row: b (1.40 us, 35 % of the broker's 4.00 us)\n") || strings.Contains(got, "a (") {
		t.Error(got)
	}
	for _, report := range r.B.Reports {
		report.Generator.CPUPerMessageUs = 1
	}
	if got := dearGenerators([]*Result{r}); !strings.Contains(got, "in every row") {
		t.Error(got)
	}
	for _, report := range r.A.Reports {
		report.Kind, report.Generator.CPUPerMessageUs = "stock Producer", 20
	}
	if got := r.dearGenerator(); got != "" {
		t.Errorf("stock's client is no generator of ours: %s", got)
	}
}

// TestCPURatio: it is the median of the rounds, so that one round in which something else ran decides nothing.
func TestCPURatio(t *testing.T) {
	costs := func(a, b []float64) *Result {
		r := &Result{Rounds: true, B: &Set{}}
		for i := range a {
			r.A.Reports = append(r.A.Reports, &Report{Broker: &Used{CPUPerMessageUs: a[i]}})
			r.B.Reports = append(r.B.Reports, &Report{Broker: &Used{CPUPerMessageUs: b[i]}})
		}
		return r
	}
	for _, c := range []struct {
		r     *Result
		ratio float64
		ok    bool
	}{
		{costs([]float64{5, 20, 10}, []float64{2, 4, 5}), 2.5, true}, // 2.5, 5 and 2
		{costs([]float64{9, 30, 12}, []float64{2, 10, 4}), 3, true},  // 4.5, 3 and 3
		{costs([]float64{9, 30, 4}, []float64{3, 10, 4}), 3, true},   // the cheapest round of each would say 1.33
		{costs([]float64{0}, []float64{1}), 0, false},
	} {
		if ratio, ok := c.r.CPURatio(); ok != c.ok || ok && math.Abs(ratio-c.ratio) > 1e-9 {
			t.Errorf("%g, %v; not %g", ratio, ok, c.ratio)
		}
	}
	r := costs([]float64{4, 8}, []float64{1, 3})
	r.Rounds = false
	if ratio, ok := r.CPURatio(); !ok || ratio != 3 {
		t.Errorf("not in turns: %g, %v", ratio, ok)
	}
}

// TestUnlikeLoops: latency of a closed loop and of an open one count from different moments, so they have no ratio unless that is wanted.
func TestUnlikeLoops(t *testing.T) {
	mixed := func(a, b float64, forced bool) *Result {
		r := rated(false, [][2]float64{{300, 1}, {300, 1}}, [][2]float64{{100, 4}, {100, 4}})
		r.Mixed = forced
		for i, s := range r.sets() {
			for _, report := range s.Reports {
				report.Workload.Rate = []float64{a, b}[i]
			}
		}
		return r
	}
	for _, c := range []struct {
		r    *Result
		told bool
	}{{mixed(0, 100, false), false}, {mixed(100, 0, false), false}, {mixed(0, 100, true), true}, {mixed(0, 0, false), true}, {mixed(100, 100, false), true}} {
		for _, row := range c.r.rows() {
			if told := !math.IsNaN(row.Ratio); told != (c.told || row.Name == "messages a second") {
				t.Errorf("%s: ratio %g", row.Name, row.Ratio)
			}
		}
		words := strings.Join(c.r.Words(), "\n")
		if strings.Contains(words, "p99 of b was 4.00 times") != c.told || strings.Contains(words, "no ratios of latency are told") == c.told {
			t.Error(words)
		}
		if judged := c.r.standing().why == ""; judged != c.told {
			t.Errorf("judged: %v", judged)
		}
	}
}
