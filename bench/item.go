package bench

import (
	"bytes"
	"encoding/binary"
)

// itemStencil is one message of a batch body: size, magic, checksum (the last two 0: brokers do not look), flag, body length
// and body, properties length and properties (formats 7).
type itemStencil struct {
	properties []byte
	unique     int
	key        int
}

const (
	itemBytes  = 22
	itemBodyAt = 20
)

func newItemStencil(w *Workload) *itemStencil {
	s := &itemStencil{properties: []byte(messageProperties(w)), key: -1}
	s.unique = bytes.Index(s.properties, []byte(markUnique))
	if w.Keys {
		s.key = bytes.Index(s.properties, []byte(markKey))
	}
	return s
}

func (s *itemStencil) append(dst, body []byte, run, serial uint64) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(itemBytes+len(body)+len(s.properties)))
	dst = append(dst, make([]byte, 12)...)
	dst = be.AppendUint32(dst, uint32(len(body)))
	dst = append(dst, body...)
	dst = be.AppendUint16(dst, uint16(len(s.properties)))
	at := len(dst)
	dst = append(dst, s.properties...)
	p := dst[at:]
	putHex(p[s.unique:s.unique+16], run)
	putHex(p[s.unique+16:s.unique+32], serial)
	if s.key >= 0 {
		putHex(p[s.key+1:s.key+17], serial)
	}
	return dst
}
