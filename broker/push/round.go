package push

import (
	"cmp"
	"errors"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"ringmq/broker/metrics"
)

// batchBytes is what an export has at most, one series apart: receivers of gRPC refuse messages of more than 4 MiB unless they are told
// otherwise.
const batchBytes = 1 << 20

// round is one look at all metrics that is handed on, in as many exports as it needs. Only one of them is in memory.
type round struct {
	p        *Pusher
	now      time.Time
	next     map[string]map[string]sum
	err      error // ended it
	rejected error // was answered, and ended nothing

	// of the export that is being filled
	scopes []*metricspb.ScopeMetrics
	metric *metricspb.Metric // the last
	size   int
	counts []count
}

// count is of a series that is counted as taken when its export is.
type count struct {
	in  map[string]sum
	key string
	sum sum
}

// family is a metric of the look at hand.
type family struct {
	metrics.Instrument
	help      string
	kind      dto.MetricType
	old, next map[string]sum // as last taken, and as it will be; deltas only
	others    bool           // hasOthers(old)
}

// round looks and hands on. It returns the first error; whatever came before it was taken.
func (p *Pusher) round() error {
	families, err := p.o.Gatherer.Gather()
	r := &round{p: p, now: p.o.Now(), next: map[string]map[string]sum{}, rejected: err}
	for _, f := range families {
		if !metrics.IsAboutTheLibrary(f.GetName()) {
			r.family(f)
		}
	}
	r.send()
	if err != nil {
		r.carry()
	}
	p.counted = r.next
	if r.err == nil {
		p.last = r.now
	}
	return cmp.Or(r.err, r.rejected)
}

// carry remembers what was taken of series that an incomplete look did not bring: they are not gone, and what they counted would come again
// with the next look that brings them.
func (r *round) carry() {
	for name, old := range r.p.counted {
		next := r.next[name]
		if next == nil {
			r.next[name] = old
			continue
		}
		for key, s := range old {
			if _, there := next[key]; !there {
				next[key] = s
			}
		}
	}
}

func (r *round) family(shown *dto.MetricFamily) {
	f := &family{Instrument: metrics.InstrumentOf(shown.GetName()), help: shown.GetHelp(), kind: shown.GetType()}
	if f.kind == dto.MetricType_UNTYPED || f.kind == dto.MetricType_GAUGE_HISTOGRAM {
		return // there are none
	}
	if r.p.o.Delta && (f.kind == dto.MetricType_COUNTER || f.kind == dto.MetricType_HISTOGRAM) {
		f.old, f.next = r.p.counted[shown.GetName()], make(map[string]sum, len(shown.GetMetric()))
		f.others = hasOthers(f.old)
		r.next[shown.GetName()] = f.next
	}
	r.metric = nil
	for _, m := range shown.GetMetric() {
		switch f.kind {
		case dto.MetricType_COUNTER, dto.MetricType_HISTOGRAM:
			r.sum(f, m)
		case dto.MetricType_GAUGE:
			r.put(f, &metricspb.NumberDataPoint{Attributes: r.attributes(m), TimeUnixNano: nanos(r.now)}, m.GetGauge().GetValue(), nil)
		case dto.MetricType_SUMMARY:
			r.put(f, r.summary(m), 0, nil)
		}
	}
}

// sum hands a counter or a histogram on.
func (r *round) sum(f *family, m *dto.Metric) {
	shown := sumOf(m, r.now)
	s, began, taken := shown, r.p.o.Began, (*count)(nil)
	if f.next != nil {
		key := keyOf(m)
		old, known := f.old[key]
		switch {
		case known:
			s, began = shown.since(old), old.at
			f.next[key] = old // until this is taken
		case f.others:
			f.next[key] = shown // up to here it went with the others
			return
		default:
			began = r.p.last
		}
		taken = &count{f.next, key, shown}
	}
	if f.kind == dto.MetricType_COUNTER {
		r.put(f, &metricspb.NumberDataPoint{Attributes: r.attributes(m), StartTimeUnixNano: nanos(began), TimeUnixNano: nanos(r.now)}, s.value, taken)
		return
	}
	bounds := make([]float64, 0, len(shown.buckets))
	for _, b := range m.GetHistogram().GetBucket() {
		bounds = append(bounds, b.GetUpperBound())
	}
	if n := len(bounds); n > 0 && math.IsInf(bounds[n-1], 1) {
		bounds, s.buckets = bounds[:n-1], s.buckets[:n-1]
	}
	r.put(f, &metricspb.HistogramDataPoint{Attributes: r.attributes(m), StartTimeUnixNano: nanos(began), TimeUnixNano: nanos(r.now),
		Count: s.count, Sum: &s.value, BucketCounts: s.inBuckets(), ExplicitBounds: bounds}, 0, taken)
}

func (r *round) summary(m *dto.Metric) *metricspb.SummaryDataPoint {
	s := m.GetSummary()
	p := &metricspb.SummaryDataPoint{Attributes: r.attributes(m), StartTimeUnixNano: nanos(r.p.o.Began), TimeUnixNano: nanos(r.now), Count: s.GetSampleCount(), Sum: s.GetSampleSum()}
	for _, q := range s.GetQuantile() {
		p.QuantileValues = append(p.QuantileValues, &metricspb.SummaryDataPoint_ValueAtQuantile{Quantile: q.GetQuantile(), Value: q.GetValue()})
	}
	return p
}

// put puts a point into the export at hand, after that one was sent if there is no room; value is that of a point that is a number.
func (r *round) put(f *family, point proto.Message, value float64, taken *count) {
	if r.err != nil {
		return
	}
	if p, ok := point.(*metricspb.NumberDataPoint); ok {
		if f.Whole {
			p.Value = &metricspb.NumberDataPoint_AsInt{AsInt: int64(value)}
		} else {
			p.Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: value}
		}
	}
	size := proto.Size(point) + 8
	if r.size > 0 && r.size+size > batchBytes {
		if r.send(); r.err != nil {
			return
		}
	}
	r.size += size
	if taken != nil {
		r.counts = append(r.counts, *taken)
	}
	if r.metric == nil {
		r.begin(f)
	}
	switch d := r.metric.Data.(type) {
	case *metricspb.Metric_Sum:
		d.Sum.DataPoints = append(d.Sum.DataPoints, point.(*metricspb.NumberDataPoint))
	case *metricspb.Metric_Gauge:
		d.Gauge.DataPoints = append(d.Gauge.DataPoints, point.(*metricspb.NumberDataPoint))
	case *metricspb.Metric_Histogram:
		d.Histogram.DataPoints = append(d.Histogram.DataPoints, point.(*metricspb.HistogramDataPoint))
	case *metricspb.Metric_Summary:
		d.Summary.DataPoints = append(d.Summary.DataPoints, point.(*metricspb.SummaryDataPoint))
	}
}

// begin begins a metric in the export at hand.
func (r *round) begin(f *family) {
	how := metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
	if r.p.o.Delta {
		how = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
	}
	m := &metricspb.Metric{Name: f.Name, Unit: f.Unit, Description: f.help}
	switch f.kind {
	case dto.MetricType_COUNTER:
		m.Data = &metricspb.Metric_Sum{Sum: &metricspb.Sum{AggregationTemporality: how, IsMonotonic: true}}
	case dto.MetricType_GAUGE:
		m.Data = &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{}}
	case dto.MetricType_HISTOGRAM:
		m.Data = &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{AggregationTemporality: how}}
	case dto.MetricType_SUMMARY:
		m.Data = &metricspb.Metric_Summary{Summary: &metricspb.Summary{}}
	}
	r.size += proto.Size(m) + 8
	if n := len(r.scopes); n == 0 || r.scopes[n-1].GetScope().GetName() != f.Scope {
		r.scopes = append(r.scopes, &metricspb.ScopeMetrics{Scope: &commonpb.InstrumentationScope{Name: f.Scope}})
	}
	in := r.scopes[len(r.scopes)-1]
	in.Metrics = append(in.Metrics, m)
	r.metric = m
}

// send exports what was put, and begins the next.
func (r *round) send() {
	if r.size == 0 || r.err != nil {
		return
	}
	err := r.p.o.Exporter.Export(r.p.ctx, r.scopes)
	if rejected := (*Rejected)(nil); errors.As(err, &rejected) {
		r.rejected, err = rejected, nil
	}
	if err == nil {
		for _, c := range r.counts {
			c.in[c.key] = c.sum
		}
	}
	r.err, r.scopes, r.metric, r.size, r.counts = err, nil, nil, 0, r.counts[:0]
}

// attributes are a series' labels, and those of all metrics where it lacks them.
func (r *round) attributes(m *dto.Metric) []*commonpb.KeyValue {
	all, has := make([]*commonpb.KeyValue, 0, len(m.GetLabel())+len(r.p.common)), false
	for _, l := range m.GetLabel() {
		if metrics.IsAboutTheScope(l.GetName()) {
			continue
		}
		has = has || l.GetName() == "node_id"
		all = append(all, attribute(l.GetName(), l.GetValue()))
	}
	if !has {
		all = append(all, r.p.common...)
	}
	return all
}

func attribute(name, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: name, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func byKey(a, b *commonpb.KeyValue) int { return cmp.Compare(a.GetKey(), b.GetKey()) }

func nanos(t time.Time) uint64 { return uint64(t.UnixNano()) }
