// Package pushtest is a collector for tests: the receiver of OTLP's metrics over gRPC, on net/http's server.
package pushtest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	commonpb "go.opentelemetry.io/proto/slim/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver keeps what it was sent. Any goroutine.
type Receiver struct {
	Addr string // host:port, of connections without TLS

	server *http.Server
	served chan struct{}

	mu       sync.Mutex
	requests []*collectorpb.ExportMetricsServiceRequest
	headers  []http.Header
	answer   http.HandlerFunc
	wrong    error // the first thing that was none of gRPC or OTLP
}

// Start listens on an address, 127.0.0.1:0 as a rule, until Close.
func Start(addr string) (*Receiver, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	speaks := &http.Protocols{}
	speaks.SetUnencryptedHTTP2(true)
	r := &Receiver{Addr: l.Addr().String(), served: make(chan struct{})}
	r.server = &http.Server{Handler: r, Protocols: speaks}
	go func() {
		defer close(r.served)
		_ = r.server.Serve(l)
	}()
	return r, nil
}

// Close ends it, with every connection.
func (r *Receiver) Close() {
	_ = r.server.Close()
	<-r.served
}

// Answer lets h answer from now on, in place of the receiver; nil: the receiver again.
func (r *Receiver) Answer(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = h
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	m, err := read(req)
	r.mu.Lock()
	if err != nil && r.wrong == nil {
		r.wrong = err
	}
	answer := r.answer
	r.requests, r.headers = append(r.requests, m), append(r.headers, req.Header)
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
		return
	}
	Reply(w, &collectorpb.ExportMetricsServiceResponse{}, 0, "")
}

// read is a call of the service, as the standard of gRPC over HTTP/2 has it.
func read(req *http.Request) (*collectorpb.ExportMetricsServiceRequest, error) {
	m := &collectorpb.ExportMetricsServiceRequest{}
	body, err := io.ReadAll(req.Body)
	switch {
	case err != nil:
		return m, err
	case req.ProtoMajor != 2 || req.Method != http.MethodPost || req.URL.Path != "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export":
		return m, fmt.Errorf("%s %s %s", req.Proto, req.Method, req.URL.Path)
	case !strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc") || req.Header.Get("Te") != "trailers":
		return m, fmt.Errorf("header %v", req.Header)
	case len(body) < 5 || body[0] != 0 || binary.BigEndian.Uint32(body[1:]) != uint32(len(body)-5):
		return m, fmt.Errorf("%d bytes are not one message", len(body))
	}
	return m, proto.Unmarshal(body[5:], m)
}

// Reply answers a call: a message, unless it is nil, and how the call went.
func Reply(w http.ResponseWriter, m *collectorpb.ExportMetricsServiceResponse, code int, text string) {
	w.Header().Set("Content-Type", "application/grpc")
	if m == nil {
		w.Header().Set("Grpc-Status", fmt.Sprint(code))
		w.Header().Set("Grpc-Message", text)
		return
	}
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(b))), b...))
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", fmt.Sprint(code))
	w.Header().Set(http.TrailerPrefix+"Grpc-Message", text)
}

// Requests are those received so far, with their headers, and what was wrong with the first that was none.
func (r *Receiver) Requests() ([]*collectorpb.ExportMetricsServiceRequest, []http.Header, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests), slices.Clone(r.headers), r.wrong
}

// Point is one value of a series.
type Point struct {
	Scope  string
	Metric *metricspb.Metric // that it is of
	Number *metricspb.NumberDataPoint
	Hist   *metricspb.HistogramDataPoint
	Sum    *metricspb.SummaryDataPoint
}

// Value is a number's.
func (p Point) Value() float64 {
	if whole, ok := p.Number.GetValue().(*metricspb.NumberDataPoint_AsInt); ok {
		return float64(whole.AsInt)
	}
	return p.Number.GetAsDouble()
}

// Points are those of a request by series: name{label="value",...}, the labels in order.
func Points(scopes []*metricspb.ScopeMetrics) map[string]Point {
	all := map[string]Point{}
	for _, s := range scopes {
		for _, m := range s.GetMetrics() {
			at := func(attributes []*commonpb.KeyValue, p Point) {
				p.Scope, p.Metric = s.GetScope().GetName(), m
				all[Series(m.GetName(), attributes)] = p
			}
			for _, p := range m.GetSum().GetDataPoints() {
				at(p.GetAttributes(), Point{Number: p})
			}
			for _, p := range m.GetGauge().GetDataPoints() {
				at(p.GetAttributes(), Point{Number: p})
			}
			for _, p := range m.GetHistogram().GetDataPoints() {
				at(p.GetAttributes(), Point{Hist: p})
			}
			for _, p := range m.GetSummary().GetDataPoints() {
				at(p.GetAttributes(), Point{Sum: p})
			}
		}
	}
	return all
}

// Series names one.
func Series(name string, attributes []*commonpb.KeyValue) string {
	labels := make([]string, 0, len(attributes))
	for _, a := range attributes {
		labels = append(labels, fmt.Sprintf("%s=%q", a.GetKey(), a.GetValue().GetStringValue()))
	}
	slices.Sort(labels)
	return name + "{" + strings.Join(labels, ",") + "}"
}
