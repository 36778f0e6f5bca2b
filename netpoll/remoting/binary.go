package remoting

import (
	"encoding/binary"
	"fmt"
)

// The binary header: code i16, language i8, version i16, opaque i32, flag i32, remark (i32 length), fields (i32 block length,
// each an i16 key length, key, i32 value length, value). A value of length zero stays in Command.Ext, so that the frame can be
// written again, and reads as absent.
const binaryFixed = 2 + 1 + 2 + 4 + 4 + 4 + 4

func (c *Command) decodeBinary(h []byte) error {
	if len(h) >= 9 {
		c.Opaque = int32(binary.BigEndian.Uint32(h[5:]))
	}
	if len(h) < binaryFixed {
		return fmt.Errorf("%w: binary header of %d bytes", ErrHeader, len(h))
	}
	c.Code = int32(int16(binary.BigEndian.Uint16(h)))
	c.Language = Language(h[2])
	if int(c.Language) >= len(languageNames) {
		c.Language = UnknownLanguage
	}
	c.Version = int32(int16(binary.BigEndian.Uint16(h[3:])))
	c.Flag = int32(binary.BigEndian.Uint32(h[9:]))
	h = h[13:]
	remark, h, ok := cut32(h)
	if !ok || len(h) < 4 {
		return fmt.Errorf("%w: remark does not fit", ErrHeader)
	}
	if len(remark) > 0 {
		c.Remark = remark
	}
	block, _, ok := cut32(h)
	if !ok {
		return fmt.Errorf("%w: fields do not fit", ErrHeader)
	}
	for len(block) > 0 {
		if len(c.Ext) == MaxFields {
			return fmt.Errorf("%w: more than %d fields", ErrHeader, MaxFields)
		}
		if len(block) < 2 {
			return fmt.Errorf("%w: field key is cut", ErrHeader)
		}
		n := int(binary.BigEndian.Uint16(block))
		if len(block) < 2+n+4 {
			return fmt.Errorf("%w: field key is cut", ErrHeader)
		}
		key := block[2 : 2+n : 2+n]
		var value []byte
		if value, block, ok = cut32(block[2+n:]); !ok {
			return fmt.Errorf("%w: value of field %q is cut", ErrHeader, key)
		}
		c.Ext = append(c.Ext, Field{key, value})
	}
	return nil
}

// cut32 takes a text with an i32 length off the front of b.
func cut32(b []byte) (text, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int(int32(binary.BigEndian.Uint32(b)))
	if n < 0 || n > len(b)-4 {
		return nil, nil, false
	}
	return b[4 : 4+n : 4+n], b[4+n:], true
}

func appendBinaryHeader(dst []byte, c *Command) []byte {
	dst = appendBinaryFixed(dst, c.Code, c.Language, c.Version, c.Opaque, c.Flag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(c.Remark)))
	dst = append(dst, c.Remark...)
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for _, f := range c.Fields() {
		dst = appendBinaryField(dst, f.Key, f.Value)
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

func appendBinaryFixed(dst []byte, code int32, lang Language, version, opaque, flag int32) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	dst = append(dst, byte(lang))
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(opaque))
	return binary.BigEndian.AppendUint32(dst, uint32(flag))
}

func appendBinaryField[K, V string | []byte](dst []byte, key K, value V) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(key)))
	dst = append(dst, key...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}
