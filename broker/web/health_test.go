package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// fixed is a check that always finds the same.
func fixed(name, text string, err error) Check {
	return Check{name, func(context.Context) (string, error) { return text, err }}
}

// TestProbes: 200 or 503, a line a check, or JSON for who asks for it; from anywhere.
func TestProbes(t *testing.T) {
	h := Health{Live: []Check{fixed("a", "turns", nil)}, Ready: []Check{fixed("a", "turns", nil), fixed("b", "", errors.New("gone\nfor good"))}}
	for _, handler := range []http.Handler{Admin(registry(), h), Probes(h)} {
		for _, c := range []struct {
			target, accept string
			code           int
			want, kind     string
		}{
			{"/livez", "", 200, "[+]a: turns\nlivez ok\n", "text/plain; charset=utf-8"},
			{"/livez?verbose", "*/*", 200, "[+]a: turns\nlivez ok\n", "text/plain; charset=utf-8"},
			{"/readyz", "", 503, "[+]a: turns\n[-]b: gone; for good\nreadyz failed\n", "text/plain; charset=utf-8"},
			{"/readyz?format=json", "", 503, `{"probe":"readyz","ok":false,"checks":[{"name":"a","ok":true,"text":"turns"},{"name":"b","ok":false,"text":"gone\nfor good"}]}` + "\n", "application/json"},
			{"/livez", "application/json", 200, `{"probe":"livez","ok":true,"checks":[{"name":"a","ok":true,"text":"turns"}]}` + "\n", "application/json"},
			{"/livez?format=text", "application/json", 200, "[+]a: turns\nlivez ok\n", "text/plain; charset=utf-8"},
		} {
			r := httptest.NewRequest("GET", c.target, nil)
			r.RemoteAddr = "192.0.2.1:5" // a probe comes from the host of a container
			if c.accept != "" {
				r.Header.Set("Accept", c.accept)
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != c.code || w.Body.String() != c.want || w.Header().Get("Content-Type") != c.kind {
				t.Errorf("%s: %d %s %q", c.target, w.Code, w.Header().Get("Content-Type"), w.Body.String())
			}
			if strings.Contains(c.kind, "json") && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%s: no JSON", c.target)
			}
		}
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, httptest.NewRequest("POST", "/readyz", nil)); w.Code != http.StatusMethodNotAllowed {
			t.Error(w.Code)
		}
	}
}

// TestProbesBesideRequests: those who look at something that takes long leave places for probes; a probe has a bounded time.
func TestProbesBesideRequests(t *testing.T) {
	gate, looking := make(chan struct{}), make(chan struct{}, maxRequests)
	mux := http.NewServeMux()
	Health{Live: []Check{{"slow", func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	}}}}.enter(mux)
	mux.HandleFunc("/long", func(http.ResponseWriter, *http.Request) {
		looking <- struct{}{}
		<-gate
	})
	s := serve(t, mux)
	url := "http://" + s.Addr().String()
	var ended atomic.Int32
	done := make(chan struct{}, maxRequests)
	for range maxRequests {
		go func() {
			defer func() { done <- struct{}{} }()
			if r, err := http.Get(url + "/long"); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
				ended.Add(1)
			}
		}()
	}
	for range maxRequests {
		<-looking
	}
	if code, text := get(t, url+"/livez"); code != http.StatusServiceUnavailable || !strings.Contains(text, "[-]slow: context deadline exceeded") {
		t.Errorf("%d %s", code, text)
	}
	close(gate)
	for range maxRequests {
		<-done
	}
	if ended.Load() != maxRequests {
		t.Errorf("%d were answered", ended.Load())
	}
}
