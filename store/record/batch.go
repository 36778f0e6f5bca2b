package record

import (
	"encoding/binary"
	"errors"
)

// ErrBatch is returned for a batch body whose items do not add up.
var ErrBatch = errors.New("record: batch item reaches past the end of the batch")

// batchItemBytes is the size of an item with empty body and properties.
const batchItemBytes = 22

// BatchItem is one message in the body of a batch send. The slices alias that body.
type BatchItem struct {
	Flag             int32
	Body, Properties []byte
}

// BatchItems walks the items of a batch body. The zero value with Rest set is ready:
//
//	it := record.BatchItems{Rest: body}
//	for it.Next(&item) { ... }
//	if it.Err != nil { ... }
//
// An item is total size, magic, body CRC (these three are not looked at, as in the stock broker), flag, body length and
// body, properties length (two bytes) and properties.
type BatchItems struct {
	Rest []byte // what has not been walked
	Err  error
}

// Next reads the next item; false at the end or, with Err set, at an item that does not fit. It does not allocate.
func (it *BatchItems) Next(item *BatchItem) bool {
	b := it.Rest
	if it.Err != nil || len(b) == 0 {
		return false
	}
	be := binary.BigEndian
	if len(b) < batchItemBytes {
		it.Err = ErrBatch
		return false
	}
	n := int(int32(be.Uint32(b[16:])))
	if n < 0 || n > len(b)-batchItemBytes {
		it.Err = ErrBatch
		return false
	}
	bodyEnd := 20 + n
	m := int(int16(be.Uint16(b[bodyEnd:])))
	if m < 0 || m > len(b)-bodyEnd-2 {
		it.Err = ErrBatch
		return false
	}
	end := bodyEnd + 2 + m
	item.Flag = int32(be.Uint32(b[12:]))
	item.Body = b[20:bodyEnd:bodyEnd]
	item.Properties = b[bodyEnd+2 : end : end]
	it.Rest = b[end:]
	return true
}

// AppendBatchItem appends item in the form that Next reads.
func AppendBatchItem(dst []byte, item *BatchItem) []byte {
	if len(item.Properties) > MaxPropertiesBytes {
		panic(ErrProperties)
	}
	be := binary.BigEndian
	dst = be.AppendUint32(dst, uint32(batchItemBytes+len(item.Body)+len(item.Properties)))
	dst = be.AppendUint64(dst, 0) // magic and body CRC
	dst = be.AppendUint32(dst, uint32(item.Flag))
	dst = be.AppendUint32(dst, uint32(len(item.Body)))
	dst = append(dst, item.Body...)
	dst = be.AppendUint16(dst, uint16(len(item.Properties)))
	return append(dst, item.Properties...)
}
