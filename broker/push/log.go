package push

import (
	"context"
	"log/slog"
	"math"
	"strconv"
	"strings"

	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
)

// Log is an Exporter to a log: a line for every series.
type Log struct{ Logger *slog.Logger }

// Export implements Exporter.
func (l Log) Export(ctx context.Context, scopes []*metricspb.ScopeMetrics) error {
	for _, s := range scopes {
		for _, m := range s.GetMetrics() {
			l.metric(ctx, m)
		}
	}
	return nil
}

func (l Log) metric(ctx context.Context, m *metricspb.Metric) {
	line := func(kind string, labels []*commonpb.KeyValue, says ...slog.Attr) {
		all := append(make([]slog.Attr, 0, 8), slog.String("name", m.GetName()), slog.String("type", kind))
		if m.GetUnit() != "" {
			all = append(all, slog.String("unit", m.GetUnit()))
		}
		group := make([]slog.Attr, len(labels))
		for i, at := range labels {
			group[i] = slog.String(at.GetKey(), at.GetValue().GetStringValue())
		}
		all = append(append(all, slog.Attr{Key: "labels", Value: slog.GroupValue(group...)}), says...)
		l.Logger.LogAttrs(ctx, slog.LevelInfo, "metric", all...)
	}
	for _, p := range m.GetSum().GetDataPoints() {
		line("counter", p.GetAttributes(), number(p))
	}
	for _, p := range m.GetGauge().GetDataPoints() {
		line("gauge", p.GetAttributes(), number(p))
	}
	for _, p := range m.GetHistogram().GetDataPoints() {
		line("histogram", p.GetAttributes(), slog.Uint64("count", p.GetCount()), slog.Float64("sum", p.GetSum()), slog.String("buckets", buckets(p)))
	}
}

func number(p *metricspb.NumberDataPoint) slog.Attr {
	if whole, ok := p.GetValue().(*metricspb.NumberDataPoint_AsInt); ok {
		return slog.Int64("value", whole.AsInt)
	}
	v := p.GetAsDouble()
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return slog.String("value", strconv.FormatFloat(v, 'g', -1, 64)) // no JSON otherwise
	}
	return slog.Float64("value", v)
}

// buckets lists a histogram's, each by its upper bound with what fell into it and not into the one below; those that nothing fell into are left
// out.
func buckets(p *metricspb.HistogramDataPoint) string {
	var all []string
	for i, n := range p.GetBucketCounts() {
		if n == 0 {
			continue
		}
		bound := "+Inf"
		if i < len(p.GetExplicitBounds()) {
			bound = strconv.FormatFloat(p.GetExplicitBounds()[i], 'g', -1, 64)
		}
		all = append(all, bound+":"+strconv.FormatUint(n, 10))
	}
	return strings.Join(all, " ")
}

// Close implements Exporter.
func (Log) Close() {}

// String implements Exporter.
func (Log) String() string { return "log" }
