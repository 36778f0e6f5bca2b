package bench

import (
	"testing"

	"ringmq/store/record"
)

// TestPullsThatDoNotMoveOn: messages that come with the offset that was asked for are not counted, a queue is left after enough such answers in a
// row, and one that moves on in between begins a new row.
func TestPullsThatDoNotMoveOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		still func(n int) bool
		pulls int
		read  int64
		stuck int
	}{
		"never moves on":         {from(0), maxFails, 0, 1},
		"moves on once":          {func(n int) bool { return n != maxFails-1 }, 2 * maxFails, 1, 1},
		"moves on after a while": {func(n int) bool { return n < maxFails-1 }, maxFails + 2, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := startFake(t, fakeWrong{still: c.still})
			set := brief(b, func(w *Workload) { w.Queues, w.PullMessages, w.Batch = 1, 1, 3 })
			w, err := set.open(t.Context(), madeTopics, nil)
			if err != nil {
				t.Fatal(err)
			}
			all, err := fill(t.Context(), w, 3)
			if err != nil {
				t.Fatal(err)
			}
			b.mu.Lock()
			b.pulls = 0 // those that asked whether the broker lets anybody pull
			b.mu.Unlock()
			g := newMeter(w, nil).gauge()
			p, err := newPuller(t.Context(), w, g, leave, all)
			if err != nil {
				t.Fatal(err)
			}
			defer p.ls.Close()
			shown := int64(0)
			p.visit = func(int, *record.Record) { shown++ }
			for tries := 0; p.open > 0 && tries < 3*maxFails; tries++ {
				for p.pull(0); p.queues[0].inFlight; {
					p.later = nil // nobody waits for the pause
					if err := p.poll(idleWait); err != nil {
						t.Fatal(err)
					}
				}
			}
			b.mu.Lock()
			pulls := b.pulls
			b.mu.Unlock()
			if g.sum.messages != c.read || shown != c.read || pulls != c.pulls || p.stuck != c.stuck || p.open != 0 {
				t.Errorf("%d messages counted and %d shown in %d pulls, %d queues stuck, %d open", g.sum.messages, shown, pulls, p.stuck, p.open)
			}
		})
	}
}
