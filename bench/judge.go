package bench

import (
	"fmt"
	"maps"
	"slices"
)

// judge says what of a soak must not be.
func (s *soak) judge() {
	s.out.Failures = []string{}
	fail := func(format string, a ...any) { s.out.Failures = append(s.out.Failures, fmt.Sprintf(format, a...)) }
	errorsOf := func(what string, all map[string]int64) {
		for _, why := range slices.Sorted(maps.Keys(all)) {
			fail("%d %s: %s", all[why], what, why)
		}
	}
	errorsOf("sends rejected", s.out.Errors)
	errorsOf("pulls of the consumers failed", s.hots.errors)
	errorsOf("pulls of the cold reader failed", s.colds.errors)
	last := s.out.Intervals[len(s.out.Intervals)-1]
	if behind := float64(last.Lag) / s.out.Rate; behind > lagSeconds {
		fail("the consumers were %d messages behind at the end, %.0f s of sends", last.Lag, behind)
	}
	if s.out.Messages == 0 {
		fail("nothing was acknowledged")
	}
	if s.w.PID == 0 {
		s.out.Warnings = append(s.out.Warnings, "memory was not judged: the broker's process is not known")
		return
	}
	s.out.GrowthMiBHour, s.out.MaxOverMin = growth(s.out.Intervals)
	if s.out.GrowthMiBHour > s.w.GrowthMiBHour && s.out.MaxOverMin > soakRatio {
		fail("memory grew by %.1f MiB an hour, its maximum is %.2f times its minimum", s.out.GrowthMiBHour, s.out.MaxOverMin)
	}
}

// growth is how the memory that is no file's changed over the second half: the slope, and the ratio of largest and smallest.
func growth(all []Interval) (mibHour, maxOverMin float64) {
	all = all[len(all)/2:]
	hours, mib := make([]float64, 0, len(all)), make([]float64, 0, len(all))
	for _, i := range all {
		if i.AnonymousBytes > 0 {
			hours = append(hours, i.AtSeconds/3600)
			mib = append(mib, float64(i.AnonymousBytes)/(1<<20))
		}
	}
	if len(mib) == 0 {
		return 0, 0
	}
	return slope(hours, mib), slices.Max(mib) / slices.Min(mib)
}
