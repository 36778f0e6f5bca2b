package push

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"ringmq/broker/metrics"
	"ringmq/broker/push/pushtest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

var (
	quiet = slog.New(slog.DiscardHandler)
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// fake is an exporter that does what it is told. Any goroutine.
type fake struct {
	mu      sync.Mutex
	exports []map[string]pushtest.Point
	bytes   []int
	fails   func(ctx context.Context, export int) error // nil: none fails
	closed  bool
}

func (f *fake) Export(ctx context.Context, scopes []*metricspb.ScopeMetrics) error {
	f.mu.Lock()
	n, fails := len(f.exports), f.fails
	f.exports = append(f.exports, pushtest.Points(scopes))
	f.bytes = append(f.bytes, proto.Size(&metricspb.ResourceMetrics{ScopeMetrics: scopes}))
	f.mu.Unlock()
	if fails != nil {
		return fails(ctx, n)
	}
	return nil
}

func (f *fake) Close() { f.closed = true }

func (f *fake) String() string { return "fake" }

// last is the newest export.
func (f *fake) last() map[string]pushtest.Point {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.exports) == 0 {
		return nil
	}
	return f.exports[len(f.exports)-1]
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.exports)
}

// shown is a registry like a broker's, with one metric of each kind.
type shown struct {
	*prometheus.Registry
	in    *prometheus.CounterVec
	lag   *prometheus.GaugeVec
	rpc   *prometheus.HistogramVec
	disk  prometheus.Gauge
	gc    prometheus.Summary
	scope prometheus.Gauge
}

func newShown() *shown {
	common := prometheus.Labels{"cluster": "c", "node_id": "a", "node_type": "broker"}
	stock := maps.Clone(common)
	stock["otel_scope_name"] = metrics.Scope
	s := &shown{
		Registry: prometheus.NewRegistry(),
		in:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rocketmq_messages_in_total", Help: "in", ConstLabels: stock}, []string{"topic"}),
		lag:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "rocketmq_consumer_lag_latency_milliseconds", Help: "lag", ConstLabels: stock}, []string{"topic"}),
		rpc:      prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rocketmq_rpc_latency_milliseconds", Help: "rpc", ConstLabels: stock, Buckets: []float64{1, 10}}, []string{"request_code"}),
		disk:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "ringmq_recovery_seconds", Help: "recovery", ConstLabels: common}),
		gc:       prometheus.NewSummary(prometheus.SummaryOpts{Name: "go_gc_duration_seconds", Help: "gc", Objectives: map[float64]float64{1: 0}}),
		scope:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "otel_scope_info"}),
	}
	s.MustRegister(s.in, s.lag, s.rpc, s.disk, s.gc, s.scope)
	return s
}

// clock is a time that a test sets.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newPusher(g prometheus.Gatherer, e Exporter, c *clock, delta bool) *Pusher {
	return New(Options{Gatherer: g, Common: map[string]string{"node_type": "broker", "cluster": "c", "node_id": "a"}, Delta: delta, Interval: time.Minute,
		Began: noon, Exporter: e, Logger: quiet, Now: c.Now})
}

const (
	inT    = `rocketmq_messages_in_total{cluster="c",node_id="a",node_type="broker",topic="T"}`
	lagT   = `rocketmq_consumer_lag_latency{cluster="c",node_id="a",node_type="broker",topic="T"}`
	rpcS   = `rocketmq_rpc_latency{cluster="c",node_id="a",node_type="broker",request_code="send"}`
	diskS  = `ringmq_recovery_seconds{cluster="c",node_id="a",node_type="broker"}`
	gcS    = `go_gc_duration_seconds{cluster="c",node_id="a",node_type="broker"}`
	others = `rocketmq_messages_in_total{cluster="c",node_id="a",node_type="broker",topic="(other)"}`
)

// valueOf is a series' value; missing is told as such.
func valueOf(t *testing.T, points map[string]pushtest.Point, series string) float64 {
	t.Helper()
	p, ok := points[series]
	if !ok || p.Number == nil {
		t.Fatalf("%s is missing among %v", series, slices.Sorted(maps.Keys(points)))
	}
	return p.Value()
}

// TestSumsSinceTheStart: names, units, scopes, labels, kinds and times as a collector gets them.
func TestSumsSinceTheStart(t *testing.T) {
	s, e, c := newShown(), &fake{}, &clock{noon}
	p := newPusher(s, e, c, false)
	s.in.WithLabelValues("T").Add(3)
	s.lag.WithLabelValues("T").Set(250)
	for _, v := range []float64{0.5, 1, 7, 70} {
		s.rpc.WithLabelValues("send").Observe(v)
	}
	s.disk.Set(1.5)
	s.gc.Observe(2)
	for _, minutes := range []int{1, 2} {
		c.now = noon.Add(time.Duration(minutes) * time.Minute)
		if err := p.round(); err != nil {
			t.Fatal(err)
		}
		at := e.last()
		if len(at) != 5 {
			t.Fatal(slices.Sorted(maps.Keys(at)))
		}
		in := at[inT]
		if valueOf(t, at, inT) != 3 || !in.Metric.GetSum().GetIsMonotonic() || in.Scope != "broker-meter" || in.Metric.GetUnit() != "" || in.Metric.GetDescription() != "in" {
			t.Error(in)
		}
		if in.Number.GetStartTimeUnixNano() != nanos(noon) || in.Number.GetTimeUnixNano() != nanos(c.now) {
			t.Error("times of a sum:", in.Number)
		}
		if _, whole := in.Number.GetValue().(*metricspb.NumberDataPoint_AsInt); !whole {
			t.Error("stock's counters are whole:", in.Number)
		}
		if lag := at[lagT]; valueOf(t, at, lagT) != 250 || lag.Metric.GetUnit() != "milliseconds" || lag.Metric.GetGauge() == nil || lag.Scope != "broker-meter" {
			t.Error(lag)
		}
		h := at[rpcS].Hist
		if h.GetCount() != 4 || h.GetSum() != 78.5 || !slices.Equal(h.GetBucketCounts(), []uint64{2, 1, 1}) || !slices.Equal(h.GetExplicitBounds(), []float64{1, 10}) {
			t.Error(h)
		}
		const cumulative = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
		if at[rpcS].Metric.GetHistogram().GetAggregationTemporality() != cumulative || in.Metric.GetSum().GetAggregationTemporality() != cumulative {
			t.Error("temporality")
		}
		if d := at[diskS]; valueOf(t, at, diskS) != 1.5 || d.Metric.GetUnit() != "s" || d.Scope != "ringmq" {
			t.Error(d)
		}
		if g := at[gcS].Sum; g.GetCount() != 1 || g.GetSum() != 2 || len(g.GetQuantileValues()) != 1 {
			t.Error(g)
		}
	}
}

// TestDeltas: what came since the last push, and since when.
func TestDeltas(t *testing.T) {
	s, e, c := newShown(), &fake{}, &clock{noon}
	p := newPusher(s, e, c, true)
	look := func(minutes int) map[string]pushtest.Point {
		t.Helper()
		c.now = noon.Add(time.Duration(minutes) * time.Minute)
		if err := p.round(); err != nil {
			t.Fatal(err)
		}
		return e.last()
	}
	s.in.WithLabelValues("T").Add(3)
	s.lag.WithLabelValues("T").Set(250)
	s.rpc.WithLabelValues("send").Observe(0.5)
	first := look(1)
	if valueOf(t, first, inT) != 3 || first[inT].Number.GetStartTimeUnixNano() != nanos(noon) {
		t.Error(first[inT].Number)
	}
	const delta = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
	if first[inT].Metric.GetSum().GetAggregationTemporality() != delta || first[rpcS].Metric.GetHistogram().GetAggregationTemporality() != delta {
		t.Error("temporality")
	}
	s.in.WithLabelValues("T").Add(2)
	s.in.WithLabelValues("U").Add(1)
	s.rpc.WithLabelValues("send").Observe(70)
	second := look(2)
	u := second[`rocketmq_messages_in_total{cluster="c",node_id="a",node_type="broker",topic="U"}`]
	if valueOf(t, second, inT) != 2 || second[inT].Number.GetStartTimeUnixNano() != nanos(noon.Add(time.Minute)) || u.Value() != 1 || u.Number.GetStartTimeUnixNano() != nanos(noon.Add(time.Minute)) {
		t.Error(second[inT].Number, u.Number)
	}
	if h := second[rpcS].Hist; h.GetCount() != 1 || h.GetSum() != 70 || !slices.Equal(h.GetBucketCounts(), []uint64{0, 0, 1}) {
		t.Error(h)
	}
	if valueOf(t, second, lagT) != 250 {
		t.Error("a gauge is what it is")
	}
	if third := look(3); valueOf(t, third, inT) != 0 || third[rpcS].Hist.GetCount() != 0 {
		t.Error(third[inT].Number, third[rpcS].Hist)
	}
	// A topic that was deleted and made again counts anew.
	s.in.DeleteLabelValues("T")
	s.in.WithLabelValues("T").Add(1)
	if fourth := look(4); valueOf(t, fourth, inT) != 1 {
		t.Error(fourth[inT].Number)
	}
}

// TestDeltasOutliveAnOutage: nothing that was counted while nobody took it is lost.
func TestDeltasOutliveAnOutage(t *testing.T) {
	s, e, c := newShown(), &fake{}, &clock{noon}
	p := newPusher(s, e, c, true)
	away := errors.New("away")
	for minute := 1; minute <= 5; minute++ {
		c.now = noon.Add(time.Duration(minute) * time.Minute)
		s.in.WithLabelValues("T").Add(1)
		s.rpc.WithLabelValues("send").Observe(0.5)
		e.fails = nil
		if minute == 2 || minute == 3 || minute == 4 {
			e.fails = func(context.Context, int) error { return away }
		}
		if err := p.round(); e.fails != nil && err != away || e.fails == nil && err != nil {
			t.Fatal(minute, err)
		}
	}
	at := e.last()
	if valueOf(t, at, inT) != 4 || at[inT].Number.GetStartTimeUnixNano() != nanos(noon.Add(time.Minute)) || at[rpcS].Hist.GetCount() != 4 {
		t.Error(at[inT].Number, at[rpcS].Hist)
	}
	// What was received and not wanted does not come again.
	e.fails = func(context.Context, int) error { return &Rejected{3, "too old"} }
	s.in.WithLabelValues("T").Add(10)
	if err := p.round(); err == nil || err.Error() != "the collector rejects 3 points: too old" {
		t.Error(err)
	}
	e.fails = nil
	s.in.WithLabelValues("T").Add(1)
	if err := p.round(); err != nil || valueOf(t, e.last(), inT) != 1 {
		t.Error(err, e.last()[inT].Number)
	}
}

// TestOutOfTheOthers: a series that comes out of that of all others has been counted there; it begins with what comes from then on.
func TestOutOfTheOthers(t *testing.T) {
	s, e, c := newShown(), &fake{}, &clock{noon}
	p := newPusher(s, e, c, true)
	s.in.WithLabelValues(metrics.Others).Add(1000)
	total := 0.0
	for _, step := range []func(){
		func() {},
		func() { s.in.WithLabelValues("T").Add(900) },
		func() { s.in.WithLabelValues("T").Add(5) },
	} {
		step()
		c.now = c.now.Add(time.Minute)
		if err := p.round(); err != nil {
			t.Fatal(err)
		}
		for _, series := range []string{inT, others} {
			if at, ok := e.last()[series]; ok {
				total += at.Value()
			}
		}
	}
	if total != 1005 || valueOf(t, e.last(), inT) != 5 {
		t.Error(total, e.last()[inT].Number)
	}
}

// TestManySeries go in several exports, each of them bounded; what some of them lost comes with the next push, and nothing comes twice.
func TestManySeries(t *testing.T) {
	const topics = 9000
	s, e, c := newShown(), &fake{}, &clock{noon}
	p := newPusher(s, e, c, true)
	long := strings.Repeat("x", 200)
	add := func() {
		for i := range topics {
			s.in.WithLabelValues(fmt.Sprintf("topic-%05d-%s", i, long)).Add(float64(i))
		}
	}
	add()
	away := errors.New("away")
	e.fails = func(_ context.Context, export int) error {
		if export == 2 {
			return away
		}
		return nil
	}
	if err := p.round(); err != away || e.count() != 3 {
		t.Fatal(err, e.count())
	}
	add()
	if err := p.round(); err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for n, points := range e.exports {
		if e.bytes[n] > batchBytes+1024 {
			t.Errorf("an export has %d bytes", e.bytes[n])
		}
		for _, at := range points {
			if n != 2 && at.Metric.GetName() == "rocketmq_messages_in_total" {
				total += at.Value()
			}
		}
	}
	if want := float64(topics * (topics - 1)); total != want {
		t.Errorf("%v messages arrived, want %v", total, want)
	}
	if n := len(p.counted["rocketmq_messages_in_total"]); n != topics {
		t.Errorf("%d series are remembered", n)
	}
	s.in.Reset()
	if err := p.round(); err != nil || len(p.counted["rocketmq_messages_in_total"]) != 0 {
		t.Error("series that are gone are remembered:", err)
	}
}
