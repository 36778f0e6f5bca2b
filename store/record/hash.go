package record

import "math"

// replacement is what Java's decoder puts in place of bytes that are not UTF-8.
const replacement = 0xFFFD

// JavaHash is String.hashCode of the text s, as Java would decode it from UTF-8: over UTF-16 code units, with one
// replacement character per malformed sequence.
func JavaHash(s []byte) int32 { return int32(javaHash(0, s)) }

// TagsCode is the tags code of a queue unit for a message whose TAGS property is tags: 0 without tags. Messages of the
// delay topic have another one (their delivery time).
func TagsCode(tags []byte) int64 {
	if len(tags) == 0 {
		return 0
	}
	return int64(JavaHash(tags))
}

// IndexHash is the key hash of an index entry: the absolute value of the hash of `topic#key`, 0 where there is none.
func IndexHash(topic, key []byte) int32 {
	h := javaHash(0, topic)
	h = h*31 + '#'
	h = javaHash(h, key)
	switch n := int32(h); {
	case n == math.MinInt32:
		return 0
	case n < 0:
		return -n
	default:
		return n
	}
}

// javaHash goes on with h over s.
func javaHash(h uint32, s []byte) uint32 {
	for i := 0; i < len(s); {
		if c := s[i]; c < 0x80 {
			h = h*31 + uint32(c)
			i++
			continue
		}
		c, n := decodeJava(s[i:])
		i += n
		if c > 0xFFFF {
			c -= 0x10000
			h = h*31 + (0xD800 + c>>10)
			c = 0xDC00 + c&0x3FF
		}
		h = h*31 + c
	}
	return h
}

// decodeJava decodes the first character of s, which does not begin with ASCII. A malformed sequence is one replacement
// character for as many bytes as could have begun a good one; an encoded surrogate is one for its three bytes.
func decodeJava(s []byte) (c uint32, size int) {
	b := s[0]
	switch {
	case b >= 0xC2 && b <= 0xDF:
		if len(s) < 2 || !continues(s[1]) {
			return replacement, 1
		}
		return uint32(b&0x1F)<<6 | uint32(s[1]&0x3F), 2
	case b >= 0xE0 && b <= 0xEF:
		if len(s) < 2 || !continues(s[1]) || b == 0xE0 && s[1] < 0xA0 {
			return replacement, 1
		}
		if len(s) < 3 || !continues(s[2]) {
			return replacement, 2
		}
		c = uint32(b&0x0F)<<12 | uint32(s[1]&0x3F)<<6 | uint32(s[2]&0x3F)
		if c >= 0xD800 && c <= 0xDFFF {
			c = replacement
		}
		return c, 3
	case b >= 0xF0 && b <= 0xF4:
		if len(s) < 2 || !continues(s[1]) || b == 0xF0 && s[1] < 0x90 || b == 0xF4 && s[1] > 0x8F {
			return replacement, 1
		}
		if len(s) < 3 || !continues(s[2]) {
			return replacement, 2
		}
		if len(s) < 4 || !continues(s[3]) {
			return replacement, 3
		}
		return uint32(b&0x07)<<18 | uint32(s[1]&0x3F)<<12 | uint32(s[2]&0x3F)<<6 | uint32(s[3]&0x3F), 4
	}
	return replacement, 1
}

func continues(b byte) bool { return b&0xC0 == 0x80 }
