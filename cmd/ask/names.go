package ask

import "strings"

// Names splits the addresses of servers as namesrvAddr and -n have them: host:port, with semicolons, commas or spaces between them.
func Names(text string) []string {
	return strings.FieldsFunc(text, func(ch rune) bool { return ch == ';' || ch == ',' || ch == ' ' })
}
