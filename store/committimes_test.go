package store

import (
	"testing"
	"time"
)

func TestCommitTimes(t *testing.T) {
	var c commitTimes
	if got := c.mean(0.95); got != 0 {
		t.Errorf("%v of none", got)
	}
	for i := range 1000 {
		c.add(time.Duration(i+1) * 10 * time.Microsecond) // 10 us to 10 ms
	}
	for _, share := range []float64{0.1, 0.5, 0.95, 1} {
		want := time.Duration(share * float64(5*time.Millisecond))
		if got := c.mean(share); got < want*9/10 || got > want*11/10 {
			t.Errorf("%v of the commits take %v, should be about %v", share, got, want)
		}
	}
	// Those that are left out change nothing.
	before := c.mean(0.95)
	for range 10 {
		c.add(10 * time.Second)
	}
	if got := c.mean(0.95); got < before*99/100 || got > before*105/100 {
		t.Errorf("%v with ten of 10 s, %v without", got, before)
	}
	// What is older weighs less: of a second are nine in ten of what counts then.
	c.fade(0.01)
	for range 90 {
		c.add(time.Second)
	}
	if got := c.mean(0.95); got < 800*time.Millisecond || got > 950*time.Millisecond {
		t.Errorf("%v commits take %v", c.commits, got)
	}
	// However many there were, as many again make up most of it.
	for range 100 * mostCommits {
		c.add(time.Second)
	}
	for range 4 * mostCommits {
		c.add(time.Millisecond)
	}
	if got := c.mean(0.8); got > 2*time.Millisecond {
		t.Errorf("%v after many of 1 ms", got)
	}
	for _, d := range []time.Duration{-time.Second, 0, leastCommit, time.Hour} {
		var c commitTimes
		c.add(d)
		if got := c.mean(1); got < 0 || got > 17*time.Second || d <= leastCommit && got > leastCommit {
			t.Errorf("%v comes out as %v", d, got)
		}
	}
}
