package remoting

import "strings"

// ServerNames splits the addresses of name servers as namesrvAddr, NAMESRV_ADDR and -n have them: host:port, with semicolons, commas or spaces
// between them.
func ServerNames(text string) []string {
	return strings.FieldsFunc(text, func(ch rune) bool { return ch == ';' || ch == ',' || ch == ' ' })
}
