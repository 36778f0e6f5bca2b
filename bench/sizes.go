package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Sizes is a distribution of body sizes in bytes: weighted ranges, both ends included.
type Sizes struct {
	parts []sizePart
	text  string
}

type sizePart struct {
	low, high int
	until     float64 // sum of the weights up to and with this part; the last one's is 1
}

// FixedSize is one size for all.
func FixedSize(n int) Sizes {
	return Sizes{parts: []sizePart{{n, n, 1}}, text: strconv.Itoa(n)}
}

// ParseSizes reads parts separated by commas, each SIZE or LOW-HIGH, with :WEIGHT behind it where parts differ:
// "1024", "100-2000", "256:70,4K:25,64KiB:5". A size is what ParseBytes reads.
func ParseSizes(s string) (Sizes, error) {
	out := Sizes{text: s}
	sum := 0.0
	for part := range strings.SplitSeq(s, ",") {
		span, weight, weighted := strings.Cut(part, ":")
		w := 1.0
		if weighted {
			var err error
			if w, err = strconv.ParseFloat(weight, 64); err != nil || !(w > 0 && w < 1e9) {
				return Sizes{}, fmt.Errorf("size %q: the weight must be a number above 0", part)
			}
		}
		first, last, isRange := strings.Cut(span, "-")
		low, err := ParseBytes(first)
		high := low
		if err == nil && isRange {
			high, err = ParseBytes(last)
		}
		if err != nil || low < 1 || high < low || high > maxBody {
			return Sizes{}, fmt.Errorf("size %q: SIZE or LOW-HIGH, from 1 to %d bytes, each as %s", part, maxBody, sizeHelp)
		}
		sum += w
		out.parts = append(out.parts, sizePart{int(low), int(high), sum})
	}
	for i := range out.parts {
		out.parts[i].until /= sum
	}
	return out, nil
}

func (s Sizes) empty() bool { return len(s.parts) == 0 }

func (s Sizes) String() string { return s.text }

// MarshalText writes what ParseSizes reads.
func (s Sizes) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText reads what MarshalText wrote, of the zero value too: not every workload has sizes.
func (s *Sizes) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*s = Sizes{}
		return nil
	}
	*s, err = ParseSizes(string(b))
	return err
}

// Largest is the largest size that can come.
func (s Sizes) Largest() int {
	n := 0
	for _, p := range s.parts {
		n = max(n, p.high)
	}
	return n
}

// smallest is the smallest size that can come.
func (s Sizes) smallest() int {
	n := s.parts[0].low
	for _, p := range s.parts {
		n = min(n, p.low)
	}
	return n
}

// mean is the size to be expected.
func (s Sizes) mean() float64 {
	sum, below := 0.0, 0.0
	for _, p := range s.parts {
		sum += (p.until - below) * float64(p.low+p.high) / 2
		below = p.until
	}
	return sum
}

// next draws a size.
func (s *Sizes) next(rng *rand.Rand) int {
	p := &s.parts[0]
	if len(s.parts) > 1 {
		x := rng.Float64()
		i := 0
		for i < len(s.parts)-1 && x >= s.parts[i].until {
			i++
		}
		p = &s.parts[i]
	}
	if p.low == p.high {
		return p.low
	}
	return p.low + rng.IntN(p.high-p.low+1)
}
