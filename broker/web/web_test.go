package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func serve(t *testing.T, h http.Handler) *Server {
	t.Helper()
	s, err := Serve("127.0.0.1:0", h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return s
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "here"}, func() float64 { return 1 }))
	return r
}

// TestPaths: metrics on both addresses, profiles and traces on the operator's alone. What net/http/pprof enters into the mux that all share is
// nowhere.
func TestPaths(t *testing.T) {
	stock, admin := serve(t, Metrics(registry())), serve(t, Admin(registry(), Health{}))
	for _, c := range []struct {
		s    *Server
		path string
		code int
		text string
	}{
		{stock, "/metrics", 200, "here 1"}, {stock, "/", 200, "here 1"}, {stock, "/-/healthy", 200, "Healthy"},
		{stock, "/debug/pprof/", 404, ""}, {stock, "/debug/pprof/goroutine", 404, ""}, {stock, "/x", 404, ""},
		{admin, "/metrics", 200, "here 1"}, {admin, "/", 404, ""}, {admin, "/debug/pprof/", 200, "goroutine"}, {admin, "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{admin, "/debug/pprof/heap", 200, ""}, {admin, "/debug/pprof/profile?seconds=1", 200, ""}, {admin, "/debug/pprof/trace?seconds=0.01", 200, "go 1."},
		{admin, "/debug/vars", 404, ""}, {admin, "/debug/pprof/cmdline", 404, ""},
	} {
		code, text := get(t, "http://"+c.s.Addr().String()+c.path)
		if code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %.200s", c.path, code, text)
		}
	}
}

// TestProfilesAreForThisHost, whoever asks and by whatever name.
func TestProfilesAreForThisHost(t *testing.T) {
	h := Admin(registry(), Health{})
	for _, c := range []struct {
		local, remote, host string
		code                int
	}{
		{"127.0.0.1:80", "127.0.0.1:5", "127.0.0.1:80", 200}, {"[::1]:80", "[::1]:5", "localhost:80", 200}, {"127.0.0.1:80", "127.0.0.1:5", "[::1]", 200},
		{"10.0.0.1:80", "10.0.0.2:5", "10.0.0.1:80", 403}, {"10.0.0.1:80", "10.0.0.1:5", "127.0.0.1:80", 403}, {"127.0.0.1:80", "10.0.0.2:5", "127.0.0.1", 403},
		{"127.0.0.1:80", "127.0.0.1:5", "evil.example", 403}, {"127.0.0.1:80", "127.0.0.1:5", "127.0.0.1.evil.example:80", 403}, {"127.0.0.1:80", "127.0.0.1:5", "", 403},
	} {
		r := httptest.NewRequest("GET", "/debug/pprof/goroutine?debug=1", nil)
		r.RemoteAddr, r.Host = c.remote, c.host
		local, err := net.ResolveTCPAddr("tcp", c.local)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local))))
		if w.Code != c.code {
			t.Errorf("%+v: %d", c, w.Code)
		}
	}
	r := httptest.NewRequest("POST", "/metrics", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
}

// TestCloseWaitsForWhoLooks: what a request looks at may be closed after Close.
func TestCloseWaitsForWhoLooks(t *testing.T) {
	looking, looked := make(chan struct{}), false
	s, err := Serve("127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(looking)
		<-r.Context().Done() // it is cut off
		looked = true
	}), quiet)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		r, err := http.Get("http://" + s.Addr().String())
		if err == nil {
			r.Body.Close()
		}
		ended <- err
	}()
	<-looking
	s.Close()
	if !looked {
		t.Error("closed under somebody's eyes")
	}
	if err := <-ended; err == nil {
		t.Error("answered")
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestTooManyAtATime are told so, and nobody waits.
func TestTooManyAtATime(t *testing.T) {
	gate, looking := make(chan struct{}), make(chan struct{}, maxRequests)
	s := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		looking <- struct{}{}
		<-gate
	}))
	url := "http://" + s.Addr().String()
	ended := make(chan struct{}, maxRequests)
	for range maxRequests {
		go func() {
			if r, err := http.Get(url); err == nil {
				r.Body.Close()
			}
			ended <- struct{}{}
		}()
	}
	for range maxRequests {
		<-looking
	}
	if code, _ := get(t, url); code != http.StatusServiceUnavailable {
		t.Error(code)
	}
	close(gate)
	for range maxRequests {
		<-ended
	}
}

// TestWhoReadsNothing holds a place for a while only.
func TestWhoReadsNothing(t *testing.T) {
	cut := make(chan error, 1)
	s, err := serveWithin("127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for b := make([]byte, 1<<20); err == nil; {
			_, err = w.Write(b)
		}
		cut <- err
	}), quiet, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-cut:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it is written to for ever")
	}
}

func TestAddressInUse(t *testing.T) {
	s := serve(t, Metrics(registry()))
	if _, err := Serve(s.Addr().String(), Metrics(registry()), quiet); err == nil {
		t.Fatal("listened on twice")
	}
}
