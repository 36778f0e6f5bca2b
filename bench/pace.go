package bench

import (
	"math/rand/v2"
	"time"
)

// openLoop gives the intended times of an open loop: they do not wait for answers, so a broker that stalls is charged for all
// that should have been sent meanwhile.
type openLoop struct {
	interval float64 // ns between requests
	poisson  bool
	rng      *rand.Rand
	next     float64 // ns since the start, of the next request
}

// newOpenLoop paces requests at a rate a second; share is which of how many generators of the same rate this is, so that their
// requests interleave.
func newOpenLoop(rate float64, poisson bool, rng *rand.Rand, share, of int) *openLoop {
	p := &openLoop{interval: 1e9 / rate, poisson: poisson, rng: rng}
	p.next = p.interval * float64(share) / float64(of)
	return p
}

// due is when the next request is intended, since the start.
func (p *openLoop) due() time.Duration { return time.Duration(p.next) }

// advance goes on to the one behind it.
func (p *openLoop) advance() {
	if p.poisson {
		p.next += p.rng.ExpFloat64() * p.interval
		return
	}
	p.next += p.interval
}
