package main

import (
	"slices"
	"strings"
	"testing"
)

const (
	about1 = `otel_scope_name="broker-meter",cluster="DefaultCluster",node_id="broker-a",node_type="broker"`
	about2 = `cluster="DefaultCluster",node_id="broker-a",node_type="broker",otel_scope_name="broker-meter"`
)

// TestDifferences: of two scrapes that agree there is none, whatever the order; each way to differ is one.
func TestDifferences(t *testing.T) {
	stock := strings.ReplaceAll(`# TYPE rocketmq_a gauge
rocketmq_a{ABOUT,topic="x \"}"} 1.0
# TYPE rocketmq_h histogram
rocketmq_h_count{ABOUT} 2.0
rocketmq_h_sum{ABOUT} 5.0
rocketmq_h_bucket{ABOUT,le="1"} 1.0
rocketmq_h_bucket{ABOUT,le="+Inf"} 2.0
`, "ABOUT", about1)
	same := strings.ReplaceAll(`# TYPE rocketmq_h histogram
rocketmq_h_bucket{ABOUT,le="1"} 1
rocketmq_h_bucket{ABOUT,le="+Inf"} 2
rocketmq_h_sum{ABOUT} 5
rocketmq_h_count{ABOUT} 2
# TYPE rocketmq_a gauge
rocketmq_a{topic="x \"}",ABOUT} 1
# TYPE go_goroutines gauge
go_goroutines 8
`, "ABOUT", about2)
	for name, c := range map[string]struct{ from, to, want string }{
		"nothing":         {"", "", ""},
		"a metric less":   {"rocketmq_a", "ringmq_a", "shown by one: stock true, ours false"},
		"another type":    {"rocketmq_a gauge", "rocketmq_a counter", "type: stock gauge, ours counter"},
		"another name":    {"TYPE rocketmq_h", "TYPE rocketmq_h_milliseconds", "name in the TYPE line: stock rocketmq_h, ours rocketmq_h_milliseconds"},
		"a time":          {`x \"}",` + about2 + `} 1`, `x \"}",` + about2 + `} 1 1795806235174`, "samples have times: stock false, ours true"},
		"another label":   {"topic=", "queue=", "labels: stock [cluster node_id node_type otel_scope_name topic], ours [cluster node_id node_type otel_scope_name queue]"},
		"another value":   {`topic="x`, `topic="y`, `series {topic=x \"}}: stock true, ours false`},
		"another bucket":  {`le="1"`, `le="2"`, "buckets: stock [1 +Inf], ours [2 +Inf]"},
		"a bucket's text": {`le="1"`, `le="1.0"`, "text of a bound: stock 1, ours 1.0"},
		"another count":   {about2 + "} 2\n", about2 + "} 3\n", "value of _count{}: stock 2, ours 3"},
	} {
		a, err := read(strings.NewReader(stock))
		if err != nil {
			t.Fatal(err)
		}
		b, err := read(strings.NewReader(replaced(same, c.from, c.to)))
		if err != nil {
			t.Fatal(name, err)
		}
		var got []string
		for _, d := range differences(a, b) {
			got = append(got, d.what)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !slices.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// replaced has the first of a text replaced, or, of a metric's name, all.
func replaced(s, from, to string) string {
	if from == "" {
		return s
	}
	if strings.HasPrefix(to, "ringmq_") {
		return strings.ReplaceAll(s, from, to)
	}
	return strings.Replace(s, from, to, 1)
}

// TestAnotherBroker: a sample that is not of the broker that was asked is no sample.
func TestAnotherBroker(t *testing.T) {
	for _, text := range []string{`rocketmq_a{cluster="Other"} 1`, `rocketmq_a{cluster="DefaultCluster"`, `rocketmq_a x`} {
		if _, err := read(strings.NewReader(text)); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}

// TestReport: a difference that is meant is no failure, one that is not is, and so is one that is meant and not there.
func TestReport(t *testing.T) {
	scrape := func(text string) map[string]*family {
		all, err := read(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	var out strings.Builder
	err := report(&out, scrape("# TYPE rocketmq_pop_x gauge\nrocketmq_pop_x 1\n# TYPE rocketmq_y gauge\nrocketmq_y 1\n"), scrape("# TYPE rocketmq_y gauge\nrocketmq_y 2\n"))
	for _, want := range []string{"PASS scrape/rocketmq_pop_x (but pop and timers are not built yet)\n",
		"FAIL scrape/rocketmq_y: value of {}: stock 1, ours 2\n", "nothing differs any more in ^type: stock info"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
	if err == nil {
		t.Error("it is no error")
	}
}
