package settings

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Origin of a value; a later one wins.
type Origin uint8

// Origins in the order of precedence.
const (
	Default Origin = iota
	File
	Environment
	Flag
	Request // set by a configuration request while running
)

// Setting is one value as it was found.
type Setting struct {
	Key, Value string
	Origin     Origin
	Where      string // "broker.conf:12", for messages
}

// ParseProperties reads Java's properties format: comments with # or !, key and value parted by =, : or blanks, backslash
// escapes, and lines continued by a backslash. name is the file's, for messages.
func ParseProperties(name string, text []byte) ([]Setting, error) {
	var all []Setting
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		first := i
		line := strings.TrimLeft(lines[i], " \t\f")
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for continued(line) && i+1 < len(lines) {
			i++
			line = line[:len(line)-1] + strings.TrimLeft(lines[i], " \t\f")
		}
		where := fmt.Sprintf("%s:%d", name, first+1)
		key, value := split(line)
		if key == "" {
			return nil, fmt.Errorf("%s: %q has no key", where, line)
		}
		k, err := unescape(key)
		if err != nil {
			return nil, fmt.Errorf("%s: key %s: %w", where, key, err)
		}
		// Java keeps blanks at the end, and then takes the value for malformed; nobody means them.
		v, err := unescape(strings.TrimRight(value, " \t"))
		if err != nil {
			return nil, fmt.Errorf("%s: value of %s: %w", where, k, err)
		}
		all = append(all, Setting{Key: k, Value: v, Origin: File, Where: where})
	}
	return all, nil
}

// continued says whether a line ends in an odd number of backslashes.
func continued(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

func split(line string) (key, value string) {
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '=', ':':
			return line[:i], strings.TrimLeft(line[i+1:], " \t\f")
		case ' ', '\t', '\f':
			rest := strings.TrimLeft(line[i:], " \t\f")
			if rest != "" && (rest[0] == '=' || rest[0] == ':') {
				rest = strings.TrimLeft(rest[1:], " \t\f")
			}
			return line[:i], rest
		}
	}
	return line, ""
}

func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if i+5 > len(s) {
				return "", fmt.Errorf(`\u without four digits`)
			}
			n, err := strconv.ParseUint(s[i+1:i+5], 16, 16)
			if err != nil {
				return "", fmt.Errorf(`\u without four digits`)
			}
			i += 4
			r := rune(n)
			if utf16.IsSurrogate(r) && strings.HasPrefix(s[i+1:], `\u`) && i+7 <= len(s) {
				if low, err := strconv.ParseUint(s[i+3:i+7], 16, 16); err == nil {
					r = utf16.DecodeRune(r, rune(low))
					i += 6
				}
			}
			b.WriteRune(r)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), nil
}

// FromEnvironment takes the variables that begin with RINGMQ_; what follows is the key.
func FromEnvironment(environ []string) []Setting {
	var all []Setting
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if key, ok := strings.CutPrefix(name, "RINGMQ_"); ok {
			all = append(all, Setting{Key: key, Value: value, Origin: Environment, Where: "environment RINGMQ_"})
		}
	}
	return all
}

// FromFlag takes key=value.
func FromFlag(text string) (Setting, error) {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return Setting{}, fmt.Errorf("%q is not of the form key=value", text)
	}
	return Setting{Key: strings.TrimSpace(key), Value: value, Origin: Flag, Where: "--set"}, nil
}
