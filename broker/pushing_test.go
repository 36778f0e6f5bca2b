package broker

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"

	"ringmq/broker/metrics"
	"ringmq/broker/push/pushtest"
	"ringmq/broker/web"
)

// shownAs are the series of an address as a collector knows them, each with what it says: a number, or the count, sum and buckets of a histogram.
func shownAs(t *testing.T, s *web.Server) map[string]string {
	t.Helper()
	resp, err := http.Get("http://" + s.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	families, err := new(expfmt.TextParser).TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, f := range families {
		if !strings.HasPrefix(name, "rocketmq_") && !strings.HasPrefix(name, "ringmq_") {
			continue
		}
		for _, m := range f.GetMetric() {
			var at []*commonpb.KeyValue
			for _, l := range m.GetLabel() {
				if l.GetName() != "otel_scope_name" {
					at = append(at, &commonpb.KeyValue{Key: l.GetName(), Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: l.GetValue()}}})
				}
			}
			all[pushtest.Series(metrics.InstrumentOf(name).Name, at)] = says(f.GetType(), m)
		}
	}
	return all
}

func says(kind dto.MetricType, m *dto.Metric) string {
	if kind != dto.MetricType_HISTOGRAM {
		return fmt.Sprint(m.GetGauge().GetValue() + m.GetCounter().GetValue())
	}
	h, below := m.GetHistogram(), uint64(0)
	text := fmt.Sprint(h.GetSampleCount(), " ", h.GetSampleSum())
	for _, b := range h.GetBucket() {
		text += fmt.Sprint(" ", b.GetUpperBound(), ":", b.GetCumulativeCount()-below)
		below = b.GetCumulativeCount()
	}
	return text
}

// pushed are the series that a collector was told last, in the same words.
func pushed(t *testing.T, r *pushtest.Receiver) map[string]string {
	t.Helper()
	requests, _, err := r.Requests()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	if len(requests) == 0 {
		return all
	}
	for series, p := range pushtest.Points(requests[len(requests)-1].GetResourceMetrics()[0].GetScopeMetrics()) {
		if p.Hist == nil {
			all[series] = fmt.Sprint(p.Value())
			continue
		}
		text := fmt.Sprint(p.Hist.GetCount(), " ", p.Hist.GetSum())
		for i, bound := range append(slices.Clone(p.Hist.GetExplicitBounds()), math.Inf(1)) {
			text += fmt.Sprint(" ", bound, ":", p.Hist.GetBucketCounts()[i])
		}
		all[series] = text
	}
	return all
}

// moving are metrics that change by themselves from one look to the next, or by looks.
var moving = []string{"rocketmq_storage_size", "rocketmq_storage_message_reserve_time", "rocketmq_consumer_lag_latency", "rocketmq_consumer_queueing_latency",
	"ringmq_disk_bytes", "ringmq_metrics_pushes_total", "ringmq_loop_turn_seconds", "ringmq_queues"}

// TestPushedIsWhatIsShown: a collector is told, by stock's names, what a scraper sees at the moment.
func TestPushedIsWhatIsShown(t *testing.T) {
	collector, err := pushtest.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(collector.Close)
	settings := []string{"metricsExporterType=OTLP_GRPC", "metricsGrpcExporterTarget=http://" + collector.Addr, "metricGrpcExporterIntervalInMills=100", "metricGrpcExporterTimeOutInMills=60000",
		"metricsGrpcExporterHeader=authorization:Bearer x", "metricsLabel=room:north", "adminHttpAddress=127.0.0.1:0"}
	r := newRig(t, settings...)
	c := r.dial()
	for i := 1; i <= 5; i++ {
		want(t, c.call(sendTo("T", 0, "TAGS\x01A\x02", strings.Repeat("x", 1000*i))), 0, "")
	}
	r.visibleMax("T", 0, 5)
	want(t, c.call(pullOf("G", "T", 0, 0, "*", 0)), 0, "FOUND")
	want(t, c.call(beat("c1", "G", "T", "*", 1)), 0, "")
	const in = `rocketmq_messages_in_total{cluster="DefaultCluster",is_system="false",message_type="normal",node_id="broker-a",node_type="broker",room="north",topic="T"}`
	var differ []string
	same := func() bool {
		shown, told := shownAs(t, r.broker.web.admin), pushed(t, collector)
		differ = differ[:0]
		for _, series := range slices.Sorted(maps.Keys(shown)) {
			name, _, _ := strings.Cut(series, "{")
			if !slices.Contains(moving, name) && told[series] != shown[series] || told[series] == "" {
				differ = append(differ, fmt.Sprintf("%s: told %q, shown %q", series, told[series], shown[series]))
			}
		}
		return len(differ) == 0 && shown[in] == "5"
	}
	deadline := time.Now().Add(patience)
	for !same() {
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(differ, "\n"))
		}
	}
	requests, headers, _ := collector.Requests()
	if at := headers[0]; at.Get("Authorization") != "Bearer x" || at.Get("User-Agent") != "ringmq/test" {
		t.Error(at)
	}
	points := pushtest.Points(requests[len(requests)-1].GetResourceMetrics()[0].GetScopeMetrics())
	if goroutines, ok := points[`go_goroutines{cluster="DefaultCluster",node_id="broker-a",node_type="broker",room="north"}`]; !ok || goroutines.Value() < 1 {
		t.Error("Go's runtime is not told of as this broker's")
	}
	// What came since the last push is told before the broker ends, unless that takes too long: a machine that has too much to do has some more tries.
	sent, told := 5, ""
	for range 10 {
		want(t, c.call(sendTo("T", 0, "", "last")), 0, "")
		sent++
		r.stopBroker()
		if told = pushed(t, collector)[in]; told == strconv.Itoa(sent) {
			return
		}
		sent = 0
		r.startBroker(settings...)
		c = r.dial()
	}
	t.Error("told last:", told)
}

// TestCollectorThatNeverAnswers costs a line in the log and a count, and nothing that a client would see.
func TestCollectorThatNeverAnswers(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	log := &logged{}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, Logger: slog.New(slog.NewTextHandler(log, nil))}, func(*Broker) {},
		"metricsExporterType=OTLP_GRPC", "metricsGrpcExporterTarget=http://"+deaf.Addr().String(), "metricGrpcExporterIntervalInMills=100", "metricGrpcExporterTimeOutInMills=20", "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	until(t, "pushes that failed", func() bool {
		want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
		return scrapes(t, r.broker.web.admin)[`ringmq_metrics_pushes_total{outcome="failure"}`] >= 3
	})
	if n := scrapes(t, r.broker.web.admin)[`ringmq_metrics_pushes_total{outcome="success"}`]; n != 0 {
		t.Error(n, "pushes were taken by nobody")
	}
	r.stopBroker()
	if lines := log.lines("metrics are not taken"); len(lines) != 1 || !strings.Contains(lines[0], "to=http://"+deaf.Addr().String()) {
		t.Error(lines)
	}
}

// TestMetricsInTheLog: a line for every series of the broker's own.
func TestMetricsInTheLog(t *testing.T) {
	log := &logged{}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, Logger: slog.New(slog.NewTextHandler(log, nil))}, func(*Broker) {}, "metricsExporterType=LOG", "metricLoggingExporterIntervalInMills=100", "metricsInDelta=true")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	const line = `msg=metric name=rocketmq_messages_in_total type=counter labels.aggregation=delta labels.cluster=DefaultCluster labels.is_system=false labels.message_type=normal ` +
		`labels.node_id=broker-a labels.node_type=broker labels.topic=T value=`
	until(t, "the send in the log", func() bool { return len(log.lines(line+"1\n")) == 1 && len(log.lines(line+"0\n")) > 0 })
	r.stopBroker()
	if len(log.lines("name=go_")) > 0 || len(log.lines("name=ringmq_broker_active")) == 0 {
		t.Error("not the broker's own metrics, or not all of them")
	}
	if len(log.lines(line+"1\n")) != 1 {
		t.Error("told twice:", log.lines(line))
	}
}

// TestNothingPushedUnlessAsked: no goroutine, no connection.
func TestNothingPushedUnlessAsked(t *testing.T) {
	for _, setting := range []string{"metricsExporterType=DISABLE", "adminHttpAddress=127.0.0.1:0"} {
		r := newRig(t, setting)
		if r.broker.pusher != nil {
			t.Error(setting, "pushes")
		}
		if r.broker.web.admin != nil {
			for series := range scrapes(t, r.broker.web.admin) {
				if strings.HasPrefix(series, "ringmq_metrics_pushes_total") {
					t.Error(series, "is shown")
				}
			}
		}
	}
}
