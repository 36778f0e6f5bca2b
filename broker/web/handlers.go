package web

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrape has no time limit: with one, promhttp would leave a look at the metrics going on that nobody waits for.
func scrape(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// Metrics answers where a stock broker is asked for its metrics.
func Metrics(g prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", scrape(g))
	mux.Handle("GET /metrics", scrape(g))
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("Exporter is Healthy."))
	})
	return mux
}

// Admin answers an operator: /metrics, the probes /livez and /readyz, and /debug/pprof/ to callers on this host. A profile says much about
// what a process does, and a trace slows it down: they are for nobody else, whatever the address.
//
// net/http/pprof enters its handlers into http.DefaultServeMux when it is imported; nobody serves that one.
func Admin(g prometheus.Gatherer, h Health) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", scrape(g))
	h.enter(mux)
	debug := http.NewServeMux()
	debug.HandleFunc("GET /debug/pprof/", pprof.Index)
	debug.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	debug.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.Handle("/debug/", onThisHost(debug))
	return mux
}

// onThisHost lets callers of the loopback interface pass, who mean it: a page in a browser on this host, whose name leads here, has its own
// name in Host.
func onThisHost(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		if local == nil || !isLoopback(local.String()) || !isLoopback(r.RemoteAddr) || !isLoopback(r.Host) {
			http.Error(w, "profiles and traces are for callers on this host, by a loopback address", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// isLoopback says whether an address, with or without a port, is of the loopback interface.
func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
