package metrics

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func keys(rows []row) (s string) {
	for _, r := range rows {
		s += r.name + r.family + fmt.Sprint(r.vals)
	}
	return s
}

func TestTop(t *testing.T) {
	top := newTop(2)
	look := func(want, others string, counts ...any) {
		t.Helper()
		top.begin()
		for i := 0; i < len(counts); i += 2 {
			top.values = append(top.values, int64(counts[i+1].(int)))
			top.add(key{counts[i].(string), "f"})
		}
		own, rest := top.split()
		if keys(own) != want || keys(rest) != others {
			t.Fatalf("%s and %s, want %s and %s", keys(own), keys(rest), want, others)
		}
	}
	look("af[5]", "", "a", 5)
	look("af[5]bf[1]", "", "a", 5, "b", 1)
	look("af[5]bf[4]", "f[6]", "a", 5, "b", 4, "c", 5, "d", 1)    // c is larger, but not by half
	look("cf[9]af[5]", "f[10]", "a", 5, "b", 4, "c", 9, "d", 1)   // c's 4 more are counted there still, b's 4 are its own
	look("cf[9]af[5]", "f[13]", "a", 5, "b", 6, "c", 9, "d", 2)   // b 2, d 1 more
	look("cf[9]", "f[13]", "c", 9)                                // all others are gone, what they counted is not
	look("cf[9]df[3]", "f[13]", "c", 9, "d", 3)                   // new again
	look("ef[50]cf[9]", "f[13]", "c", 9, "d", 3, "e", 50)         // never counted among the others
	look("ef[50]cf[9]", "f[17]", "c", 9, "d", 6, "e", 50, "x", 1) // d 3 more, x 1
}

// TestOthersOnlyGrow, and count all that the members' series do not, whoever comes, goes and grows.
func TestOthersOnlyGrow(t *testing.T) {
	top := newTop(5)
	r := rand.New(rand.NewPCG(1, 2))
	counts := map[string]int64{}
	last, members := int64(0), map[string]bool{}
	for range 2000 {
		grown := int64(0) // of those that were others before and now
		before := map[string]int64{}
		for k, v := range counts {
			before[k] = v
		}
		for range 5 {
			counts[fmt.Sprint("t", r.IntN(30))] += r.Int64N(1000)
		}
		top.begin()
		for k, v := range counts {
			top.values = append(top.values, v, v)
			top.add(key{name: k})
		}
		own, rest := top.split()
		now := map[string]bool{}
		for _, o := range own {
			now[o.name] = true
		}
		for k, v := range counts {
			if !members[k] && (before[k] > 0 || !now[k]) {
				grown += v - before[k]
			}
		}
		shown := int64(0)
		if len(rest) > 0 {
			shown = rest[0].vals[0]
		}
		if len(now) > 5 || shown != last+grown {
			t.Fatalf("%d members, others %d, want %d and %d more", len(now), shown, last, grown)
		}
		last, members = shown, now
	}
}
