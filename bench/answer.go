package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"ringmq/netpoll/remoting"
)

var (
	codeMark   = []byte(`"code":`)
	opaqueMark = []byte(`"opaque":`)
)

// peek reads code and opaque number of an answer without decoding the rest of it.
func peek(frame []byte) (code, opaque int32, err error) {
	if len(frame) < 8 {
		return 0, 0, fmt.Errorf("bench: an answer of %d bytes", len(frame))
	}
	word := binary.BigEndian.Uint32(frame[4:])
	n := int(word & 0xFFFFFF)
	if n > len(frame)-8 {
		return 0, 0, fmt.Errorf("bench: a header of %d bytes in a frame of %d", n, len(frame))
	}
	header := frame[8 : 8+n]
	if remoting.Encoding(word>>24) == remoting.Binary {
		if n < 9 {
			return 0, 0, fmt.Errorf("bench: a header of %d bytes", n)
		}
		return int32(int16(binary.BigEndian.Uint16(header))), int32(binary.BigEndian.Uint32(header[5:])), nil
	}
	code, ok := numberBehind(header, codeMark)
	if ok {
		opaque, ok = numberBehind(header, opaqueMark)
	}
	if !ok {
		return 0, 0, fmt.Errorf("bench: an answer without code or opaque: %.200q", header)
	}
	return code, opaque, nil
}

func numberBehind(header, mark []byte) (int32, bool) {
	i := bytes.Index(header, mark)
	if i < 0 {
		return 0, false
	}
	n, digits, negative := int32(0), 0, false
	for _, ch := range header[i+len(mark):] {
		if digits == 0 && ch == '-' {
			negative = true
			continue
		}
		if ch < '0' || ch > '9' || digits == 10 {
			break
		}
		n, digits = n*10+int32(ch-'0'), digits+1
	}
	if negative {
		n = -n
	}
	return n, digits > 0
}
