package web

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Check is one thing that a probe looks at. Look returns what there is to say, and an error where it is not as it has to be. It ends
// with ctx at the latest, waits for no disk, and may be called by two goroutines at a time, one for each probe.
type Check struct {
	Name string
	Look func(ctx context.Context) (string, error)
}

// Health is what probes look at: Live, what only another start of the process could mend, and Ready, whether it serves.
type Health struct{ Live, Ready []Check }

// Paths of the probes.
const (
	livePath  = "/livez"
	readyPath = "/readyz"
)

// probeTime is how long a probe may take: a Kubernetes probe gives up after a second unless it is told otherwise.
const probeTime = 800 * time.Millisecond

// Probes answers /livez and /readyz alone, for a process without metrics.
func Probes(h Health) http.Handler {
	mux := http.NewServeMux()
	h.enter(mux)
	return mux
}

// enter adds the probes' paths.
func (h Health) enter(mux *http.ServeMux) {
	mux.Handle("GET "+livePath, &probe{name: "livez", checks: h.Live})
	mux.Handle("GET "+readyPath, &probe{name: "readyz", checks: h.Ready})
}

// isProbe says whether a path is a probe's.
func isProbe(path string) bool { return path == livePath || path == readyPath }

// result is how a check went, as JSON has it.
type result struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// report is the answer to a probe, as JSON has it.
type report struct {
	Probe  string   `json:"probe"`
	OK     bool     `json:"ok"`
	Checks []result `json:"checks"`
}

// probe looks at checks for those who ask, however many, once at a time: who asks while somebody looks gets what is found then.
type probe struct {
	name   string
	checks []Check
	mu     sync.Mutex
	under  *glance // nil: nobody looks
}

// glance is a look that is under way.
type glance struct {
	done  chan struct{} // closed when found is there
	found report
}

// ServeHTTP answers 200 where all checks hold and 503 where one does not; a line a check, or JSON for who asks for it.
func (p *probe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	all := p.look()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	body, kind := []byte(all.text()), "text/plain; charset=utf-8"
	if wantsJSON(r) {
		body, kind = all.json(), "application/json"
	}
	w.Header().Set("Content-Type", kind)
	if !all.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(body)
}

// look takes probeTime at most. It does not end when the one who asked first goes: others wait for it.
func (p *probe) look() report {
	p.mu.Lock()
	if g := p.under; g != nil {
		p.mu.Unlock()
		<-g.done
		return g.found
	}
	g := &glance{done: make(chan struct{})}
	p.under = g
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.under = nil
		p.mu.Unlock()
		close(g.done)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	g.found = look(ctx, p.name, p.checks)
	return g.found
}

func look(ctx context.Context, name string, checks []Check) report {
	all := report{Probe: name, OK: true, Checks: []result{}}
	for _, c := range checks {
		text, err := c.Look(ctx)
		if err != nil {
			text, all.OK = err.Error(), false
		}
		all.Checks = append(all.Checks, result{c.Name, err == nil, text})
	}
	return all
}

// text is a line a check, as Kubernetes' own servers write them, and the verdict.
func (r report) text() string {
	var b strings.Builder
	verdict := "ok"
	for _, c := range r.Checks {
		mark := "[+]"
		if !c.OK {
			mark, verdict = "[-]", "failed"
		}
		b.WriteString(mark + c.Name + ": " + strings.ReplaceAll(c.Text, "\n", "; ") + "\n")
	}
	b.WriteString(r.Probe + " " + verdict + "\n")
	return b.String()
}

func (r report) json() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // text and booleans
	}
	return append(b, '\n')
}

func wantsJSON(r *http.Request) bool {
	if f := r.URL.Query().Get("format"); f != "" {
		return f == "json"
	}
	return strings.Contains(r.Header.Get("Accept"), "application/json")
}
