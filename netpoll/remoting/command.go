package remoting

import (
	"errors"
	"fmt"
	"strconv"
)

// Encoding of a command header; the type byte of the frame.
type Encoding uint8

// The two header encodings of the protocol.
const (
	JSON   Encoding = 0
	Binary Encoding = 1
)

// Flag bits of a command.
const (
	FlagResponse int32 = 1
	FlagOneway   int32 = 2
)

// Version is what ringmq announces: the ordinal of release 5.3.3.
const Version int32 = 479

// Field is one extension field. Both slices alias the frame or the command's scratch memory.
type Field struct{ Key, Value []byte }

// Command is one decoded frame. Decode reuses its slices, so one Command serves any number of frames without allocating.
// Remark, Ext and Body alias the frame (or the command's own scratch memory where JSON text had escapes): they are valid
// until the next Decode and no longer than the frame's memory.
//
// After DecodeRequest Ext may be empty though the frame has fields: Get, Send and Fields know them.
type Command struct {
	Code     int32
	Language Language
	Version  int32
	Opaque   int32
	Flag     int32
	Remark   []byte  // nil: absent
	Ext      []Field // in wire order; JSON fields whose value is null are left out
	Body     []byte
	Encoding Encoding

	scratch []byte
	send    *SendHeader // made when first needed
	sent    bool        // DecodeRequest filled send, and
	unread  []byte      // this is the header, if Ext was not filled since
}

// NewRequest returns a JSON request of the given code, language JAVA, as ringmq sends it to others.
func NewRequest(code int32) *Command { return &Command{Code: code, Version: Version} }

// IsResponse reports whether the command answers a request.
func (c *Command) IsResponse() bool { return c.Flag&FlagResponse != 0 }

// IsOneway reports whether the sender wants no answer, not even an error.
func (c *Command) IsOneway() bool { return c.Flag&FlagOneway != 0 }

// Fields returns Ext, which it fills first if DecodeRequest did not.
func (c *Command) Fields() []Field {
	if c.unread != nil {
		c.spread()
	}
	return c.Ext
}

// Send returns the typed header of a request with code 10, 310 or 320. It is the command's, and valid as long. With an error it has what
// was read before. It allocates at first, and to report an error.
func (c *Command) Send() (*SendHeader, error) {
	if c.sent {
		return c.send, nil
	}
	if c.send == nil {
		c.send = new(SendHeader)
	}
	return c.send, c.send.Decode(c)
}

// Get returns the value of an extension field without allocating. Of a field sent twice the last one counts, as in the maps
// that Java keeps fields in.
func (c *Command) Get(key string) ([]byte, bool) {
	fields := c.Fields()
	for i := len(fields) - 1; i >= 0; i-- {
		if f := &fields[i]; string(f.Key) == key {
			return f.Value, !c.null(f)
		}
	}
	return nil, false
}

// null reports whether a field is there in name only: the binary encoding writes null and the empty text alike, and stock
// reads both as null.
func (c *Command) null(f *Field) bool { return c.Encoding == Binary && len(f.Value) == 0 }

// Text returns the value of an extension field as a string, "" if it is absent.
func (c *Command) Text(key string) string {
	v, _ := c.Get(key)
	return string(v)
}

// Int32 returns a field as Java's Integer.parseInt reads it; ok is false when it is absent.
func (c *Command) Int32(key string) (v int32, ok bool, err error) {
	n, ok, err := c.integer(key, 32)
	return int32(n), ok, err
}

// Int64 returns a field as Java's Long.parseLong reads it; ok is false when it is absent.
func (c *Command) Int64(key string) (v int64, ok bool, err error) { return c.integer(key, 64) }

func (c *Command) integer(key string, bits int) (int64, bool, error) {
	v, ok := c.Get(key)
	if !ok {
		return 0, false, nil
	}
	n, good := parseInt(v, bits)
	if !good {
		return 0, true, &NumberError{Key: key, Value: string(v)}
	}
	return n, true, nil
}

// NumberError is a field that should hold a number and does not.
type NumberError struct{ Key, Value string }

func (e *NumberError) Error() string {
	return fmt.Sprintf("field %s: For input string: %q", e.Key, e.Value)
}

// Bool returns a field as Java's Boolean.parseBoolean reads it: true only for "true" in any case.
func (c *Command) Bool(key string) bool {
	v, _ := c.Get(key)
	return isTrue(v)
}

func isTrue(v []byte) bool {
	if len(v) != 4 {
		return false
	}
	return v[0]|0x20 == 't' && v[1]|0x20 == 'r' && v[2]|0x20 == 'u' && v[3]|0x20 == 'e'
}

// Set adds an extension field or replaces its value.
func (c *Command) Set(key, value string) {
	c.Fields()
	c.sent = false
	for i := range c.Ext {
		if string(c.Ext[i].Key) == key {
			c.Ext[i].Value = []byte(value)
			return
		}
	}
	c.Ext = append(c.Ext, Field{[]byte(key), []byte(value)})
}

// SetInt adds a number as an extension field.
func (c *Command) SetInt(key string, value int64) { c.Set(key, strconv.FormatInt(value, 10)) }

// Clone returns a deep copy, for work that outlives the frame.
func (c *Command) Clone() *Command {
	n := len(c.Remark) + len(c.Body)
	for _, f := range c.Fields() {
		n += len(f.Key) + len(f.Value)
	}
	buf := make([]byte, 0, n)
	keep := func(b []byte) []byte {
		if b == nil {
			return nil
		}
		at := len(buf)
		buf = append(buf, b...)
		return buf[at:len(buf):len(buf)]
	}
	d := *c
	d.scratch, d.send, d.sent = nil, nil, false
	d.Remark, d.Body = keep(c.Remark), keep(c.Body)
	d.Ext = make([]Field, len(c.Ext))
	for i, f := range c.Ext {
		d.Ext[i] = Field{keep(f.Key), keep(f.Value)}
	}
	return &d
}

// Errors of decoding. An ErrFrame cannot be survived by the connection; an ErrHeader can, because the frame's end is known.
var (
	ErrFrame  = errors.New("remoting: broken frame")
	ErrHeader = errors.New("remoting: undecodable header")
)

// parseInt reads a decimal number as Java does: an optional sign, digits only, within range.
func parseInt(b []byte, bits int) (int64, bool) {
	neg := false
	if len(b) > 1 && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 200 {
		return 0, false
	}
	limit := uint64(1) << (bits - 1)
	var n uint64
	for _, d := range b {
		d -= '0'
		if d > 9 {
			return 0, false
		}
		if n > (1<<63)/10 {
			return 0, false
		}
		n = n*10 + uint64(d)
		if n > limit {
			return 0, false
		}
	}
	if neg {
		return -int64(n), true
	}
	return int64(n), n < limit
}
