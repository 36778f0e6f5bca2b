package record

import "encoding/binary"

// QueueUnitBytes is the size of a consume queue unit.
const QueueUnitBytes = 20

// BlankUnitSize is the Size of a unit that stands for no record: the units before the first one of a queue that does not
// begin at 0, and those of records that were lost.
const BlankUnitSize = 0x7FFFFFFF

// QueueUnit is one entry of a consume queue: where a record lies, and what a filter needs to know of it.
type QueueUnit struct {
	Offset   int64 // physical
	Size     int32 // bytes
	TagsCode int64 // hash of TAGS; the delivery time in queues of the delay topic
}

// BlankUnit is the unit that stands for no record.
var BlankUnit = QueueUnit{Size: BlankUnitSize}

// IsBlank says whether u stands for no record: readers step over it.
func (u QueueUnit) IsBlank() bool { return u.Size == BlankUnitSize && u.Offset == 0 }

// End is the physical offset behind the record; 0 for a blank.
func (u QueueUnit) End() int64 {
	if u.IsBlank() {
		return 0
	}
	return u.Offset + int64(u.Size)
}

// Append appends the 20 bytes of u.
func (u QueueUnit) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(u.Offset))
	dst = binary.BigEndian.AppendUint32(dst, uint32(u.Size))
	return binary.BigEndian.AppendUint64(dst, uint64(u.TagsCode))
}

// ParseQueueUnit reads the first 20 bytes of b; whether they are a unit is for Written to say.
func ParseQueueUnit(b []byte) QueueUnit {
	_ = b[QueueUnitBytes-1]
	return QueueUnit{Offset: int64(binary.BigEndian.Uint64(b)), Size: int32(binary.BigEndian.Uint32(b[8:])),
		TagsCode: int64(binary.BigEndian.Uint64(b[12:]))}
}

// Written says whether u can have been written: files are full of zeros before.
func (u QueueUnit) Written() bool { return u.Offset >= 0 && u.Size > 0 }
