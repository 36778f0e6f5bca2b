// Package tally counts values in buckets, for figures that somebody looks at now and then while others count all the time. Counting
// takes no lock and no memory.
package tally

import (
	"slices"
	"sync/atomic"
)

// Histogram counts values in buckets of fixed bounds. Any goroutine.
type Histogram struct {
	bounds []int64
	counts []atomic.Int64 // one more than bounds: the last takes what lies beyond
	sum    atomic.Int64
}

// New makes a histogram with the upper bounds of its buckets, which belong to them; they must grow.
func New(bounds ...int64) *Histogram {
	if !slices.IsSorted(bounds) || len(bounds) == 0 {
		panic("tally: bounds that do not grow")
	}
	return &Histogram{bounds: bounds, counts: make([]atomic.Int64, len(bounds)+1)}
}

// bucket is the place of the first bound that v does not pass. There are few, and small values are the rule.
func (h *Histogram) bucket(v int64) int {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	return i
}

// Add counts a value.
func (h *Histogram) Add(v int64) {
	h.counts[h.bucket(v)].Add(1)
	h.sum.Add(v)
}

// Counts are a histogram at one moment: how many values fell into each bucket, one more than there are bounds. While others count, it
// may be a value ahead in one place and behind in another.
type Counts struct {
	Bounds []int64
	Counts []int64
	Sum    int64
}

// Counts returns the figures of the moment. Any goroutine.
func (h *Histogram) Counts() Counts {
	return Counts{Bounds: h.bounds, Counts: h.AppendCounts(make([]int64, 0, len(h.counts))), Sum: h.Sum()}
}

// AppendCounts appends the counts of the moment, one for each bucket. Any goroutine.
func (h *Histogram) AppendCounts(dst []int64) []int64 {
	for i := range h.counts {
		dst = append(dst, h.counts[i].Load())
	}
	return dst
}

// Sum is that of all values. Any goroutine.
func (h *Histogram) Sum() int64 { return h.sum.Load() }

// N is how many values were counted.
func (c Counts) N() int64 {
	n := int64(0)
	for _, v := range c.Counts {
		n += v
	}
	return n
}

// Plus adds up two of the same bounds, without changing either.
func (c Counts) Plus(d Counts) Counts {
	if c.Counts == nil {
		return d
	}
	sum := Counts{Bounds: c.Bounds, Counts: slices.Clone(c.Counts), Sum: c.Sum + d.Sum}
	for i, n := range d.Counts {
		sum.Counts[i] += n
	}
	return sum
}

// Minus is what was counted after d, a look at the same histogram, without changing either.
func (c Counts) Minus(d Counts) Counts {
	if d.Counts == nil {
		return c
	}
	rest := Counts{Bounds: c.Bounds, Counts: slices.Clone(c.Counts), Sum: c.Sum - d.Sum}
	for i, n := range d.Counts {
		rest.Counts[i] -= n
	}
	return rest
}

// Quantile is about the value that the share q of all values does not pass, taking those of a bucket as evenly spread; 0 where nothing was
// counted, and the last bound where the value lies beyond it.
func (c Counts) Quantile(q float64) float64 {
	rank := q * float64(c.N())
	before, low := 0.0, 0.0
	for i, bound := range c.Bounds {
		n := float64(c.Counts[i])
		if n > 0 && before+n >= rank {
			return low + (float64(bound)-low)*(rank-before)/n
		}
		before, low = before+n, float64(bound)
	}
	if c.N() == 0 {
		return 0
	}
	return low
}

// Turn gathers values for a histogram, for one goroutine that counts many at a time: what others look at is touched once for all of
// them, by Flush.
type Turn struct {
	h      *Histogram
	counts []int64
	sum    int64
	any    bool
}

// NewTurn makes one.
func NewTurn(h *Histogram) *Turn { return &Turn{h: h, counts: make([]int64, len(h.counts))} }

// Add counts a value, which shows after Flush.
func (t *Turn) Add(v int64) {
	t.counts[t.h.bucket(v)]++
	t.sum += v
	t.any = true
}

// Flush shows what was counted.
func (t *Turn) Flush() {
	if !t.any {
		return
	}
	t.any = false
	for i, n := range t.counts {
		if n != 0 {
			t.h.counts[i].Add(n)
			t.counts[i] = 0
		}
	}
	t.h.sum.Add(t.sum)
	t.sum = 0
}
