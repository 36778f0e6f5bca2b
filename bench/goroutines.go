package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// metricsTimeout is how long a page of metrics may take. It is asked for between two seconds of a soak.
const metricsTimeout = 500 * time.Millisecond

// goroutinesOf asks a page of metrics, as Prometheus reads them, how many goroutines the broker has.
func goroutinesOf(ctx context.Context, url string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, metricsTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("metrics %s: %w", url, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, fmt.Errorf("metrics: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("metrics %s: %s", url, resp.Status)
	}
	n, err := parseGoroutines(resp.Body)
	if err != nil {
		return 0, fmt.Errorf("metrics %s: %w", url, err)
	}
	return n, nil
}

// parseGoroutines finds go_goroutines, with labels or without.
func parseGoroutines(r io.Reader) (int, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		rest, ok := strings.CutPrefix(lines.Text(), "go_goroutines")
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		if i := strings.LastIndexByte(rest, '}'); i >= 0 {
			rest = rest[i+1:]
		}
		if fields := strings.Fields(rest); len(fields) > 0 {
			n, err := strconv.ParseFloat(fields[0], 64)
			return int(n), err
		}
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("no go_goroutines in it: it is not that of a ringmq broker")
}

// soakGoroutines is how many more there may be at the end of a soak than after a quarter of it: the load is the same.
const soakGoroutines = 16

// goroutineGrowth are the numbers after a quarter of the intervals and at the end; ok is false where these are not two.
func goroutineGrowth(all []Interval) (quarter, end int, ok bool) {
	if len(all) < 2 {
		return 0, 0, false
	}
	first, last := &all[len(all)/4], &all[len(all)-1]
	return first.Goroutines, last.Goroutines, first != last && first.Goroutines > 0 && last.Goroutines > 0
}
