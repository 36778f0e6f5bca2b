package remoting

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// jsonScanner walks the text of a JSON header. Errors stick: after the first one every read is empty.
type jsonScanner struct {
	b   []byte
	i   int
	bad bool
	c   *Command
}

func (c *Command) decodeJSON(h []byte) error {
	s := jsonScanner{b: h, c: c}
	s.object(0)
	s.space()
	if s.bad || s.i != len(h) {
		c.Opaque = findOpaque(h)
		return fmt.Errorf("%w: JSON text broken at byte %d of %d", ErrHeader, s.i, len(h))
	}
	return nil
}

// findOpaque reads the request id out of a header that is otherwise broken, so that its sender gets an answer.
func findOpaque(h []byte) int32 {
	const key = `"opaque":`
	for i := 0; i+len(key) < len(h); i++ {
		if string(h[i:i+len(key)]) == key {
			end := i + len(key)
			for end < len(h) && (h[end] == '-' || h[end] >= '0' && h[end] <= '9') {
				end++
			}
			n, _ := parseInt(h[i+len(key):end], 32)
			return int32(n)
		}
	}
	return 0
}

func (s *jsonScanner) space() {
	if s.i < len(s.b) && s.b[s.i] <= ' ' {
		s.blanks()
	}
}

func (s *jsonScanner) blanks() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// take consumes ch if it is next, usually without a blank before it.
func (s *jsonScanner) take(ch byte) bool {
	if s.i < len(s.b) && s.b[s.i] == ch {
		s.i++
		return true
	}
	return s.takeLater(ch)
}

func (s *jsonScanner) takeLater(ch byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == ch {
		s.i++
		return true
	}
	return false
}

func (s *jsonScanner) expect(ch byte) {
	if !s.take(ch) {
		s.bad = true
	}
}

// object reads the header's object (depth 0) or its extension fields (depth 1).
func (s *jsonScanner) object(depth int) {
	s.expect('{')
	if s.bad || s.take('}') {
		return
	}
	for !s.bad {
		if depth == 1 && s.plainFields() {
			return
		}
		key := s.text()
		s.expect(':')
		if s.bad {
			return
		}
		if depth == 0 {
			s.member(key)
		} else {
			s.field(key)
		}
		if !s.take(',') {
			s.expect('}')
			return
		}
	}
}

// member reads one top-level value. Unknown keys are skipped.
func (s *jsonScanner) member(key []byte) {
	c := s.c
	switch string(key) {
	case "code":
		c.Code = s.int32()
	case "flag":
		c.Flag = s.int32()
	case "opaque":
		c.Opaque = s.int32()
	case "version":
		c.Version = s.int32()
	case "language":
		s.language()
	case "remark":
		if v, ok := s.scalar(); ok {
			c.Remark = v
			if v == nil {
				c.Remark = []byte{}
			}
		}
	case "extFields":
		if s.space(); s.i < len(s.b) && s.b[s.i] == '{' {
			s.object(1)
		} else {
			s.skip(0)
		}
	default:
		s.skip(0)
	}
}

// plainFields reads fields as nearly all clients write them: without blanks, texts only, no escapes. It stops before the
// first one that is different and leaves it to the general rules; true: the object has ended.
func (s *jsonScanner) plainFields() bool {
	b, i := s.b, s.i
	for i < len(b) && b[i] == '"' && len(s.c.Ext) < MaxFields {
		key := i + 1
		keyEnd := plain(b, key)
		value := keyEnd + 3
		if value >= len(b) || b[keyEnd] != '"' || b[keyEnd+1] != ':' || b[keyEnd+2] != '"' {
			return false
		}
		valueEnd := plain(b, value)
		if valueEnd+1 >= len(b) || b[valueEnd] != '"' {
			return false
		}
		next := b[valueEnd+1]
		if next != ',' && next != '}' {
			return false
		}
		s.c.Ext = append(s.c.Ext, Field{b[key:keyEnd:keyEnd], b[value:valueEnd:valueEnd]})
		i = valueEnd + 2
		s.i = i
		if next == '}' {
			return true
		}
	}
	return false
}

func (s *jsonScanner) language() {
	v, ok := s.scalar()
	switch {
	case !ok:
		s.c.Language = UnknownLanguage
	case len(v) > 0 && v[0] >= '0' && v[0] <= '9':
		n, good := parseInt(v, 32)
		s.c.Language = UnknownLanguage
		if good && n < int64(len(languageNames)) {
			s.c.Language = Language(n)
		}
	default:
		s.c.Language = parseLanguage(v)
	}
}

func (s *jsonScanner) field(key []byte) {
	v, ok := s.scalar()
	if !ok || s.bad {
		return
	}
	if len(s.c.Ext) == MaxFields {
		s.bad = true
		return
	}
	s.c.Ext = append(s.c.Ext, Field{key, v})
}

func (s *jsonScanner) int32() int32 {
	v, ok := s.scalar()
	if !ok {
		return 0
	}
	n, good := parseInt(v, 32)
	if !good {
		s.bad = true
	}
	return int32(n)
}

// scalar reads a string, number or boolean as its text; ok is false for null.
func (s *jsonScanner) scalar() (v []byte, ok bool) {
	s.space()
	if s.i >= len(s.b) {
		s.bad = true
		return nil, false
	}
	switch s.b[s.i] {
	case '"':
		return s.text(), true
	case '{', '[':
		at := s.i
		s.skip(0)
		return s.b[at:s.i], true
	}
	v = s.bare()
	if string(v) == "null" {
		return nil, false
	}
	return v, true
}

// bare reads a number or word up to the next delimiter.
func (s *jsonScanner) bare() []byte {
	at := s.i
	for s.i < len(s.b) {
		switch ch := s.b[s.i]; {
		case ch >= '0' && ch <= '9', ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch == '-', ch == '+', ch == '.':
			s.i++
			continue
		}
		break
	}
	if s.i == at {
		s.bad = true
	}
	return s.b[at:s.i]
}

// text reads a quoted string. Without escapes it aliases the header; with escapes it lives in the command's scratch memory.
func (s *jsonScanner) text() []byte {
	s.expect('"')
	if s.bad {
		return nil
	}
	at := s.i
	end := plain(s.b, at)
	s.i = end
	switch {
	case end == len(s.b):
		s.bad = true
		return nil
	case s.b[end] == '"':
		s.i++
		return s.b[at:end:end]
	}
	return s.escaped(at)
}

// plain returns the position of the first quote or backslash at or behind i, len(b) if there is none. It looks at eight bytes at
// once: a byte of x is 0 where the text has the character looked for, and the borrow of the subtraction marks the lowest such.
func plain(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		q, s := v^(ones*'"'), v^(ones*'\\')
		if found := ((q-ones)&^q | (s-ones)&^s) & highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

const maxJSONDepth = 32

// skip passes over a value of any kind.
func (s *jsonScanner) skip(depth int) {
	s.space()
	if s.bad || s.i >= len(s.b) || depth > maxJSONDepth {
		s.bad = true
		return
	}
	switch s.b[s.i] {
	case '"':
		s.text()
	case '{', '[':
		open := s.b[s.i]
		s.i++
		if s.take(open + 2) { // the closing bracket of both kinds is two code points on
			return
		}
		for !s.bad {
			if open == '{' {
				s.skip(depth + 1)
				s.expect(':')
			}
			s.skip(depth + 1)
			if !s.take(',') {
				s.expect(open + 2)
				return
			}
		}
	default:
		s.bare()
	}
}
