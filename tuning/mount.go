package tuning

import (
	"slices"
	"strconv"
	"strings"
)

// mount is a line of /proc/PID/mountinfo.
type mount struct {
	device  string // "259:2"
	point   string
	kind    string
	source  string
	options []string // of the mount, then of the file system
}

func (m *mount) has(option string) bool { return slices.Contains(m.options, option) }

// parseMounts reads mountinfo; lines that it cannot make sense of are left out.
func parseMounts(text string) []mount {
	var all []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 2 {
			continue
		}
		m := mount{device: left[2], point: unescapeMount(left[4]), kind: right[0], source: unescapeMount(right[1]), options: strings.Split(left[5], ",")}
		if len(right) > 2 {
			for o := range strings.SplitSeq(right[2], ",") {
				if !m.has(o) {
					m.options = append(m.options, o)
				}
			}
		}
		all = append(all, m)
	}
	return all
}

// unescapeMount takes back the octal numbers that the kernel writes for white space and backslashes.
func unescapeMount(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// mountOf is the mount that a path lies on. Of two at one place the later one covers the other.
func mountOf(all []mount, name string) (found mount, ok bool) {
	for _, m := range all {
		if (name == m.point || m.point == "/" || strings.HasPrefix(name, m.point+"/")) && len(m.point) >= len(found.point) {
			found, ok = m, true
		}
	}
	return found, ok
}
