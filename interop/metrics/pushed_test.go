package main

import (
	"slices"
	"strings"
	"testing"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/slim/otlp/resource/v1"
)

func attribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func whole(v int64, attributes ...*commonpb.KeyValue) *metricspb.NumberDataPoint {
	return &metricspb.NumberDataPoint{Attributes: attributes, Value: &metricspb.NumberDataPoint_AsInt{AsInt: v}}
}

// push is what a broker sends: a counter, a gauge and a histogram of a scope, after change has had its way with them.
func push(scope string, change func(sum, gauge, hist *metricspb.Metric, r *metricspb.ResourceMetrics)) *pushes {
	at := []*commonpb.KeyValue{attribute("cluster", "DefaultCluster"), attribute("topic", "T")}
	sum := &metricspb.Metric{Name: "rocketmq_in_total", Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{IsMonotonic: true,
		AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, DataPoints: []*metricspb.NumberDataPoint{whole(1, at...)}}}}
	gauge := &metricspb.Metric{Name: "rocketmq_size", Unit: "bytes", Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: []*metricspb.NumberDataPoint{whole(1)}}}}
	hist := &metricspb.Metric{Name: "rocketmq_latency", Unit: "milliseconds", Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
		AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
		DataPoints:             []*metricspb.HistogramDataPoint{{Attributes: at, ExplicitBounds: []float64{1, 10}, BucketCounts: []uint64{1, 0, 0}}}}}}
	r := &metricspb.ResourceMetrics{Resource: &resourcepb.Resource{}, ScopeMetrics: []*metricspb.ScopeMetrics{{
		Scope: &commonpb.InstrumentationScope{Name: scope}, Metrics: []*metricspb.Metric{sum, gauge, hist}}}}
	if change != nil {
		change(sum, gauge, hist, r)
	}
	return gather([]*collectorpb.ExportMetricsServiceRequest{{ResourceMetrics: []*metricspb.ResourceMetrics{r}}})
}

// TestPushedDifferences: of two brokers that push the same there is none, and each way to differ is one.
func TestPushedDifferences(t *testing.T) {
	stock := push(stockScope, nil)
	for _, c := range []struct {
		want   string
		change func(sum, gauge, hist *metricspb.Metric, r *metricspb.ResourceMetrics)
	}{
		{"", func(sum, _, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) {
			sum.GetSum().DataPoints[0].Attributes[1] = attribute("topic", "U")
		}},
		{"rocketmq_in_total pushed by one: stock true, ours false", func(sum, _, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) { sum.Name = "ringmq_in_total" }},
		{"rocketmq_more pushed by one: stock false, ours true", func(_, gauge, _ *metricspb.Metric, r *metricspb.ResourceMetrics) {
			r.ScopeMetrics[0].Metrics = append(r.ScopeMetrics[0].Metrics, &metricspb.Metric{Name: "rocketmq_more", Data: gauge.Data})
		}},
		{"rocketmq_in_total kind: stock sum, monotonic true, AGGREGATION_TEMPORALITY_CUMULATIVE, ours sum, monotonic false, AGGREGATION_TEMPORALITY_CUMULATIVE",
			func(sum, _, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) { sum.GetSum().IsMonotonic = false }},
		{"rocketmq_latency kind: stock histogram, AGGREGATION_TEMPORALITY_CUMULATIVE, ours histogram, AGGREGATION_TEMPORALITY_DELTA", func(_, _, hist *metricspb.Metric, _ *metricspb.ResourceMetrics) {
			hist.GetHistogram().AggregationTemporality = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
		}},
		{"rocketmq_size unit: stock bytes, ours By", func(_, gauge, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) { gauge.Unit = "By" }},
		{"rocketmq_size whole numbers: stock true, ours false", func(_, gauge, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) {
			gauge.GetGauge().DataPoints[0].Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: 1}
		}},
		{"rocketmq_latency buckets: stock [1 10], ours [1 100]", func(_, _, hist *metricspb.Metric, _ *metricspb.ResourceMetrics) {
			hist.GetHistogram().DataPoints[0].ExplicitBounds = []float64{1, 100}
		}},
		{"rocketmq_size labels: stock [], ours [topic]", func(_, gauge, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) {
			gauge.GetGauge().DataPoints[0].Attributes = []*commonpb.KeyValue{attribute("topic", "T")}
		}},
		{"ours rocketmq_in_total: cluster is Other", func(sum, _, _ *metricspb.Metric, _ *metricspb.ResourceMetrics) {
			sum.GetSum().DataPoints[0].Attributes[0] = attribute("cluster", "Other")
		}},
		{"ours rocketmq_size is of the scope ringmq", func(_, _, _ *metricspb.Metric, r *metricspb.ResourceMetrics) { r.ScopeMetrics[0].Scope.Name = "ringmq" }},
		{"resource stock map[map[]:true], ours map[map[host:h]:true]", func(_, _, _ *metricspb.Metric, r *metricspb.ResourceMetrics) {
			r.Resource.Attributes = []*commonpb.KeyValue{attribute("host", "h")}
		}},
	} {
		var got []string
		for _, d := range pushedDifferences(stock, push(stockScope, c.change)) {
			got = append(got, d.name+" "+d.what)
		}
		if c.want == "" && len(got) > 0 || c.want != "" && !slices.Contains(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestReportPushes: what is meant passes and says why, what is not fails, and so does what is meant and not there, or a stock broker that is
// silent.
func TestReportPushes(t *testing.T) {
	withTimers := func(_, gauge, _ *metricspb.Metric, r *metricspb.ResourceMetrics) {
		r.ScopeMetrics[0].Metrics = append(r.ScopeMetrics[0].Metrics, &metricspb.Metric{Name: "rocketmq_timer_lag", Data: gauge.Data})
	}
	ours := push(stockScope, nil)
	var out strings.Builder
	if err := reportPushes(&out, push(stockScope, withTimers), ours); err != nil {
		t.Error(err)
	}
	if err := reportPushes(&out, push(stockScope, nil), ours); err == nil {
		t.Error("nothing that is meant is there, and it passes")
	}
	if err := reportPushes(&out, gather(nil), gather(nil)); err == nil {
		t.Error("nobody pushes, and it passes")
	}
	for _, want := range []string{"PASS pushed/resource\n", "PASS pushed/rocketmq_size\n", "PASS pushed/rocketmq_timer_lag (but pop and timers are not built yet)\n",
		"FAIL pushed/^rocketmq_(pop|timer)_: nothing differs any more in "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}
