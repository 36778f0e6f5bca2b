package bench

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// judge says what of a soak must not be.
func (s *soak) judge() {
	s.out.Judged = true
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
	switch missing := s.out.Rate*s.out.Seconds - float64(s.out.Messages); {
	case s.out.Messages == 0:
		fail("nothing was acknowledged")
	case s.out.PerSecond < soakKept*s.out.Rate && missing > soakUnderWay*s.out.Rate:
		fail("the rate was not kept: %s of %s messages a second, %.1f %% of it and not the %.0f %% that are asked for",
			Count(math.Round(s.out.PerSecond)), Count(math.Round(s.out.Rate)), 100*s.out.PerSecond/s.out.Rate, 100*soakKept)
	}
	defer func() {
		if s.out.Stopped != "" && len(s.out.Failures) == 0 {
			s.out.Judged, s.out.Unjudged = false, "a soak that is not whole has not passed"
		}
	}()
	s.judgeMemory(fail)
	s.judgeGoroutines(fail)
}

// judgeMemory says whether memory grew, or why that is not known.
func (s *soak) judgeMemory(fail func(string, ...any)) {
	if s.w.PID == 0 {
		s.out.Warnings = append(s.out.Warnings, "memory was not judged: the broker's process is not known")
		return
	}
	var points int
	if s.out.GrowthMiBHour, s.out.MaxOverMin, points = growth(s.out.Intervals); points < 2 {
		s.out.GrowthMiBHour, s.out.MaxOverMin = 0, 0
		s.out.Warnings = append(s.out.Warnings, fmt.Sprintf("growth of memory was not judged: it takes more than %s of %s", plural(len(s.out.Intervals), "interval"), soakInterval))
		return
	}
	s.grown = true
	if s.out.GrowthMiBHour > s.w.GrowthMiBHour && s.out.MaxOverMin > soakRatio {
		fail("memory grew by %.1f MiB an hour, its maximum is %.2f times its minimum", s.out.GrowthMiBHour, s.out.MaxOverMin)
	}
}

// judgeGoroutines does so for them.
func (s *soak) judgeGoroutines(fail func(string, ...any)) {
	if s.w.Metrics == "" {
		return
	}
	quarter, end, ok := goroutineGrowth(s.out.Intervals)
	if !ok {
		s.out.Warnings = append(s.out.Warnings, "growth of goroutines was not judged: there are not two intervals with their number")
		return
	}
	s.counted = true
	if end > quarter+soakGoroutines {
		fail("goroutines grew from %d after a quarter of the time to %d at the end", quarter, end)
	}
}

// describeIntervals fills the details.
func (s *soak) describeIntervals() {
	out := &s.out
	if out.Peak > 0 {
		out.tell("peak", out.Peak, "/s", higher)
	}
	out.tell("rate", out.Rate, "/s", "")
	slow, fast, p99, lag := math.Inf(1), 0.0, 0.0, int64(0)
	for _, i := range out.Intervals {
		slow, fast, p99, lag = min(slow, i.PerSecond), max(fast, i.PerSecond), max(p99, i.P99), max(lag, i.Lag)
	}
	out.tell("intervals of 10 s", float64(len(out.Intervals)), "", "")
	out.tell("slowest interval", slow, "/s", higher)
	out.tell("fastest interval", fast, "/s", "")
	out.tell("worst p99 of an interval", p99, "ms", lower)
	out.tell("farthest that consumers were behind", float64(lag), "", lower)
	out.tell("behind at the end", float64(out.Intervals[len(out.Intervals)-1].Lag), "", lower)
	out.tell("read by the consumers that follow", float64(out.Hot), "", "")
	out.tell("read by the one that begins again", float64(out.Cold), "", "")
	out.tell("queues begun again", float64(out.ColdRounds), "", "")
	if out.Broker != nil { // what the one that begins again finds in memory shows nothing of cold reads
		out.tell("of that from the disk", float64(out.Broker.DiskReadBytes)/(1<<20), "MiB", "")
	}
	if s.counted {
		quarter, end, _ := goroutineGrowth(out.Intervals)
		out.tell("goroutines after a quarter", float64(quarter), "", "")
		out.tell("goroutines at the end", float64(end), "", lower)
	}
	if s.grown {
		out.tell("memory growth", out.GrowthMiBHour, "MiB/h", "")
		out.tell("memory, largest to smallest", out.MaxOverMin, "times", lower)
	}
}

// growth is how the memory that is no file's changed over the second half: the slope, and the ratio of largest and smallest, of how many
// intervals.
func growth(all []Interval) (mibHour, maxOverMin float64, points int) {
	all = all[len(all)/2:]
	hours, mib := make([]float64, 0, len(all)), make([]float64, 0, len(all))
	for _, i := range all {
		if i.AnonymousBytes > 0 {
			hours = append(hours, i.AtSeconds/3600)
			mib = append(mib, float64(i.AnonymousBytes)/(1<<20))
		}
	}
	if len(mib) == 0 {
		return 0, 0, 0
	}
	return slope(hours, mib), slices.Max(mib) / slices.Min(mib), len(mib)
}
