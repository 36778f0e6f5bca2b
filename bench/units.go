package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Count writes a number with its thousands apart, and with as many decimals as make three digits.
func Count(n float64) string {
	abs := math.Abs(n)
	switch {
	case n == math.Trunc(n) || abs >= 100:
		return thousands(strconv.FormatFloat(math.Round(n), 'f', 0, 64))
	case abs >= 10:
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return strconv.FormatFloat(n, 'f', 2, 64)
}

func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Bytes writes a size in the largest unit that leaves a whole number before the point.
func Bytes(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for math.Abs(n) >= 1024 && i < len(units)-1 {
		n, i = n/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%.0f B", n)
	}
	return threeDigits(n) + " " + units[i]
}

// Millis writes a time given in milliseconds in us, ms or s.
func Millis(ms float64) string {
	switch {
	case ms == 0:
		return "0"
	case ms < 0.9995:
		return threeDigits(ms*1000) + " us"
	case ms < 999.5:
		return threeDigits(ms) + " ms"
	}
	return threeDigits(ms/1000) + " s"
}

func threeDigits(n float64) string {
	switch abs := math.Abs(n); {
	case abs >= 99.95:
		return strconv.FormatFloat(n, 'f', 0, 64)
	case abs >= 9.995:
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return strconv.FormatFloat(n, 'f', 2, 64)
}

// Micros writes a time given in microseconds, as Millis does.
func Micros(us float64) string { return Millis(us / 1000) }

// Ratio writes how many times one number is another.
func Ratio(r float64) string {
	if math.IsNaN(r) || math.IsInf(r, 0) {
		return "-"
	}
	return threeDigits(r) + "x"
}

// percent writes a share with as many digits as tell something: never as a power of ten.
func percent(share float64) string {
	switch p := 100 * share; {
	case p > 0 && p < 0.01:
		return "less than 0.01 %"
	case p < 1:
		return strconv.FormatFloat(p, 'f', 2, 64) + " %"
	case p > 99 && p < 100: // not all of them
		return strconv.FormatFloat(math.Min(p, 99.9), 'f', 1, 64) + " %"
	default:
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
}

// plural is a number and what it counts; one has no s.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(float64(n)) + " " + noun
}

// sizeUnits are those that ParseBytes reads, all of 1024: K, Ki and KiB are one.
const sizeUnits = "KMGT"

const sizeHelp = "bytes, or a number with K, M, G or T behind it (KiB, MiB, GiB and TiB are the same: steps of 1024)"

// ParseBytes reads a size: a number of bytes, or one with a unit behind it.
func ParseBytes(s string) (int64, error) {
	factor, number := 1.0, s
	for i, unit := range sizeUnits {
		for _, end := range []string{"iB", "i", ""} {
			if rest, ok := strings.CutSuffix(s, string(unit)+end); ok {
				factor, number = float64(int64(1)<<(10*(i+1))), strings.TrimSpace(rest)
			}
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || n*factor > 1<<50 || factor == 1 && n != math.Trunc(n) {
		return 0, fmt.Errorf("size %q: above 0, as %s", s, sizeHelp)
	}
	return int64(n * factor), nil
}
