package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sizeText writes bytes with a binary unit.
func sizeText(bytes int64) string {
	const units = "KMGTPE"
	if bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	v, u := float64(bytes)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}

// sizeOf reads what sizeText writes.
func sizeOf(text string) (int64, bool) {
	number, unit, _ := strings.Cut(strings.TrimSpace(text), " ")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v >= 0 && v <= 1<<40) { // written so that it refuses NaN too
		return 0, false
	}
	for _, known := range []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if unit == known {
			return int64(min(v, 1<<62)), true
		}
		v *= 1024
	}
	return 0, false
}

// spanText writes a time span with the two units that matter.
func spanText(d time.Duration) string {
	d = max(d, -d)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d/time.Hour), int(d/time.Minute)%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", int(d/time.Minute), int(d/time.Second)%60)
	case d >= 10*time.Second:
		return fmt.Sprintf("%d s", int(d/time.Second))
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// ago says when something was, seen from now; stamp is in ms.
func ago(stamp int64, now time.Time) string {
	if stamp <= 0 {
		return "never"
	}
	return spanText(now.Sub(time.UnixMilli(stamp))) + " ago"
}

// plural is "1 queue", "2 queues".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// number reads a whole number; ok is false for anything else.
func number(text string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, err == nil
}
