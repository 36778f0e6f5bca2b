package backup

import "slices"

// Ranges of the log are pairs, from and to.

// joined is what lists of ranges cover together: in order, and no two that touch. The lists stay as they are.
func joined(lists ...[][2]int64) (all [][2]int64) {
	every := slices.Concat(lists...)
	slices.SortFunc(every, func(a, b [2]int64) int { return int(min(max(a[0]-b[0], -1), 1)) })
	for _, r := range every {
		if n := len(all); n > 0 && r[0] <= all[n-1][1] {
			all[n-1][1] = max(all[n-1][1], r[1])
		} else {
			all = append(all, r)
		}
	}
	return all
}

// below is what of some ranges lies before an offset.
func below(list [][2]int64, end int64) (all [][2]int64) {
	for _, r := range list {
		if r[0] < end {
			all = append(all, [2]int64{r[0], min(r[1], end)})
		}
	}
	return all
}

// covered says whether ranges have all of [from, to).
func covered(list [][2]int64, from, to int64) bool {
	for again := true; again && from < to; {
		again = false
		for _, r := range list {
			if r[0] <= from && from < r[1] {
				from, again = r[1], true
			}
		}
	}
	return from >= to
}
