package admin

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmq/store/record"
)

// front cuts a text that is too long for its column, in the table form only.
func front(s string, n int) Cell {
	if r := []rune(s); len(r) > n {
		return Cell{Value: s, Text: string(r[:n])}
	}
	return Cell{Value: s, Text: s}
}

// stamp writes a time in ms with its milliseconds, in local time.
func stamp(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05,000") }

// stampSeconds is stamp without milliseconds.
func stampSeconds(ms int64) string { return time.UnixMilli(ms).Format(time.DateTime) }

// lastTime is the cell of the newest message consumed.
func lastTime(ms int64, none string) Cell {
	if ms <= 0 {
		return Cell{Value: ms, Text: none}
	}
	return Cell{Value: ms, Text: stampSeconds(ms)}
}

// double writes a number as Java prints one.
func double(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// fixed is a number that a table shows with so many decimals.
func fixed(v float64, decimals int) Cell {
	return Cell{Value: v, Text: strconv.FormatFloat(v, 'f', decimals, 64)}
}

// null is how Java prints what is not there.
func null(s string) string { return cmp.Or(s, "null") }

// permName writes a permission as three letters.
func permName(perm int32) string {
	b := []byte("---")
	if perm&4 != 0 {
		b[0] = 'R'
	}
	if perm&2 != 0 {
		b[1] = 'W'
	}
	if perm&1 != 0 {
		b[2] = 'X'
	}
	return string(b)
}

// pair is one property.
type pair struct{ key, value string }

// mapText prints pairs in the order that a Java hash map of a capacity, a power of two, has them in. Of several with one key the last
// one counts, in the place of the first.
func mapText(pairs []pair, capacity int32) string {
	type placed struct {
		pair
		bucket int32
	}
	var all []placed
	for _, p := range pairs {
		if i := slices.IndexFunc(all, func(q placed) bool { return q.key == p.key }); i >= 0 {
			all[i].value = p.value
			continue
		}
		h := record.JavaHash([]byte(p.key))
		all = append(all, placed{p, (h ^ int32(uint32(h)>>16)) & (capacity - 1)})
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.bucket, b.bucket) })
	var b strings.Builder
	b.WriteByte('{')
	for i, p := range all {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.key + "=" + p.value)
	}
	b.WriteByte('}')
	return b.String()
}

func stampTime(ms int64) time.Time { return time.UnixMilli(ms) }
