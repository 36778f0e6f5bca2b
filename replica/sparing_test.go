package replica

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// strained is a master whose commits take the longer the more is sent to a slave.
type strained struct {
	every time.Duration // between the records that are stored; 0: none are
	bytes int64         // of each
	harm  float64       // by how much 1 GiB/s to the slave makes a commit longer; 1: it takes twice as long
}

const (
	calmCommit = 300 * time.Microsecond
	linkRate   = 1 << 30 // bytes a second that slave and link can do
)

// run sends for a while and returns the MiB a second of its last third, and how much longer commits took then than without any of it.
func (s strained) run(t *testing.T, length time.Duration) (mib, longer float64) {
	var stored, safe, sent atomic.Int64
	p := &sparing{stored: stored.Load, safe: safe.Load}
	began := time.Now()
	ended := make(chan struct{})
	var sum time.Duration
	var n int
	go func() {
		defer close(ended)
		recent, had, since := 0.0, int64(0), time.Now()
		for time.Since(began) < length && s.every > 0 {
			if d := time.Since(since); d > 20*time.Millisecond {
				recent, had, since = float64(sent.Load()-had)/d.Seconds(), sent.Load(), time.Now()
			}
			p.look(time.Now())
			stored.Add(s.bytes)
			took := time.Duration(float64(calmCommit) * (1 + s.harm*recent/linkRate))
			time.Sleep(took)
			safe.Store(stored.Load())
			p.committed(safe.Load())
			if time.Since(began) > length*2/3 {
				sum, n = sum+took, n+1
			}
			time.Sleep(s.every)
		}
	}()
	time.Sleep(2 * time.Second) // in step
	var mark int64
	for time.Since(began) < length {
		if w := p.wait(time.Now()); w > 0 {
			time.Sleep(w)
			continue
		}
		time.Sleep(time.Second / (linkRate >> 20))
		sent.Add(1 << 20)
		p.count(1 << 20)
		if mark == 0 && time.Since(began) > length*2/3 {
			mark = sent.Load()
		}
	}
	<-ended
	if n > 0 {
		longer = float64(sum) / float64(n) / float64(calmCommit)
	}
	return float64(sent.Load()-mark) / (1 << 20) / (length.Seconds() / 3), longer
}

// TestSparing: slaves get what does not hurt, all where nothing does, and never less than what they need to arrive.
func TestSparing(t *testing.T) {
	for _, c := range []struct {
		name      string
		s         strained
		low, high float64 // MiB/s
		longer    float64 // at most
	}{
		{"nobody stores", strained{}, 950, 1050, 0},
		{"it hurts nobody", strained{every: time.Millisecond, bytes: 10_000}, 850, 1050, 1.01},
		{"it hurts a little", strained{every: time.Millisecond, bytes: 10_000, harm: 0.2}, 850, 1050, 1.2},
		{"it hurts", strained{every: time.Millisecond, bytes: 10_000, harm: 5}, 100, 300, 2.3},
		{"it hurts much", strained{every: time.Millisecond, bytes: 10_000, harm: 100}, 50, 80, 9},
		{"the log grows fast", strained{every: time.Millisecond, bytes: 300_000, harm: 100}, 100, 300, 40},
		{"hardly anything is stored", strained{every: time.Second, bytes: 1000, harm: 100}, 800, 1050, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mib, longer := c.s.run(t, 40*time.Second)
				if mib < c.low || mib > c.high || longer > c.longer {
					t.Errorf("%.0f MiB/s, want %.0f to %.0f; commits took %.2f times as long, want %.2f at most", mib, c.low, c.high, longer, c.longer)
				}
				t.Logf("%.0f MiB/s, commits took %.2f times as long", mib, longer)
			})
		})
	}
}
