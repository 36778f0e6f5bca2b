package replica

import "slices"

// quorum is how many copies a record must have, the master's own included.
type quorum struct {
	copies    int
	minCopies int
	auto      bool // no more than are in step, but minCopies
}

// standing is one slave as the quorum sees it.
type standing struct {
	acked  int64
	inStep bool
}

// verdict of a quorum. Offset: needed copies have everything before it.
type verdict struct {
	offset  int64
	inStep  int // the master's own included
	needed  int
	enough  bool
	refuses bool
}

// decide judges a log that ends at end with its slaves. scratch is room for their offsets.
func (q quorum) decide(end int64, slaves []standing, scratch []int64) (verdict, []int64) {
	v := verdict{inStep: 1}
	offsets := append(scratch[:0], end)
	for _, s := range slaves {
		if s.inStep {
			v.inStep++
		}
		offsets = append(offsets, min(s.acked, end))
	}
	v.needed = max(q.copies, 1)
	if q.auto {
		v.needed = max(min(v.needed, v.inStep), q.minCopies, 1)
	}
	v.enough, v.refuses = v.inStep >= v.needed, v.inStep < q.minCopies
	slices.Sort(offsets)
	if v.needed <= len(offsets) {
		v.offset = offsets[len(offsets)-v.needed]
	}
	return v, offsets
}
