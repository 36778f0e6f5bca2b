package remoting

import (
	"encoding/binary"
	"fmt"
)

// Limits that hold before anything is sized by a number from the wire.
const (
	MaxFrameBytes = 16 << 20 // counts the length word, as stock does
	MaxFields     = 4096
	frameHead     = 8 // length word and type-and-header-length word
)

// FrameLength reads the length word at the start of b. total counts the length word itself; ok is false while b is too
// short to tell. An error means that the stream is lost and the connection must be closed.
func FrameLength(b []byte) (total int, ok bool, err error) {
	if len(b) < 4 {
		return 0, false, nil
	}
	n := binary.BigEndian.Uint32(b)
	if n < 4 || n > MaxFrameBytes-4 {
		return 0, false, fmt.Errorf("%w: length %d", ErrFrame, int32(n))
	}
	return int(n) + 4, true, nil
}

// Decode reads one whole frame, length word included. On ErrHeader the frame's bounds are good and Opaque and Encoding are
// set if they could be read, so that the sender can be told; on ErrFrame the connection cannot go on.
func (c *Command) Decode(frame []byte) error { return c.decode(frame, false) }

// DecodeRequest is Decode for those who serve requests. The header of a send that is written as the Java client writes it is read in one
// pass, for Send; its fields are not in Ext until Fields is called.
func (c *Command) DecodeRequest(frame []byte) error { return c.decode(frame, true) }

func (c *Command) decode(frame []byte, served bool) error {
	c.reset()
	total, ok, err := FrameLength(frame)
	if err != nil {
		return err
	}
	if !ok || total != len(frame) || total < frameHead {
		return fmt.Errorf("%w: %d bytes for a length of %d", ErrFrame, len(frame), total)
	}
	word := binary.BigEndian.Uint32(frame[4:])
	headerLen := int(word & 0xFFFFFF)
	if headerLen > total-frameHead {
		return fmt.Errorf("%w: header of %d bytes in a frame of %d", ErrFrame, headerLen, total)
	}
	header := frame[frameHead : frameHead+headerLen : frameHead+headerLen]
	if body := frame[frameHead+headerLen:]; len(body) > 0 {
		c.Body = body[:len(body):len(body)]
	}
	switch kind := word >> 24; kind {
	case uint32(JSON):
		if served && c.decodeSend(header) {
			return nil
		}
		return c.decodeJSON(header)
	case uint32(Binary):
		c.Encoding = Binary
		return c.decodeBinary(header)
	default:
		return fmt.Errorf("%w: header encoding %d", ErrFrame, kind)
	}
}

func (c *Command) reset() {
	clear(c.Ext)
	*c = Command{Ext: c.Ext[:0], scratch: c.scratch[:0], send: c.send}
}

// AppendCommand appends the whole frame in the command's encoding.
func AppendCommand(dst []byte, c *Command) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
	if c.Encoding == Binary {
		dst = appendBinaryHeader(dst, c)
	} else {
		dst = appendJSONHeader(dst, c)
	}
	return closeFrame(dst, start, c.Encoding, c.Body)
}

// closeFrame fills the two words at start, now that the header is complete, and appends the body.
func closeFrame(dst []byte, start int, enc Encoding, body []byte) []byte {
	headerLen := len(dst) - start - frameHead
	dst = append(dst, body...)
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	binary.BigEndian.PutUint32(dst[start+4:], uint32(enc)<<24|uint32(headerLen))
	return dst
}
