package remoting

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// A send as the Java client writes it, whose header is read in one pass: members in the order of their names, fields in the order of
// their letters, no blanks, escapes in the properties only. l and n may be missing.
//
//	{"code":310,"extFields":{"a":"G","b":"T","c":"TBW102","d":"4","e":"0","f":"0","g":"1795330765507","h":"0","i":"KEYS\u0001k\u0002",
//	"j":"0","k":"false","m":"false","n":"B"},"flag":0,"language":"JAVA","opaque":4,"serializeTypeCurrentRPC":"JSON","version":479}
const (
	sendFields = len(`{"code":310,"extFields":`) // where the object with the fields begins
	sendFirst  = sendFields + len(`{"a":"`)      // and the value of the first one
	sendMost   = 64 << 10                        // longer headers are not read so: what they need in scratch memory would stay
)

// decodeSend reads the header of a send into c.send, c.Ext stays empty: Fields fills it. false: the header is not written as above, or
// not quite, so that the general rules must decide; then nothing of the command but its memory has changed.
//
// Each step takes the place where it begins and returns the place behind it. 0 is where no value begins or ends: a step that fails
// returns it, and all that follow do.
func (c *Command) decodeSend(b []byte) bool {
	if len(b) < sendFirst || len(b) > sendMost {
		return false
	}
	if string(b[:8]) != `{"code":` || string(b[11:sendFields]) != `,"extFields":` || string(b[sendFields:sendFirst]) != `{"a":"` {
		return false
	}
	code := CodeSendMessageV2
	switch string(b[8:11]) {
	case "310":
	case "320":
		code = CodeSendBatchMessage
	default:
		return false
	}
	if c.send == nil {
		c.send = new(SendHeader)
	}
	h, i := c.send, sendFirst
	h.ProducerGroup, i = sendText(b, i, 'b')
	h.Topic, i = sendText(b, i, 'c')
	h.DefaultTopic, i = sendText(b, i, 'd')
	h.DefaultTopicQueueNums, i = sendInt32(b, i, 'e')
	h.QueueID, i = sendInt32(b, i, 'f')
	h.SysFlag, i = sendInt32(b, i, 'g')
	h.BornTimestamp, i = sendMillis(b, i, 'h')
	h.Flag, i = sendInt32(b, i, 'i')
	if i == 0 {
		return false
	}
	if cap(c.scratch) < len(b) {
		c.scratch = make([]byte, 0, 2*len(b))
	}
	out := c.scratch[:len(b)]
	n, i := unescape(out, b, i)
	h.Properties = out[:n:n]
	h.ReconsumeTimes, i = sendInt32(b, sendNext(b, i, 'j'), 'k')
	h.UnitMode, i = sendBool(b, i)
	h.MaxReconsumeTimes, h.HasMaxReconsumeTimes = 0, follows(b, i, 'l')
	if h.HasMaxReconsumeTimes {
		h.MaxReconsumeTimes, i = sendInt32(b, sendNext(b, i, 'l'), 'm')
	} else {
		i = sendNext(b, i, 'm')
	}
	h.Batch, i = sendBool(b, i)
	if follows(b, i, 'n') {
		i = plain(b, sendNext(b, i, 'n'))
	}
	flag, i := digits(b, behind(b, i, `"},"flag":`), 0)
	opaque, i := digits(b, behind(b, i, `,"language":"JAVA","opaque":`), 0)
	version, i := digits(b, behind(b, i, `,"serializeTypeCurrentRPC":"JSON","version":`), 0)
	if i == 0 || i != len(b)-1 || b[i] != '}' || max(flag, opaque, version) > math.MaxInt32 || int32(flag)&FlagResponse != 0 {
		return false
	}
	c.Code, c.Language, c.Version, c.Opaque, c.Flag = code, Java, int32(version), int32(opaque), int32(flag)
	c.scratch, c.unread, c.sent = out[:n], b, true
	return true
}

// spread reads the fields of a header that decodeSend has read.
func (c *Command) spread() {
	s := jsonScanner{b: c.unread, i: sendFields, c: c}
	c.unread = nil
	s.object(1)
}

// word is the eight bytes at i, 0 where there are fewer.
func word(b []byte, i int) uint64 {
	if i+8 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[i:])
}

// follows reports whether the quote at i ends a value and the next field is the one of that letter, a text: `","b":"`.
func follows(b []byte, i int, letter byte) bool {
	const between = '"' | ','<<8 | '"'<<16 | '"'<<32 | ':'<<40 | '"'<<48
	return word(b, i)&(1<<56-1) == between|uint64(letter)<<24
}

// sendNext returns where the value of the field of that letter begins, if it is the next one behind the quote at i.
func sendNext(b []byte, i int, letter byte) int {
	if !follows(b, i, letter) {
		return 0
	}
	return i + len(`","b":"`)
}

// behind returns the place behind text, if that stands at i.
func behind(b []byte, i int, text string) int {
	end := i + len(text)
	if end > len(b) || string(b[i:end]) != text {
		return 0
	}
	return end
}

// sendText reads a text without escapes. next is the letter of the field behind it, as in the functions that follow.
func sendText(b []byte, i int, next byte) ([]byte, int) {
	end := plain(b, i)
	return b[i:end:end], sendNext(b, end, next)
}

func sendInt32(b []byte, i int, next byte) (int32, int) {
	n, end := digits(b, i, 0)
	if n > math.MaxInt32 {
		return 0, 0
	}
	return int32(n), sendNext(b, end, next)
}

// sendMillis reads a time, which has 13 digits: eight at once and the others one by one.
func sendMillis(b []byte, i int, next byte) (int64, int) {
	const ones, highs = 0x0101010101010101, 0xF0F0F0F0F0F0F0F0
	w := word(b, i)
	if w&highs != ones*'0' || (w+ones*6)&highs != ones*'0' {
		return 0, 0
	}
	w -= ones * '0'
	w = w*10 + w>>8 // pairs of digits in every second byte
	const pairs = 0x000000FF000000FF
	high := uint32((w&pairs*(100+1000000<<32) + w>>16&pairs*(1+10000<<32)) >> 32)
	n, end := digits(b, i+8, int64(high))
	return n, sendNext(b, end, next)
}

// digits reads the digits at i, at least one and at most ten, that follow those of n.
func digits(b []byte, i int, n int64) (int64, int) {
	end := i
	for end < len(b) && end < i+10 {
		d := b[end] - '0'
		if d > 9 {
			break
		}
		n = n*10 + int64(d)
		end++
	}
	if end == i {
		return 0, 0
	}
	return n, end
}

// sendBool reads true or false, and returns the place of the quote behind it.
func sendBool(b []byte, i int) (bool, int) {
	const yes = 't' | 'r'<<8 | 'u'<<16 | 'e'<<24 | '"'<<32
	const no = 'f' | 'a'<<8 | 'l'<<16 | 's'<<24 | 'e'<<32 | '"'<<40
	switch w := word(b, i); {
	case w&(1<<48-1) == no:
		return false, i + len("false")
	case w&(1<<40-1) == yes:
		return true, i + len("true")
	}
	return false, 0
}

// unescape copies the text at i to out, n bytes, and returns the place of the quote behind it. out has room for all of b: no escape is
// shorter than what it stands for, so that n never passes what was read.
func unescape(out, b []byte, i int) (n, end int) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	const control = '\\' | 'u'<<8 | '0'<<16 | '0'<<24 | '0'<<32 | '0'<<40 // \u0000
	for i+8 <= len(b) {
		v := binary.LittleEndian.Uint64(b[i:])
		binary.LittleEndian.PutUint64(out[n:], v)
		q, s := v^(ones*'"'), v^(ones*'\\') // see plain
		found := ((q-ones)&^q | (s-ones)&^s) & highs
		if found == 0 {
			n, i = n+8, i+8
			continue
		}
		run := bits.TrailingZeros64(found) / 8
		n, i = n+run, i+run
		if b[i] == '"' {
			return n, i
		}
		if d := word(b, i)&(1<<48-1) ^ control; d&^(3<<40) == 0 { // one of \u0000 to \u0003: mostly the separators of properties
			out[n] = byte(d >> 40)
			n, i = n+1, i+6
			continue
		}
		if i+1 >= len(b) {
			break
		}
		e := jsonScanner{b: b, i: i + 1}
		n = len(e.escape(out[:n]))
		if i = e.i; e.bad {
			break
		}
	}
	return n, 0
}
