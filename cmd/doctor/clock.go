package doctor

import (
	"fmt"
	"time"
)

// Limits of clocks.
const (
	skewWarning = 2 * time.Second
	skewBroken  = time.Minute
)

// clockOf reads the broker's clock out of its runtime figures: when it was started and for how long it has run, in whole seconds.
func clockOf(runtime map[string]string) (time.Time, bool) {
	boot, ok := number(runtime["bootTimestamp"])
	if !ok || boot <= 0 {
		return time.Time{}, false
	}
	var d, h, m, s int64
	if n, err := fmt.Sscanf(runtime["runtime"], "[ %d days, %d hours, %d minutes, %d seconds ]", &d, &h, &m, &s); err != nil || n != 4 {
		return time.Time{}, false
	}
	// Half a second is what whole seconds leave out in the mean.
	return time.UnixMilli(boot + ((d*24+h)*60+m)*60_000 + s*1000 + 500), true
}

// judgeClock compares the broker's clock with this machine's.
func judgeClock(b *brokerSeen) []Finding {
	there, ok := clockOf(b.Runtime)
	if !ok {
		return []Finding{unknown("clock", "clock-not-told", b.label(), "the broker does not tell its time").
			because("a wrong clock shifts delays and retention", "compare date -u on both hosts")}
	}
	return []Finding{judgeSkew(b.label(), there.Sub(b.Asked), 500*time.Millisecond)}
}

// judgeSkew says whether a broker's clock is ahead of this machine's (behind it when negative) by more than can be borne. exact is how
// exactly it is known.
func judgeSkew(about string, skew, exact time.Duration) Finding {
	word := "ahead of"
	if skew < 0 {
		word = "behind"
	}
	seen := fmt.Sprintf("the broker's clock is %s %s this machine's", spanText(skew), word)
	why := "delayed messages, retention, consumers that begin at a time, and latencies that clients measure go by it"
	fix := "run a time service (chrony, systemd-timesyncd) on both hosts; timedatectl shows whether one is in step"
	switch size := max(skew, -skew); {
	case size >= skewBroken:
		return broken("clock", "clock-skew", about, "%s", seen).because(why, "%s", fix)
	case size >= skewWarning:
		return warning("clock", "clock-skew", about, "%s", seen).because(why, "%s", fix)
	case size <= exact:
		return ok("clock", "clock-in-step", about, "within %s", spanText(exact))
	}
	return ok("clock", "clock-in-step", about, "%s", seen)
}
