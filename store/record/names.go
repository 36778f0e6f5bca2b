package record

import "strconv"

// noDigits has as many digits as the name of a file that begins at an offset of the log, or of a queue.
const noDigits = "00000000000000000000"

// FileName is the name of the file of the log, or of a queue, whose first byte has an offset there.
func FileName(start int64) string {
	digits := strconv.FormatInt(start, 10)
	return noDigits[len(digits):] + digits
}

// ParseFileName reads such a name; false: it is none, or of an offset that no file begins at.
func ParseFileName(name string) (start int64, ok bool) {
	if len(name) != len(noDigits) {
		return 0, false
	}
	for _, ch := range []byte(name) {
		if ch < '0' || ch > '9' || start > (1<<63-1)/10-1 {
			return 0, false
		}
		start = start*10 + int64(ch-'0')
	}
	return start, true
}
