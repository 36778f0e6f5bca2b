package store

import (
	"math"
	"time"
)

const (
	// leastCommit is the upper bound of the first bucket; bucketsPerDoubling more double it.
	leastCommit        = 16 * time.Microsecond
	bucketsPerDoubling = 4
	commitBuckets      = 20 * bucketsPerDoubling // to 16 s
	// mostCommits is how many are counted before those so far weigh half.
	mostCommits = 4096
)

// commitTimes is how long commits took lately.
type commitTimes struct {
	commits float64 // so many, the older ones in part
	took    [commitBuckets]float64
}

func (c *commitTimes) add(took time.Duration) {
	if c.commits >= mostCommits {
		c.fade(0.5)
	}
	i := 0
	if took > leastCommit {
		i = min(int(math.Ceil(math.Log2(float64(took)/float64(leastCommit))*bucketsPerDoubling)), commitBuckets-1)
	}
	c.commits++
	c.took[i]++
}

// fade leaves a share of what was counted, so that what comes next weighs more.
func (c *commitTimes) fade(share float64) {
	c.commits *= share
	for i := range c.took {
		c.took[i] *= share
	}
}

// mean is what commits took on average, without the longest ones: only a share of them counts. 0 when there are none.
func (c *commitTimes) mean(share float64) time.Duration {
	counted := c.commits * share
	if counted <= 0 {
		return 0
	}
	left, sum := counted, 0.
	for i, n := range c.took {
		n = min(n, left)
		left -= n
		sum += n * float64(leastCommit) * math.Exp2((float64(i)-0.5)/bucketsPerDoubling)
	}
	return time.Duration(sum / counted)
}
