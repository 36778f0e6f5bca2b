package record

import "encoding/binary"

// Sizes in an index file: the header, then the slots, then the entries.
const (
	IndexHeaderBytes = 40
	IndexSlotBytes   = 4
	IndexEntryBytes  = 20
)

// IndexHeader is the beginning of an index file.
type IndexHeader struct {
	BeginTimestamp int64 // store time of the first entry's record, ms
	EndTimestamp   int64 // store time of the last entry's record, ms
	BeginOffset    int64 // physical
	EndOffset      int64 // physical
	UsedSlots      int32
	Count          int32 // number of the next entry: 1 in an empty file, entry 0 is never used
}

// Append appends the 40 bytes of h.
func (h IndexHeader) Append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, uint64(h.BeginTimestamp))
	dst = be.AppendUint64(dst, uint64(h.EndTimestamp))
	dst = be.AppendUint64(dst, uint64(h.BeginOffset))
	dst = be.AppendUint64(dst, uint64(h.EndOffset))
	dst = be.AppendUint32(dst, uint32(h.UsedSlots))
	return be.AppendUint32(dst, uint32(h.Count))
}

// ParseIndexHeader reads the first 40 bytes of b. A count below 1, as in a file never written, reads as 1.
func ParseIndexHeader(b []byte) IndexHeader {
	_ = b[IndexHeaderBytes-1]
	be := binary.BigEndian
	return IndexHeader{BeginTimestamp: int64(be.Uint64(b)), EndTimestamp: int64(be.Uint64(b[8:])),
		BeginOffset: int64(be.Uint64(b[16:])), EndOffset: int64(be.Uint64(b[24:])),
		UsedSlots: int32(be.Uint32(b[32:])), Count: max(int32(be.Uint32(b[36:])), 1)}
}

// IndexEntry is one key of one record.
type IndexEntry struct {
	KeyHash     int32 // IndexHash
	Offset      int64 // physical
	TimeDiffSec int32 // seconds since the header's BeginTimestamp when the entry was put, at least 0
	Previous    int32 // number of the entry before in the slot's chain, 0: none
}

// Append appends the 20 bytes of e.
func (e IndexEntry) Append(dst []byte) []byte {
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(e.KeyHash))
	dst = be.AppendUint64(dst, uint64(e.Offset))
	dst = be.AppendUint32(dst, uint32(e.TimeDiffSec))
	return be.AppendUint32(dst, uint32(e.Previous))
}

// ParseIndexEntry reads the first 20 bytes of b.
func ParseIndexEntry(b []byte) IndexEntry {
	_ = b[IndexEntryBytes-1]
	be := binary.BigEndian
	return IndexEntry{KeyHash: int32(be.Uint32(b)), Offset: int64(be.Uint64(b[4:])),
		TimeDiffSec: int32(be.Uint32(b[12:])), Previous: int32(be.Uint32(b[16:]))}
}
