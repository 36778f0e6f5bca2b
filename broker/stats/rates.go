package stats

import (
	"strconv"
	"strings"
	"time"
)

// counts are totals at one moment.
type counts struct{ put, found, miss, transferred int64 }

// rates keeps a sample a second for ten minutes.
type rates struct {
	at   [rateSamples]time.Time
	v    [rateSamples]counts
	next int
	n    int
}

const rateSamples = 601

func (r *rates) take(now time.Time, c counts) {
	r.at[r.next], r.v[r.next] = now, c
	r.next = (r.next + 1) % rateSamples
	r.n = min(r.n+1, rateSamples)
}

// perSecond is how fast a total grew over the last so many samples, or over those there are.
func (r *rates) perSecond(samples int, of func(counts) int64) float64 {
	if r.n < 2 {
		return 0
	}
	samples = min(samples, r.n-1)
	last := (r.next + rateSamples - 1) % rateSamples
	first := (last + rateSamples - samples) % rateSamples
	d := r.at[last].Sub(r.at[first]).Seconds()
	if d <= 0 {
		return 0
	}
	return float64(of(r.v[last])-of(r.v[first])) / d
}

// text is "10s 60s 600s".
func (r *rates) text(of func(counts) int64) string {
	return javaDouble(r.perSecond(10, of)) + " " + javaDouble(r.perSecond(60, of)) + " " + javaDouble(r.perSecond(600, of))
}

// javaDouble prints a number as Java does where it uses no exponent: always with a fraction.
func javaDouble(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
