package bench

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestPacerConstant(t *testing.T) {
	p := newOpenLoop(1000, false, nil, 1, 4)
	for i := range 5 {
		if want := 250*time.Microsecond + time.Duration(i)*time.Millisecond; p.due() != want {
			t.Errorf("request %d is due at %s, want %s", i, p.due(), want)
		}
		p.advance()
	}
	p = newOpenLoop(3, false, nil, 0, 1)
	for range 3 * 3600 {
		p.advance()
	}
	if off := (p.due() - time.Hour).Abs(); off > time.Microsecond {
		t.Errorf("an hour of a rate of 3 is off by %s", off)
	}
}

func TestPacerPoisson(t *testing.T) {
	p := newOpenLoop(10_000, true, rand.New(rand.NewPCG(1, 2)), 0, 1)
	const n = 200_000
	var sum, squares float64
	for range n {
		from := p.next
		p.advance()
		sum += p.next - from
		squares += (p.next - from) * (p.next - from)
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-100_000) > 1000 || math.Abs(deviation-100_000) > 2000 { // of an exponential distribution both are the same
		t.Errorf("intervals have mean %.0f ns and deviation %.0f ns, want 100000", mean, deviation)
	}
}
