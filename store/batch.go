package store

import (
	"strconv"

	"ringmq/store/record"
)

// maxBatchItems bounds a batch; each item takes at least 22 bytes of the request.
const maxBatchItems = 1 << 20

// AppendBatch stores the items of a batch (the body of SEND_BATCH_MESSAGE) as messages of their own with consecutive
// queue offsets; envelope gives what they share: topic, queue, hosts, born time, sysFlag, reconsume times. Its
// properties are not copied. The places are appended to dst. All or none is stored: for the end of a segment the batch is
// one block. Errors as Append; ErrMalformed when the items do not add up.
func (s *Store) AppendBatch(envelope *Message, items []byte, dst []Placed) ([]Placed, error) {
	if err := s.admit(envelope, len(items), 0); err != nil {
		return dst, err
	}
	var r record.Record
	s.fill(&r, envelope)
	r.PreparedTransactionOffset = 0
	total, first := 0, len(dst)
	dst, total, err := s.measure(&r, items, dst)
	if err != nil {
		return dst[:first], err
	}
	places := dst[first:]
	n := s.counters.get(r.Topic, r.QueueID)
	slot, err := s.reserve(total, &n, r.Topic, r.QueueID)
	if err != nil {
		return dst[:first], err
	}
	it, next, at := record.BatchItems{Rest: items}, n.next.Load(), 0
	var item record.BatchItem
	for i := range places {
		it.Next(&item)
		p := &places[i]
		r.Flag, r.Body, r.Properties = item.Flag, item.Body, item.Properties
		r.BodyCRC = uint32(p.StoreTimestamp)
		r.PhysicalOffset, r.QueueOffset, r.StoreTimestamp = slot.Offset+int64(at), next+int64(i), slot.StoreTimestamp
		encode(slot.Buf[at:at+int(p.Size)], &r, record.PlanProperties(r.Properties, s.o.AppendPropCRC))
		at += int(p.Size)
		p.PhysicalOffset, p.QueueOffset, p.StoreTimestamp = r.PhysicalOffset, r.QueueOffset, r.StoreTimestamp
		p.End = slot.Offset + int64(total)
	}
	n.advance(next+int64(len(places)), int64(total))
	s.log.Publish(slot)
	return dst, nil
}

// measure walks the items before the append lock is taken. It leaves the size of every record in dst, and, for want of a
// better place until the record has its own, the checksum of its body in StoreTimestamp.
func (s *Store) measure(r *record.Record, items []byte, dst []Placed) (_ []Placed, total int, err error) {
	it := record.BatchItems{Rest: items}
	var item record.BatchItem
	first := len(dst)
	for it.Next(&item) {
		r.Body, r.Properties = item.Body, item.Properties
		_, size, err := s.sizeOf(r)
		if err != nil {
			return dst, 0, err
		}
		total += size
		dst = append(dst, Placed{Size: int32(size), StoreTimestamp: int64(record.BodyChecksum(item.Body))})
		if total > s.o.MaxMessageBytes+recordOverheadBytes || len(dst)-first > maxBatchItems {
			return dst, 0, ErrTooLarge
		}
	}
	if it.Err != nil || len(dst) == first {
		return dst, 0, ErrMalformed
	}
	return dst, total, nil
}

// AppendInner stores the items of a batch as one record of a BatchCQ topic; it takes as many queue offsets as there are
// items. Placed.QueueOffset is the first. INNER_NUM and INNER_BASE are added to the envelope's properties.
func (s *Store) AppendInner(envelope *Message, items []byte) (p Placed, count int32, err error) {
	if err := s.admit(envelope, len(items), len(envelope.Properties)); err != nil {
		return p, 0, err
	}
	it := record.BatchItems{Rest: items}
	var item record.BatchItem
	for it.Next(&item) {
		count++
	}
	if it.Err != nil || count == 0 || count > 1<<15-1 {
		return p, 0, ErrMalformed
	}
	var r record.Record
	s.fill(&r, envelope)
	r.SysFlag |= record.SysFlagNeedUnwrap | record.SysFlagInnerBatch
	r.Body, r.BodyCRC = items, record.BodyChecksum(items)
	properties := append([]byte(nil), envelope.Properties...)
	if !record.ClosedProperties(properties) {
		properties = append(properties, 2)
	}
	properties = record.AppendProperty(properties, record.PropertyInnerNum, strconv.Itoa(int(count)))
	// The base is known only under the append lock: its place is filled with digits of full width.
	properties = record.AppendProperty(properties, record.PropertyInnerBase, innerBaseBlank)
	r.Properties = properties
	p, err = s.place(&r, int64(count), true)
	return p, count, err
}

// innerBaseBlank is the room for a queue offset in INNER_BASE: leading zeros are read as such by every client.
const innerBaseBlank = "0000000000000000000"

// putInnerBase writes the base offset into the room AppendInner left at the end of the properties.
func putInnerBase(properties []byte, base int64) {
	digits := properties[len(properties)-1-len(innerBaseBlank) : len(properties)-1]
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + base%10)
		base /= 10
	}
}
