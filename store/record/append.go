package record

import (
	"encoding/binary"
	"net/netip"
)

// Sizes is what the size of a record depends on. PropertiesBytes are the stored ones: see PlanProperties.
type Sizes struct {
	BodyBytes, TopicBytes, PropertiesBytes int
	BornHostV6, StoreHostV6                bool
	V2                                     bool // implied by TopicBytes over 127
}

// Size returns the bytes of a record with these parts.
func Size(s Sizes) int {
	n := fixedBytes + s.BodyBytes + s.TopicBytes + s.PropertiesBytes
	if s.BornHostV6 {
		n += v6ExtraBytes
	}
	if s.StoreHostV6 {
		n += v6ExtraBytes
	}
	if s.V2 || s.TopicBytes > maxTopicV1Bytes {
		n++
	}
	return n
}

// Size returns how many bytes Append(dst, r, appendCRC) adds.
func (r *Record) Size(appendCRC bool) int {
	return r.SizeAs(PlanProperties(r.Properties, appendCRC))
}

// SizeAs is Size with the properties planned.
func (r *Record) SizeAs(p Plan) int {
	return Size(Sizes{BodyBytes: len(r.Body), TopicBytes: len(r.Topic), PropertiesBytes: p.Bytes,
		BornHostV6: wide(r.BornHost, r.SysFlag&SysFlagBornHostV6), StoreHostV6: wide(r.StoreHost, r.SysFlag&SysFlagStoreHostV6),
		V2: r.Magic == MagicV2})
}

// Append encodes r behind dst. It does not allocate when dst has room (Size says how much).
//
// TotalSize is always computed; BodyCRC and Magic are computed where they are 0. The host bits of SysFlag are added
// where a host is IPv6. A checksum property that came with r.Properties is never copied: it belonged to another record.
// With appendCRC, and if the properties stay within MaxPropertiesBytes, room for the checksum property is reserved at
// the end; SealCRC fills it once the record has its place. Without it the properties are copied as they are, but for a separator behind those
// that end in a zero.
//
// Properties or a topic too long for their length fields are the caller's fault and panic: check PlanProperties first.
func Append(dst []byte, r *Record, appendCRC bool) []byte {
	return AppendAs(dst, r, PlanProperties(r.Properties, appendCRC))
}

// AppendAs is Append with the properties planned: p is what PlanProperties said of r.Properties.
func AppendAs(dst []byte, r *Record, p Plan) []byte {
	if p.Bytes > MaxPropertiesBytes {
		panic(ErrProperties)
	}
	if len(r.Topic) > maxTopicBytes {
		panic(ErrTopic)
	}
	magic, sysFlag, crc := r.Magic, r.SysFlag, r.BodyCRC
	if magic == 0 || len(r.Topic) > maxTopicV1Bytes {
		magic = MagicV1
		if len(r.Topic) > maxTopicV1Bytes {
			magic = MagicV2
		}
	}
	if wide(r.BornHost, sysFlag&SysFlagBornHostV6) {
		sysFlag |= SysFlagBornHostV6
	}
	if wide(r.StoreHost, sysFlag&SysFlagStoreHostV6) {
		sysFlag |= SysFlagStoreHostV6
	}
	if crc == 0 {
		crc = BodyChecksum(r.Body)
	}
	be, start := binary.BigEndian, len(dst)
	dst = be.AppendUint32(dst, 0) // total size, known at the end
	dst = be.AppendUint32(dst, magic)
	dst = be.AppendUint32(dst, crc)
	dst = be.AppendUint32(dst, uint32(r.QueueID))
	dst = be.AppendUint32(dst, uint32(r.Flag))
	dst = be.AppendUint64(dst, uint64(r.QueueOffset))
	dst = be.AppendUint64(dst, uint64(r.PhysicalOffset))
	dst = be.AppendUint32(dst, uint32(sysFlag))
	dst = be.AppendUint64(dst, uint64(r.BornTimestamp))
	dst = appendHost(dst, r.BornHost, sysFlag&SysFlagBornHostV6 != 0)
	dst = be.AppendUint64(dst, uint64(r.StoreTimestamp))
	dst = appendHost(dst, r.StoreHost, sysFlag&SysFlagStoreHostV6 != 0)
	dst = be.AppendUint32(dst, uint32(r.ReconsumeTimes))
	dst = be.AppendUint64(dst, uint64(r.PreparedTransactionOffset))
	dst = be.AppendUint32(dst, uint32(len(r.Body)))
	dst = append(dst, r.Body...)
	if magic == MagicV2 {
		dst = be.AppendUint16(dst, uint16(len(r.Topic)))
	} else {
		dst = append(dst, byte(len(r.Topic)))
	}
	dst = append(dst, r.Topic...)
	dst = be.AppendUint16(dst, uint16(p.Bytes))
	dst = appendStoredProperties(dst, r.Properties, p)
	be.PutUint32(dst[start:], uint32(len(dst)-start))
	return dst
}

// PatchPlaced writes the fields of a record that are known only when it gets its place in the log and in its queue. rec
// is what Append added. SealCRC must come after it.
func PatchPlaced(rec []byte, queueOffset, physicalOffset, storeTimestamp int64, queueID int32) {
	be := binary.BigEndian
	be.PutUint32(rec[queueIDAt:], uint32(queueID))
	be.PutUint64(rec[queueOffsetAt:], uint64(queueOffset))
	be.PutUint64(rec[physicalOffsetAt:], uint64(physicalOffset))
	at := storeTimestampAtV4
	if be.Uint32(rec[sysFlagAt:])&uint32(SysFlagBornHostV6) != 0 {
		at += v6ExtraBytes
	}
	be.PutUint64(rec[at:], uint64(storeTimestamp))
}

// PatchPreparedOffset writes the preparedTransactionOffset field of an encoded record. SealCRC must come after it.
func PatchPreparedOffset(rec []byte, offset int64) {
	at := bodyLengthAt(int32(binary.BigEndian.Uint32(rec[sysFlagAt:]))) - 8
	binary.BigEndian.PutUint64(rec[at:], uint64(offset))
}

// AppendBlank appends the 8 bytes that say that total bytes, to the end of the file, hold nothing. The bytes behind
// them are left as they are.
func AppendBlank(dst []byte, total int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(total))
	return binary.BigEndian.AppendUint32(dst, MagicBlank)
}

// wide says whether a host takes 20 bytes: the flag already says so, or the address does not fit in four.
func wide(host netip.AddrPort, flagged int32) bool {
	return flagged != 0 || host.Addr().Is6() && !host.Addr().Is4In6()
}

// appendHost writes an address and its port; the zero AddrPort becomes zeros.
func appendHost(dst []byte, host netip.AddrPort, v6 bool) []byte {
	switch addr := host.Addr(); {
	case v6 && addr.IsValid():
		b := addr.As16()
		dst = append(dst, b[:]...)
	case v6:
		dst = append(dst, make([]byte, 16)...)
	case addr.IsValid():
		b := addr.Unmap().As4()
		dst = append(dst, b[:]...)
	default:
		dst = append(dst, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(host.Port()))
}
