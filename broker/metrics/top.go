package metrics

import (
	"cmp"
	"slices"
)

// key names a row. Rows of a family share a series when they have none of their own.
type key struct{ name, family string }

// row is what was counted under a key, in values that only grow.
type row struct {
	key
	vals []int64
}

// top chooses the rows that have series of their own, and keeps what the others are shown as together growing: a counter that falls looks
// like a broker that was started anew. Whoever has a series keeps it until another has half as much again. One goroutine at a time.
type top struct {
	k       int
	members map[key]struct{}
	others  map[key]struct{}   // that were not, at the last look
	carry   map[string][]int64 // by family: what the sum of the others has to be corrected by
	shown   map[string][]int64 // by family: as of the last look

	// Kept from look to look: with very many topics they would be the most of what a look costs.
	rows   []row
	values []int64
	spare  map[key]struct{}
}

func newTop(k int) *top {
	return &top{k: k, members: map[key]struct{}{}, others: map[key]struct{}{}, spare: map[key]struct{}{}, carry: map[string][]int64{}, shown: map[string][]int64{}}
}

// begin forgets the rows of the last look.
func (t *top) begin() {
	clear(t.rows) // of names that are gone
	t.rows, t.values = t.rows[:0], t.values[:0]
}

// add adds a row, whose values were appended to t.values. All rows have as many.
func (t *top) add(k key) { t.rows = append(t.rows, row{key: k}) }

// split parts the rows that were added, whose first value is the one that they compete with, into those with series of their own and one for each family of
// the others.
func (t *top) split() (own, rest []row) {
	rows := t.rows
	for i := range rows {
		width := len(t.values) / len(rows)
		rows[i].vals = t.values[i*width : (i+1)*width]
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.vals[0], a.vals[0]), cmp.Compare(a.name, b.name), cmp.Compare(a.family, b.family))
	})
	t.choose(rows)
	sums, others := map[string][]int64{}, t.spare
	clear(others)
	for _, r := range rows {
		if _, ok := t.members[r.key]; ok {
			own = append(own, r)
			continue
		}
		others[r.key] = struct{}{}
		sums[r.family] = plus(sums[r.family], r.vals, 1)
	}
	t.others, t.spare = others, t.others
	for family := range t.shown {
		if sums[family] == nil {
			sums[family] = make([]int64, len(t.shown[family]))
		}
	}
	for family, sum := range sums {
		rest = append(rest, row{key{family: family}, t.show(family, sum)})
	}
	slices.SortFunc(rest, func(a, b row) int { return cmp.Compare(a.family, b.family) })
	return own, rest
}

// choose makes the members of the rows, the largest first.
func (t *top) choose(rows []row) {
	var in, out []row // of those that are none, only the first can become members
	for _, r := range rows {
		if _, ok := t.members[r.key]; ok {
			in = append(in, r)
		} else if len(out) < t.k {
			out = append(out, r)
		}
	}
	clear(t.members)
	for _, r := range in {
		t.members[r.key] = struct{}{}
	}
	for len(out) > 0 && len(t.members) < t.k {
		t.enter(out[0])
		out = out[1:]
	}
	for len(out) > 0 && len(in) > 0 {
		weakest := in[len(in)-1]
		if out[0].vals[0] <= weakest.vals[0]*3/2 {
			return
		}
		delete(t.members, weakest.key)
		t.carry[weakest.family] = plus(t.carry[weakest.family], weakest.vals, -1)
		t.enter(out[0])
		in, out = in[:len(in)-1], out[1:]
	}
}

// enter makes a row a member. What it counted among the others stays counted there.
func (t *top) enter(r row) {
	t.members[r.key] = struct{}{}
	if _, was := t.others[r.key]; was {
		t.carry[r.family] = plus(t.carry[r.family], r.vals, 1)
	}
}

// show corrects the sum of a family. A row that is gone takes its count along, and the sum stays where it was.
func (t *top) show(family string, sum []int64) []int64 {
	sum = plus(sum, t.carry[family], 1)
	for i, was := range t.shown[family] {
		if sum[i] < was {
			t.carry[family] = plus(t.carry[family], make([]int64, len(sum)), 1)
			t.carry[family][i] += was - sum[i]
			sum[i] = was
		}
	}
	t.shown[family] = sum
	return sum
}

// plus adds b, so many times, to a, which it may change; nil is all zeros.
func plus(a, b []int64, times int64) []int64 {
	if a == nil {
		a = make([]int64, len(b))
	}
	for i, v := range b {
		a[i] += v * times
	}
	return a
}
