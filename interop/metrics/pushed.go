package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"

	"ringmq/broker/push/pushtest"
)

// stockScope is of what a stock broker pushes, all of it.
const stockScope = "broker-meter"

// instrument is a metric as a collector gets it.
type instrument struct {
	kind   string
	unit   string
	whole  bool            // its values are whole numbers
	labels map[string]bool // names
	bounds string          // of a histogram
}

// pushes are what a broker has pushed so far.
type pushes struct {
	resources map[string]bool
	metrics   map[string]*instrument // of the scope, by name; several of one name are joined
	odd       []string               // what a collector would not expect
}

// gather joins requests: a series that is of the moment need not be in each of them.
func gather(requests []*collectorpb.ExportMetricsServiceRequest) *pushes {
	p := &pushes{resources: map[string]bool{}, metrics: map[string]*instrument{}}
	for _, r := range requests {
		for _, resource := range r.GetResourceMetrics() {
			p.resources[fmt.Sprint(words(resource.GetResource().GetAttributes()))] = true
			for _, scope := range resource.GetScopeMetrics() {
				for _, m := range scope.GetMetrics() {
					p.add(scope.GetScope().GetName(), m)
				}
			}
		}
	}
	slices.Sort(p.odd)
	p.odd = slices.Compact(p.odd)
	return p
}

func words(attributes []*commonpb.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		all[a.GetKey()] = a.GetValue().GetStringValue()
	}
	return all
}

func (p *pushes) add(scope string, m *metricspb.Metric) {
	name := m.GetName()
	if scope != stockScope {
		if strings.HasPrefix(name, "rocketmq_") {
			p.odd = append(p.odd, name+" is of the scope "+scope)
		}
		return
	}
	i := p.metrics[name]
	if i == nil {
		i = &instrument{kind: kindOf(m), unit: m.GetUnit(), whole: true, labels: map[string]bool{}}
		p.metrics[name] = i
	} else if i.kind != kindOf(m) || i.unit != m.GetUnit() {
		p.odd = append(p.odd, name+" is of two kinds, or has two units")
	}
	at := func(attributes []*commonpb.KeyValue) {
		for k, v := range words(attributes) {
			i.labels[k] = true
			if want, ok := about[k]; ok && v != want {
				p.odd = append(p.odd, fmt.Sprintf("%s: %s is %s", name, k, v))
			}
		}
	}
	for _, n := range slices.Concat(m.GetSum().GetDataPoints(), m.GetGauge().GetDataPoints()) {
		at(n.GetAttributes())
		_, whole := n.GetValue().(*metricspb.NumberDataPoint_AsInt)
		i.whole = i.whole && whole
	}
	for _, h := range m.GetHistogram().GetDataPoints() {
		at(h.GetAttributes())
		i.bounds = fmt.Sprint(h.GetExplicitBounds())
	}
}

func kindOf(m *metricspb.Metric) string {
	switch {
	case m.GetSum() != nil:
		return "sum, monotonic " + strconv.FormatBool(m.GetSum().GetIsMonotonic()) + ", " + m.GetSum().GetAggregationTemporality().String()
	case m.GetHistogram() != nil:
		return "histogram, " + m.GetHistogram().GetAggregationTemporality().String()
	case m.GetGauge() != nil:
		return "gauge"
	}
	return "something else"
}

// meantPushed are the differences between pushes that there are to be, and why. Each of them must be there.
var meantPushed = []struct{ name, what, why string }{
	{`^rocketmq_(pop|timer)_`, `^pushed by one: stock true`, "pop and timers are not built yet"},
}

// pushedDifferences between what a stock broker and ours push of the scope that is stock's.
func pushedDifferences(stock, ours *pushes) (all []difference) {
	if !maps.Equal(stock.resources, ours.resources) {
		all = append(all, difference{"resource", fmt.Sprintf("stock %v, ours %v", stock.resources, ours.resources)})
	}
	for _, odd := range stock.odd {
		all = append(all, difference{"stock", odd})
	}
	for _, odd := range ours.odd {
		all = append(all, difference{"ours", odd})
	}
	names := maps.Clone(stock.metrics)
	maps.Copy(names, ours.metrics)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		s, o := stock.metrics[name], ours.metrics[name]
		if s == nil || o == nil {
			all = append(all, difference{name, fmt.Sprintf("pushed by one: stock %t, ours %t", s != nil, o != nil)})
			continue
		}
		for _, c := range []struct {
			what        string
			stock, ours any
		}{
			{"kind", s.kind, o.kind}, {"unit", s.unit, o.unit}, {"whole numbers", s.whole, o.whole}, {"buckets", s.bounds, o.bounds},
			{"labels", fmt.Sprint(slices.Sorted(maps.Keys(s.labels))), fmt.Sprint(slices.Sorted(maps.Keys(o.labels)))},
		} {
			if c.stock != c.ours {
				all = append(all, difference{name, fmt.Sprintf("%s: stock %v, ours %v", c.what, c.stock, c.ours)})
			}
		}
	}
	return all
}

// judgePushes sorts differences into those that are meant, by name, and others.
func judgePushes(differences []difference) (because map[string]string, wrong map[string][]string) {
	because, wrong = map[string]string{}, map[string][]string{}
	used := make([]bool, len(meantPushed))
	for _, d := range differences {
		known := false
		for i, m := range meantPushed {
			if !known && regexp.MustCompile(m.name).MatchString(d.name) && regexp.MustCompile(m.what).MatchString(d.what) {
				known, used[i], because[d.name] = true, true, m.why
			}
		}
		if !known {
			wrong[d.name] = append(wrong[d.name], d.what)
		}
	}
	for i, m := range meantPushed {
		if !used[i] {
			wrong[m.name] = append(wrong[m.name], "nothing differs any more in "+m.what)
		}
	}
	return because, wrong
}

// reportPushes prints a PASS or FAIL line for every metric, and for the resource; an error if one failed.
func reportPushes(out io.Writer, stock, ours *pushes) error {
	because, wrong := judgePushes(pushedDifferences(stock, ours))
	for _, name := range append([]string{"resource"}, slices.Sorted(maps.Keys(stock.metrics))...) {
		if len(wrong[name]) > 0 {
			continue
		}
		note := ""
		if why := because[name]; why != "" {
			note = " (but " + why + ")"
		}
		fmt.Fprintf(out, "PASS pushed/%s%s\n", name, note)
	}
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		fmt.Fprintf(out, "FAIL pushed/%s: %s\n", name, strings.Join(wrong[name], "; "))
	}
	if len(wrong) > 0 || len(stock.metrics) == 0 {
		return fmt.Errorf("%d metrics are not pushed as stock's", len(wrong))
	}
	return nil
}

// pushed receives what a stock broker and one of ours push while both have the same load, until they agree or the time is over, and reports.
// The addresses are those of stock's broker and its collector, then ours.
func pushed(out io.Writer, patience time.Duration, addrs []string) error {
	if len(addrs) != 4 {
		return fmt.Errorf("give the addresses of a stock broker, of its collector, of our broker, and of its collector")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var receivers [2]*pushtest.Receiver
	loads := make(chan error, len(receivers))
	for i := range receivers {
		r, err := pushtest.Start(addrs[2*i+1])
		if err != nil {
			return err
		}
		defer r.Close()
		receivers[i] = r
		go func() { loads <- load(ctx, addrs[2*i]) }()
	}
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	for {
		var sides [2]*pushes
		for i, r := range receivers {
			requests, _, err := r.Requests()
			if err != nil {
				return fmt.Errorf("what came to %s: %w", addrs[2*i+1], err)
			}
			sides[i] = gather(requests)
		}
		_, wrong := judgePushes(pushedDifferences(sides[0], sides[1]))
		if len(wrong) == 0 && len(sides[0].metrics) > 0 || ctx.Err() != nil {
			return reportPushes(out, sides[0], sides[1])
		}
		select {
		case err := <-loads:
			if err != nil {
				return fmt.Errorf("load: %w", err)
			}
		case <-ctx.Done():
		case <-look.C:
		}
	}
}
