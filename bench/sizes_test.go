package bench

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestParseSizes(t *testing.T) {
	for _, c := range []struct {
		text         string
		small, large int
		mean         float64
		wrong        bool
	}{
		{"1024", 1024, 1024, 1024, false},
		{"100-2000", 100, 2000, 1050, false},
		{"256:70,4096:25,65536:5", 256, 65536, 256*.7 + 4096*.25 + 65536*.05, false},
		{"1,3", 1, 3, 2, false},
		{"1K", 1024, 1024, 1024, false},
		{"1.5KiB-2Ki", 1536, 2048, 1792, false},
		{"4M", 4 << 20, 4 << 20, 4 << 20, false},
		{"5M", 0, 0, 0, true},
		{"1KB", 0, 0, 0, true},
		{"1.5", 0, 0, 0, true},
		{"", 0, 0, 0, true},
		{"0", 0, 0, 0, true},
		{"5-4", 0, 0, 0, true},
		{"1:0", 0, 0, 0, true},
		{"1:NaN", 0, 0, 0, true},
		{"4194305", 0, 0, 0, true},
		{"1,", 0, 0, 0, true},
		{"-5", 0, 0, 0, true},
	} {
		s, err := ParseSizes(c.text)
		if (err != nil) != c.wrong {
			t.Errorf("%q: %v", c.text, err)
		}
		if err != nil {
			continue
		}
		if s.smallest() != c.small || s.Largest() != c.large || math.Abs(s.mean()-c.mean) > 1e-6 {
			t.Errorf("%q: from %d to %d, mean %g", c.text, s.smallest(), s.Largest(), s.mean())
		}
		rng, sum := rand.New(rand.NewPCG(1, 1)), 0.0
		const n = 20_000
		for range n {
			sum += float64(s.next(rng))
		}
		if drawn := sum / n; math.Abs(drawn-c.mean) > c.mean/20 {
			t.Errorf("%q: the mean of %d draws is %g, want %g", c.text, n, drawn, c.mean)
		}
	}
}

func FuzzParseSizes(f *testing.F) {
	f.Add("256:70,4096:25,65536:5")
	f.Add("1-2,3:1e8")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSizes(text)
		if err != nil {
			return
		}
		b, _ := s.MarshalText()
		var again Sizes
		if err := again.UnmarshalText(b); err != nil || again.mean() != s.mean() {
			t.Fatalf("%q does not survive: %v", text, err)
		}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 100 {
			if n := s.next(rng); n < s.smallest() || n > s.Largest() || n < 1 || n > maxBody {
				t.Fatalf("%q: %d is not from %d to %d", text, n, s.smallest(), s.Largest())
			}
		}
		if m := s.mean(); m < float64(s.smallest())*.999 || m > float64(s.Largest())*1.001 {
			t.Fatalf("%q: mean %g", text, m)
		}
	})
}
