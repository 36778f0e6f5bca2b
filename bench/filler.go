package bench

import (
	"math/rand/v2"
	"sync"
)

const poolBytes = 1 << 20

// filler is what bodies are made of, printable and not to be compressed much. Nobody writes to it.
var filler = sync.OnceValue(func() []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, 0, poolBytes)
	for len(out) < poolBytes {
		for n, i := rng.Uint64(), 0; i < 8; n, i = n>>8, i+1 {
			out = append(out, byte(' '+n&0xFF*95>>8))
		}
	}
	return out
})

// body cuts a body out of the pool.
func (p *producer) body() []byte {
	n := p.w.Sizes.next(p.rng)
	at := int(p.serial*997) % poolBytes
	return p.pool[at : at+n]
}
