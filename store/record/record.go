package record

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// Magic numbers in the second word of a record.
const (
	MagicV1    uint32 = 0xDAA320A7 // topic length in one byte
	MagicV2    uint32 = 0xDAA320AB // topic length in two bytes, for topics over 127 bytes
	MagicBlank uint32 = 0xCBD43194 // the rest of the file holds nothing
)

// Bits of SysFlag.
const (
	SysFlagCompressed  int32  = 0x1
	SysFlagMultiTags   int32  = 0x2
	SysFlagTransaction int32  = 0xC // mask: one of the three below, or 0
	SysFlagPrepared    int32  = 0x4
	SysFlagCommit      int32  = 0x8
	SysFlagRollback    int32  = 0xC
	SysFlagBornHostV6  int32  = 0x10
	SysFlagStoreHostV6 int32  = 0x20
	SysFlagNeedUnwrap  int32  = 0x40
	SysFlagInnerBatch  int32  = 0x80
	SysFlagCompression int32  = 0x700 // mask
	maxTopicV1Bytes           = 127
	maxTopicBytes             = 32767
	MaxPropertiesBytes        = 32767
	fixedBytes                = 91 // both hosts IPv4, version 1, everything variable empty
	MinRecordBytes            = fixedBytes
	v6ExtraBytes              = 12
	queueIDAt                 = 12
	queueOffsetAt             = 20
	physicalOffsetAt          = 28
	sysFlagAt                 = 36
	bornHostAt                = 48
	storeTimestampAtV4        = 56
	bodyLengthAtV4            = 84
	BlankBytes                = 8
	checksumMask       uint32 = 0x7FFFFFFF
)

// What can be wrong with a record's structure. They are values without text of the place, so that a search through
// damaged bytes allocates nothing; the caller knows the place.
var (
	ErrShort      = errors.New("record: fewer bytes than the record says")
	ErrMagic      = errors.New("record: magic number is not a record's")
	ErrBlank      = errors.New("record: blank to the end of the file")
	ErrSize       = errors.New("record: size is not the sum of its parts")
	ErrHost       = errors.New("record: host port out of range")
	ErrBodyCRC    = errors.New("record: body checksum differs")
	ErrProperties = errors.New("record: properties over 32767 bytes")
	ErrTopic      = errors.New("record: topic over 32767 bytes")
)

// Record is one message as it lies in the commit log (and in the body of a pull response). Timestamps are milliseconds
// since 1970. Body, Topic and Properties alias the bytes given to Parse.
type Record struct {
	TotalSize                 int32  // bytes of the whole record
	Magic                     uint32 // MagicV1 or MagicV2; 0 for Append: chosen by the topic's length
	BodyCRC                   uint32 // CRC-32 (IEEE) & 0x7FFFFFFF of Body; 0 for Append: computed
	QueueID                   int32
	Flag                      int32 // the producer's own
	QueueOffset               int64
	PhysicalOffset            int64
	SysFlag                   int32
	BornTimestamp             int64
	BornHost                  netip.AddrPort
	StoreTimestamp            int64
	StoreHost                 netip.AddrPort
	ReconsumeTimes            int32
	PreparedTransactionOffset int64
	Body                      []byte
	Topic                     []byte
	Properties                []byte
}

// Header returns the first two words of b, which holds at least 8 bytes: the size of what begins here and its magic
// number. Neither is checked.
func Header(b []byte) (size int32, magic uint32) {
	return int32(binary.BigEndian.Uint32(b)), binary.BigEndian.Uint32(b[4:])
}

// StoreTimestamp reads the one field out of the first StoreTimestampBytes of a record; nothing is checked.
func StoreTimestamp(head []byte) int64 {
	at := storeTimestampAtV4
	if int32(binary.BigEndian.Uint32(head[sysFlagAt:]))&SysFlagBornHostV6 != 0 {
		at += v6ExtraBytes
	}
	return int64(binary.BigEndian.Uint64(head[at:]))
}

// PhysicalOffset reads where a record says it lies, likewise.
func PhysicalOffset(head []byte) int64 {
	return int64(binary.BigEndian.Uint64(head[physicalOffsetAt:]))
}

// StoreTimestampBytes is how much of a record holds its store time, whatever its hosts.
const StoreTimestampBytes = storeTimestampAtV4 + v6ExtraBytes + 8

// Parse reads the record at the beginning of b, which may be longer. It checks structure only: the magic number is a
// record's, all parts lie inside TotalSize and add up to it. ErrBlank is returned for a blank. After an error r holds
// rubbish. It does not allocate; slices of r alias b.
func (r *Record) Parse(b []byte) error {
	if len(b) < BlankBytes {
		return ErrShort
	}
	size, magic := Header(b)
	switch magic {
	case MagicV1, MagicV2:
	case MagicBlank:
		return ErrBlank
	default:
		return ErrMagic
	}
	if size < fixedBytes {
		return ErrSize
	}
	if int(size) > len(b) {
		return ErrShort
	}
	b = b[:size:size]
	be := binary.BigEndian
	r.TotalSize, r.Magic = size, magic
	r.BodyCRC = be.Uint32(b[8:])
	r.QueueID = int32(be.Uint32(b[queueIDAt:]))
	r.Flag = int32(be.Uint32(b[16:]))
	r.QueueOffset = int64(be.Uint64(b[queueOffsetAt:]))
	r.PhysicalOffset = int64(be.Uint64(b[physicalOffsetAt:]))
	r.SysFlag = int32(be.Uint32(b[sysFlagAt:]))
	r.BornTimestamp = int64(be.Uint64(b[40:]))
	if int(size) < bodyLengthAt(r.SysFlag)+4 {
		return ErrSize
	}
	at, ok := bornHostAt, false
	if r.BornHost, at, ok = parseHost(b, at, r.SysFlag&SysFlagBornHostV6 != 0); !ok {
		return ErrHost
	}
	r.StoreTimestamp = int64(be.Uint64(b[at:]))
	if r.StoreHost, at, ok = parseHost(b, at+8, r.SysFlag&SysFlagStoreHostV6 != 0); !ok {
		return ErrHost
	}
	r.ReconsumeTimes = int32(be.Uint32(b[at:]))
	r.PreparedTransactionOffset = int64(be.Uint64(b[at+4:]))
	return r.parseVariable(b, at+12)
}

// parseVariable reads body, topic and properties; b is exactly the record.
func (r *Record) parseVariable(b []byte, at int) error {
	p, ok := layout(b, at)
	if !ok {
		return ErrSize
	}
	r.Body = b[p.body:p.bodyEnd:p.bodyEnd]
	r.Topic = b[p.topic:p.topicEnd:p.topicEnd]
	r.Properties = b[p.properties:]
	return nil
}

// parts are the positions of the variable parts of a record; properties reach to its end.
type parts struct{ body, bodyEnd, topic, topicEnd, properties int }

// layout finds the variable parts of b, exactly one record whose body length lies at `at`. False: they do not add up.
func layout(b []byte, at int) (p parts, ok bool) {
	be := binary.BigEndian
	if at+4 > len(b) {
		return p, false
	}
	n := int(int32(be.Uint32(b[at:])))
	p.body = at + 4
	if n < 0 || n > len(b)-p.body {
		return p, false
	}
	p.bodyEnd = p.body + n
	if be.Uint32(b[4:]) == MagicV2 {
		if p.bodyEnd+2 > len(b) {
			return p, false
		}
		n = int(int16(be.Uint16(b[p.bodyEnd:])))
		p.topic = p.bodyEnd + 2
	} else {
		if p.bodyEnd+1 > len(b) {
			return p, false
		}
		n = int(int8(b[p.bodyEnd]))
		p.topic = p.bodyEnd + 1
	}
	if n < 0 || n > len(b)-p.topic-2 {
		return p, false
	}
	p.topicEnd = p.topic + n
	p.properties = p.topicEnd + 2
	n = int(int16(be.Uint16(b[p.topicEnd:])))
	return p, n >= 0 && n == len(b)-p.properties
}

// VerifyBody compares the body with BodyCRC; ErrBodyCRC if they differ. A record whose properties or header are damaged
// passes: see VerifyPropCRC.
func (r *Record) VerifyBody() error {
	if BodyChecksum(r.Body) != r.BodyCRC {
		return ErrBodyCRC
	}
	return nil
}

// BodyChecksum is what a record's BodyCRC field holds for body: 31 bits of CRC-32 (IEEE), 0 for an empty body.
func BodyChecksum(body []byte) uint32 { return crc32.ChecksumIEEE(body) & checksumMask }

// bodyLengthAt is the position of the body length, which the widths of the two hosts decide.
func bodyLengthAt(sysFlag int32) int {
	at := bodyLengthAtV4
	if sysFlag&SysFlagBornHostV6 != 0 {
		at += v6ExtraBytes
	}
	if sysFlag&SysFlagStoreHostV6 != 0 {
		at += v6ExtraBytes
	}
	return at
}

// parseHost reads an address of 4 or 16 bytes and its port (four bytes on disk); b is long enough.
func parseHost(b []byte, at int, v6 bool) (host netip.AddrPort, next int, ok bool) {
	var addr netip.Addr
	if v6 {
		addr = netip.AddrFrom16([16]byte(b[at : at+16]))
		at += 16
	} else {
		addr = netip.AddrFrom4([4]byte(b[at : at+4]))
		at += 4
	}
	port := binary.BigEndian.Uint32(b[at:])
	return netip.AddrPortFrom(addr, uint16(port)), at + 4, port <= 0xFFFF
}
