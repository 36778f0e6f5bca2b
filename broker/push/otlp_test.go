package push

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/slim/otlp/collector/metrics/v1"
	metricspb "go.opentelemetry.io/proto/slim/otlp/metrics/v1"

	"ringmq/broker/push/pushtest"
)

// patience is longer than any machine takes for a call on loopback.
const patience = time.Minute

func receive(t *testing.T, addr string) *pushtest.Receiver {
	t.Helper()
	r, err := pushtest.Start(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func exporter(t *testing.T, target string, timeout time.Duration) *OTLP {
	t.Helper()
	e := NewOTLP(OTLPOptions{Target: target, Timeout: timeout, Agent: "ringmq/test", Header: map[string]string{"authorization": "Bearer x", "x-scope-orgid": "7"}})
	t.Cleanup(e.Close)
	return e
}

// TestCollectorGetsWhatIsShown, with the header of every call, over one connection.
func TestCollectorGetsWhatIsShown(t *testing.T) {
	r := receive(t, "127.0.0.1:0")
	from := map[string]bool{}
	r.Answer(func(w http.ResponseWriter, req *http.Request) {
		from[req.RemoteAddr] = true // one call at a time
		pushtest.Reply(w, &collectorpb.ExportMetricsServiceResponse{}, 0, "")
	})
	s := newShown()
	s.in.WithLabelValues("T").Add(3)
	p := newPusher(s, exporter(t, "http://"+r.Addr, patience), &clock{noon}, false)
	for range 3 {
		if err := p.round(); err != nil {
			t.Fatal(err)
		}
	}
	requests, headers, err := r.Requests()
	if err != nil || len(requests) != 3 || len(from) != 1 {
		t.Fatal(err, len(requests), from)
	}
	for i, req := range requests {
		all := req.GetResourceMetrics()
		if len(all) != 1 || len(all[0].GetResource().GetAttributes()) != 0 {
			t.Fatal("a stock broker's resource says nothing:", all)
		}
		if points := pushtest.Points(all[0].GetScopeMetrics()); valueOf(t, points, inT) != 3 || len(points) != 3 {
			t.Error(points)
		}
		h := headers[i]
		if h.Get("Authorization") != "Bearer x" || h.Get("X-Scope-Orgid") != "7" || h.Get("User-Agent") != "ringmq/test" || h.Get("Grpc-Timeout") != "60000m" {
			t.Error(h)
		}
	}
}

// TestAnswers that are no success: each is an error that says what is the matter.
func TestAnswers(t *testing.T) {
	r := receive(t, "127.0.0.1:0")
	e := exporter(t, "http://"+r.Addr, patience)
	body := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
		}
	}
	for want, answer := range map[string]http.HandlerFunc{
		"":                                   nil,
		"answers UNAUTHENTICATED: who is it": func(w http.ResponseWriter, _ *http.Request) { pushtest.Reply(w, nil, 16, "who%20is it") },
		"answers UNAVAILABLE: busy": func(w http.ResponseWriter, _ *http.Request) {
			pushtest.Reply(w, &collectorpb.ExportMetricsServiceResponse{}, 14, "busy")
		},
		"answers 99: ":                      func(w http.ResponseWriter, _ *http.Request) { pushtest.Reply(w, nil, 99, "") },
		"this is no gRPC":                   http.NotFound,
		`with "text/html": this is no gRPC`: body("text/html", "<html>"),
		"is not one message":                body("application/grpc", "\x00\x00\x00\x00\x07abc"),
		"is compressed":                     body("application/grpc", "\x01\x00\x00\x00\x01a"),
		"none of OTLP":                      body("application/grpc", "\x00\x00\x00\x00\x01\xff"),
		"has more than 65536 bytes":         body("application/grpc", strings.Repeat("x", 1<<20)),
		"has no status":                     func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "application/grpc") },
		"rejects 2 points: too old": func(w http.ResponseWriter, _ *http.Request) {
			pushtest.Reply(w, &collectorpb.ExportMetricsServiceResponse{PartialSuccess: &collectorpb.ExportMetricsPartialSuccess{RejectedDataPoints: 2, ErrorMessage: "too old"}}, 0, "")
		},
	} {
		r.Answer(answer)
		err := e.Export(context.Background(), []*metricspb.ScopeMetrics{{}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Error("too much for a log:", len(err.Error()))
		}
	}
	// Whatever was answered before: the next call is one like any other.
	r.Answer(nil)
	if err := e.Export(context.Background(), nil); err != nil {
		t.Error(err)
	}
}

// TestOutageAndReturn over real connections: the collector ends, and comes back at its address.
func TestOutageAndReturn(t *testing.T) {
	r := receive(t, "127.0.0.1:0")
	s := newShown()
	p := newPusher(s, exporter(t, "http://"+r.Addr, patience), &clock{noon}, true)
	s.in.WithLabelValues("T").Add(1)
	if err := p.round(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	for range 2 {
		s.in.WithLabelValues("T").Add(1)
		if err := p.round(); err == nil {
			t.Fatal("taken by nobody")
		}
	}
	back := receive(t, r.Addr)
	if err := p.round(); err != nil {
		t.Fatal(err)
	}
	requests, _, err := back.Requests()
	if err != nil || len(requests) != 1 {
		t.Fatal(err, len(requests))
	}
	if n := valueOf(t, pushtest.Points(requests[0].GetResourceMetrics()[0].GetScopeMetrics()), inT); n != 2 {
		t.Error("of what was counted in the outage arrived", n)
	}
}

// TestMuteReceivers: one that takes a call and never answers, and one that takes a connection and never reads. Both cost the time-out.
func TestMuteReceivers(t *testing.T) {
	r := receive(t, "127.0.0.1:0")
	r.Answer(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = deaf.Close() })
	for _, addr := range []string{r.Addr, deaf.Addr().String()} {
		e := exporter(t, "http://"+addr, 50*time.Millisecond)
		for range 2 {
			if err := e.Export(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "no answer within 50ms") {
				t.Error(err)
			}
		}
		// And who closes does not wait for the time-out.
		e = exporter(t, "http://"+addr, patience)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := e.Export(ctx, nil); err == nil {
			t.Error("taken")
		}
	}
	r.Answer(nil)
	if err := exporter(t, "http://"+r.Addr, patience).Export(context.Background(), nil); err != nil {
		t.Error(err)
	}
}

// TestTLS: https is spoken to with TLS, and only to whom the host trusts.
func TestTLS(t *testing.T) {
	r := &pushtest.Receiver{}
	s := httptest.NewUnstartedServer(r)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(s.Certificate())
	e := NewOTLP(OTLPOptions{Target: s.URL, Timeout: patience, TLS: &tls.Config{RootCAs: trusted}})
	t.Cleanup(e.Close)
	if err := e.Export(context.Background(), nil); err != nil {
		t.Error(err)
	}
	if requests, _, err := r.Requests(); err != nil || len(requests) != 1 {
		t.Error(err, len(requests))
	}
	if err := exporter(t, s.URL, patience).Export(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
	plain := httptest.NewServer(http.NotFoundHandler()) // HTTP/1.1
	t.Cleanup(plain.Close)
	if err := exporter(t, plain.URL, patience).Export(context.Background(), nil); err == nil {
		t.Error("taken by a server that does not speak HTTP/2")
	}
}
