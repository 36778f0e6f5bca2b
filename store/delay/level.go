package delay

// parseLevel reads a decimal as Java's parseInt would; anything else is 0.
func parseLevel(b []byte) int {
	if len(b) == 0 || len(b) > 10 {
		return 0
	}
	n, negative := 0, false
	for i, c := range b {
		if i == 0 && (c == '-' || c == '+') && len(b) > 1 {
			negative = c == '-'
			continue
		}
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	if n > 1<<31-1 {
		return 0
	}
	if negative {
		return -n
	}
	return n
}
