package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCatchup(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	pages := filepath.Join(t.TempDir(), "drop_caches")
	if err := os.WriteFile(pages, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w := brief(b, func(w *Workload) {
		w.Rate, w.BacklogBytes, w.DropCache, w.Duration, w.Sizes = 500, 3<<20, true, 100*time.Millisecond, FixedSize(1000)
	})
	r, err := catchup(t.Context(), w, nil, pages)
	if err != nil {
		t.Fatal(err)
	}
	if r.Messages < 3145 || r.Backlog > r.Messages || !r.DrainedInFull || r.MiBPerSecond <= 0 || r.Kind != "catchup" || r.BacklogSeconds <= 0 {
		t.Errorf("%+v", r.Report)
	}
	// How many sends there were depends on the machine; that they kept to their pace and were counted once does not.
	const slack = 50
	ratio := 0.0
	if p99 := r.Before.Latency.P99; p99 > 0 {
		ratio = r.During.Latency.P99 / p99
	}
	if sent := r.Before.Messages + r.During.Messages; float64(r.Before.Messages) > 500*r.Before.Seconds+slack || sent > int64(b.sent()) || r.Before.Seconds < 0.1 || r.During.Seconds <= 0 || r.P99Ratio != ratio {
		t.Errorf("before %+v, during %+v, ratio %g", r.Before, r.During, r.P99Ratio)
	}
	if said, ok := r.detail("drained"); !ok || said != r.MiBPerSecond*(1<<20) || len(r.Details) != 11 {
		t.Errorf("details %+v", r.Details)
	}
	if got, _ := os.ReadFile(pages); string(got) != "1\n" || !r.CacheDropped {
		t.Errorf("%q was written", got)
	}
}

func TestCatchupRefuses(t *testing.T) {
	t.Parallel()
	b := startFake(t, fakeWrong{})
	none := filepath.Join(t.TempDir(), "none", "drop_caches")
	for want, change := range map[string]func(*Workload){
		"page cache": func(w *Workload) { w.Rate, w.DropCache = 1, true },
		"rate":       func(*Workload) {},
		"no topic":   func(w *Workload) { w.Rate, w.Existing = 1, true },
	} {
		if _, err := catchup(t.Context(), brief(b, change), nil, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := dropError(os.ErrPermission); !strings.Contains(err.Error(), "needs root") {
		t.Error(err)
	}
}
