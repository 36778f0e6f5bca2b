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

// perSecond is how fast a total grew over the last so many samples; false as long as there are not so many.
func (r *rates) perSecond(samples int, of func(counts) int64) (float64, bool) {
	if r.n <= samples {
		return 0, false
	}
	last := (r.next + rateSamples - 1) % rateSamples
	first := (last + rateSamples - samples) % rateSamples
	d := r.at[last].Sub(r.at[first]).Seconds()
	if d <= 0 {
		return 0, true
	}
	return float64(of(r.v[last])-of(r.v[first])) / d, true
}

// text is "10s 60s 600s". As stock's it has nothing in the place of a span that the broker has not run for yet, or none for a figure that
// stock adds up from others.
func (r *rates) text(sum bool, of func(counts) int64) string {
	var parts [3]string
	for i, samples := range [3]int{10, 60, 600} {
		if v, whole := r.perSecond(samples, of); whole || sum {
			parts[i] = javaDouble(v)
		}
	}
	return strings.Join(parts[:], " ")
}

// javaDouble prints a number as Java does where it uses no exponent: always with a fraction.
func javaDouble(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
