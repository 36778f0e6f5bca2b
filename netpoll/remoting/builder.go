package remoting

import (
	"encoding/binary"
	"strconv"
)

// Builder writes one answer straight into an output buffer: fields first, then a body, then End. It is used by value and
// allocates nothing beyond what dst needs to grow. Field keys must need no escaping in JSON.
type Builder struct {
	buf    []byte
	start  int // of the frame in buf
	fields int // binary: where the block length lies
	enc    Encoding
	opaque int32
	code   int32
	remark string
	count  int
	body   []byte
}

// BeginReply starts an answer at the end of dst, in the encoding of the request it answers: flag 1, language JAVA, version 479.
func BeginReply(dst []byte, enc Encoding, opaque, code int32) Builder {
	b := Builder{start: len(dst), enc: enc, opaque: opaque, code: code}
	b.buf = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	return b
}

// Remark sets the remark. In the binary encoding it lies before the fields, so it must be set before the first of them.
func (b *Builder) Remark(s string) {
	if b.count > 0 && b.enc == Binary {
		panic("remoting: remark set after a field")
	}
	b.remark = s
}

// open writes what lies before the first field.
func (b *Builder) open() {
	if b.enc == Binary {
		b.buf = appendBinaryFixed(b.buf, b.code, Java, Version, b.opaque, FlagResponse)
		b.buf = binary.BigEndian.AppendUint32(b.buf, uint32(len(b.remark)))
		b.buf = append(b.buf, b.remark...)
		b.fields = len(b.buf)
		b.buf = append(b.buf, 0, 0, 0, 0)
		return
	}
	b.buf = append(b.buf, `{"code":`...)
	b.buf = strconv.AppendInt(b.buf, int64(b.code), 10)
}

// next prepares the place of one more field.
func (b *Builder) next() {
	if b.count == 0 {
		b.open()
		if b.enc == JSON {
			b.buf = append(b.buf, `,"extFields":{`...)
		}
	} else if b.enc == JSON {
		b.buf = append(b.buf, ',')
	}
	b.count++
}

// Str adds a text field. It must not be inlined into other packages: there the compiler cannot see that the generic addField
// does not keep the builder, and would move it to the heap for every answer.
//
//go:noinline
func (b *Builder) Str(key, v string) { addField(b, key, v) }

// Bytes adds a text field. Not inlined for the reason given at Str.
//
//go:noinline
func (b *Builder) Bytes(key string, v []byte) { addField(b, key, v) }

func addField[T string | []byte](b *Builder, key string, v T) {
	b.next()
	if b.enc == Binary {
		b.buf = appendBinaryField(b.buf, key, v)
		return
	}
	b.key(key)
	b.buf = appendQuoted(b.buf, v)
}

func (b *Builder) key(key string) {
	b.buf = append(b.buf, '"')
	b.buf = append(b.buf, key...)
	b.buf = append(b.buf, '"', ':')
}

// Int adds a number, as text as the protocol wants it.
func (b *Builder) Int(key string, v int64) {
	b.next()
	if b.enc == Binary {
		var text [20]byte
		b.buf = appendBinaryField(b.buf, key, strconv.AppendInt(text[:0], v, 10))
		return
	}
	b.key(key)
	b.buf = append(b.buf, '"')
	b.buf = strconv.AppendInt(b.buf, v, 10)
	b.buf = append(b.buf, '"')
}

// Plain adds a text that needs no escaping in JSON, digits and letters for example. Not inlined for the reason given at Str.
//
//go:noinline
func (b *Builder) Plain(key string, v []byte) {
	b.next()
	if b.enc == Binary {
		b.buf = appendBinaryField(b.buf, key, v)
		return
	}
	b.key(key)
	b.buf = append(b.buf, '"')
	b.buf = append(b.buf, v...)
	b.buf = append(b.buf, '"')
}

// Bool adds "true" or "false".
func (b *Builder) Bool(key string, v bool) {
	if v {
		b.Str(key, "true")
	} else {
		b.Str(key, "false")
	}
}

// Body sets the body; p is copied by End.
func (b *Builder) Body(p []byte) { b.body = p }

// End completes the frame and returns dst with it.
func (b *Builder) End() []byte {
	b.closeHeader()
	return closeFrame(b.buf, b.start, b.enc, b.body)
}

// EndHead completes all of a frame but its body, of which so many bytes are to follow, and returns dst with it.
func (b *Builder) EndHead(bodyBytes int) []byte {
	b.closeHeader()
	head := closeFrame(b.buf, b.start, b.enc, nil)
	binary.BigEndian.PutUint32(head[b.start:], uint32(len(head)-b.start-4+bodyBytes))
	return head
}

func (b *Builder) closeHeader() {
	if b.count == 0 {
		b.open()
	}
	if b.enc == Binary {
		binary.BigEndian.PutUint32(b.buf[b.fields:], uint32(len(b.buf)-b.fields-4))
	} else {
		if b.count > 0 {
			b.buf = append(b.buf, '}')
		}
		b.buf = appendJSONRest(b.buf, FlagResponse, Java, b.opaque, b.remark != "", b.remark, Version)
	}
}

// Opening is the beginning of answers that have a code, no remark and their first fields in common, made once in both encodings.
type Opening struct {
	frames [2][]byte // from the length word on
	fields [2]int    // Builder.fields
	count  int
}

// NewOpening makes the opening of answers of a code, with fields, at least one, as key, value, key, value ...
func NewOpening(code int32, fields ...string) *Opening {
	o := &Opening{count: len(fields) / 2}
	for _, enc := range []Encoding{JSON, Binary} {
		b := BeginReply(nil, enc, 0, code)
		for i := 0; i < len(fields); i += 2 {
			b.Str(fields[i], fields[i+1])
		}
		o.frames[enc], o.fields[enc] = b.buf, b.fields
	}
	return o
}

// binaryOpaque is where the opaque number lies in a binary frame.
const binaryOpaque = frameHead + 5

// Begin is BeginReply with what the opening has. No remark may be set.
func (o *Opening) Begin(dst []byte, enc Encoding, opaque int32) Builder {
	b := Builder{start: len(dst), enc: enc, opaque: opaque, count: o.count, fields: len(dst) + o.fields[enc]}
	b.buf = append(dst, o.frames[enc]...)
	if enc == Binary {
		binary.BigEndian.PutUint32(b.buf[b.start+binaryOpaque:], uint32(opaque))
	}
	return b
}

// AppendReply appends an answer of a code and a remark ("" for none).
func AppendReply(dst []byte, enc Encoding, opaque, code int32, remark string) []byte {
	b := BeginReply(dst, enc, opaque, code)
	b.Remark(remark)
	return b.End()
}
