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
	"testing/synctest"
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

// TestOneLookAtATime: who asks while somebody looks gets what is found then, however many ask; the next look is a new one.
func TestOneLookAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const askers = 20
		looks, gate := atomic.Int32{}, make(chan struct{})
		p := &probe{name: "livez", checks: []Check{{"slow", func(context.Context) (string, error) {
			looks.Add(1)
			<-gate
			return "turns", nil
		}}}}
		found := make(chan report, askers+1)
		for range askers {
			go func() { found <- p.look() }()
		}
		synctest.Wait()
		if n := looks.Load(); n != 1 {
			t.Errorf("%d looks at a time", n)
		}
		close(gate)
		for range askers {
			if r := <-found; !r.OK || r.text() != "[+]slow: turns\nlivez ok\n" {
				t.Errorf("%+v", r)
			}
		}
		if r := p.look(); !r.OK || looks.Load() != 2 {
			t.Errorf("%+v after %d looks", r, looks.Load())
		}
	})
}

// TestALookOutlivesWhoAskedFirst: others wait for it.
func TestALookOutlivesWhoAskedFirst(t *testing.T) {
	mux := http.NewServeMux()
	Health{Live: []Check{{"context", func(ctx context.Context) (string, error) { return "turns", ctx.Err() }}}}.enter(mux)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	if mux.ServeHTTP(w, httptest.NewRequest("GET", "/livez", nil).WithContext(ctx)); w.Code != http.StatusOK {
		t.Error(w.Code, w.Body)
	}
}

// TestManyProbes: none is told to come again, as an orchestrator takes that for a process that is not alive.
func TestManyProbes(t *testing.T) {
	const askers = 40
	asking, gate, codes := make(chan struct{}, askers), make(chan struct{}), make(chan int, askers)
	s := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asking <- struct{}{}
		<-gate
	}))
	for range askers {
		go func() {
			r, err := http.Get("http://" + s.Addr().String() + livePath)
			if err != nil {
				codes <- 0
				return
			}
			r.Body.Close()
			codes <- r.StatusCode
		}()
	}
	early := 0
	for range askers {
		select {
		case <-asking:
		case code := <-codes:
			early++
			t.Errorf("%d before the look was over", code)
		}
	}
	close(gate)
	for range askers - early {
		if code := <-codes; code != http.StatusOK {
			t.Error(code)
		}
	}
}
