package remoting

import (
	"unicode/utf16"
	"unicode/utf8"
)

func (s *jsonScanner) escaped(at int) []byte {
	start := len(s.c.scratch)
	out := append(s.c.scratch, s.b[at:s.i]...)
	for s.i < len(s.b) {
		ch := s.b[s.i]
		s.i++
		if ch == '"' {
			s.c.scratch = out
			return out[start:len(out):len(out)]
		}
		if ch != '\\' {
			run := plain(s.b, s.i)
			out = append(out, s.b[s.i-1:run]...)
			s.i = run
			continue
		}
		if s.i >= len(s.b) {
			break
		}
		out = s.escape(out)
	}
	s.bad = true
	return nil
}

// escape appends what the escape stands for whose character behind the backslash is next.
func (s *jsonScanner) escape(out []byte) []byte {
	ch := s.b[s.i]
	s.i++
	switch ch {
	case 'n':
		ch = '\n'
	case 't':
		ch = '\t'
	case 'r':
		ch = '\r'
	case 'b':
		ch = '\b'
	case 'f':
		ch = '\f'
	case 'u':
		if h := s.b[s.i:]; len(h) > 3 && h[0] == '0' && h[1] == '0' && (h[2] == '0' || h[2] == '1') && h[3] >= '0' && h[3] <= '9' {
			// The separators of properties, which every send has.
			s.i += 4
			return append(out, (h[2]-'0')<<4|(h[3]-'0'))
		}
		return utf8.AppendRune(out, s.unicode())
	}
	return append(out, ch) // the quote, the backslash, the slash, and what fastjson passes through
}

// unicode reads the four digits behind \u, and the second half of a surrogate pair if one follows.
func (s *jsonScanner) unicode() rune {
	r, ok := hex4(s.b[s.i:])
	if !ok {
		s.bad = true
		return 0
	}
	s.i += 4
	if utf16.IsSurrogate(r) && s.i+6 <= len(s.b) && s.b[s.i] == '\\' && s.b[s.i+1] == 'u' {
		if low, ok := hex4(s.b[s.i+2:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				s.i += 6
				return both
			}
		}
	}
	return r
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var r rune
	for _, ch := range b[:4] {
		switch {
		case ch >= '0' && ch <= '9':
			r = r<<4 | rune(ch-'0')
		case ch|0x20 >= 'a' && ch|0x20 <= 'f':
			r = r<<4 | rune(ch|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
