package store

import (
	"slices"
	"strconv"
	"sync"

	"ringmq/store/record"
)

// maxBatchItems bounds a batch; each item takes at least 22 bytes of the request.
const maxBatchItems = 1 << 20

// AppendBatch stores the items of a batch (the body of SEND_BATCH_MESSAGE) as messages of their own with consecutive
// queue offsets; envelope gives what they share: topic, queue, hosts, born time, sysFlag, reconsume times. Its
// properties are not copied. The places are appended to dst. All or none is stored: for the end of a segment the batch is
// one block. Errors as Append; ErrMalformed when the items do not add up.
func (s *Store) AppendBatch(envelope *Message, items []byte, dst []Placed) ([]Placed, error) {
	dst, err := s.appendBatch(envelope, items, dst)
	if err == nil {
		s.log.Commit()
	}
	return dst, err
}

func (s *Store) appendBatch(envelope *Message, items []byte, dst []Placed) ([]Placed, error) {
	if err := s.admit(envelope, len(items), 0); err != nil {
		return dst, err
	}
	var r record.Record
	s.fill(&r, envelope)
	r.PreparedTransactionOffset = 0
	scratch := plannedItems.Get().(*[]plannedItem)
	planned, total, err := s.measure(&r, items, (*scratch)[:0])
	if *scratch = planned; cap(planned) <= keptItems {
		defer plannedItems.Put(scratch)
	}
	if err != nil {
		return dst, err
	}
	dst = slices.Grow(dst, len(planned)) // not under the append lock
	queued := takesOffsets(&r)
	var n *counter
	if queued {
		n = s.counters.get(r.Topic, r.QueueID)
	}
	slot, err := s.reserve(total, &n, r.Topic, r.QueueID)
	if err != nil {
		return dst, err
	}
	it, next, at := record.BatchItems{Rest: items}, int64(0), 0
	if queued {
		next = n.next.Load()
	}
	var item record.BatchItem
	for i := range planned {
		it.Next(&item)
		p := &planned[i]
		r.Flag, r.Body, r.Properties, r.BodyCRC = item.Flag, item.Body, item.Properties, p.bodyCRC
		r.PhysicalOffset, r.StoreTimestamp = slot.Offset+int64(at), slot.StoreTimestamp
		if queued {
			r.QueueOffset = next + int64(i)
		}
		encode(slot.Buf[at:at+p.size], &r, p.plan)
		at += p.size
		dst = append(dst, Placed{PhysicalOffset: r.PhysicalOffset, End: slot.Offset + int64(total), QueueOffset: r.QueueOffset,
			StoreTimestamp: r.StoreTimestamp, Size: int32(p.size)})
	}
	if queued {
		n.advance(next+int64(len(planned)), int64(total))
	}
	s.log.Publish(slot)
	if !queued { // the others are counted by their queue
		s.puts.messages.Add(int64(len(planned)))
		s.puts.bytes.Add(int64(total))
	}
	return dst, nil
}

// plannedItem is what is known of an item before the append lock is taken.
type plannedItem struct {
	plan    record.Plan
	size    int // of its record
	bodyCRC uint32
}

// keptItems is how long a list may be that is kept for the next batch.
const keptItems = 4096

var plannedItems = sync.Pool{New: func() any { return new([]plannedItem) }}

// measure walks the items before the append lock is taken, and appends what it finds to planned.
func (s *Store) measure(r *record.Record, items []byte, planned []plannedItem) (_ []plannedItem, total int, err error) {
	it := record.BatchItems{Rest: items}
	var item record.BatchItem
	for it.Next(&item) {
		r.Body, r.Properties = item.Body, item.Properties
		plan, size, err := s.sizeOf(r, s.mostBytes())
		if err != nil {
			return planned, 0, err
		}
		total += size
		planned = append(planned, plannedItem{plan: plan, size: size, bodyCRC: record.BodyChecksum(item.Body)})
		if total > s.mostBytes() || len(planned) > maxBatchItems {
			return planned, 0, ErrTooLarge
		}
	}
	if it.Err != nil || len(planned) == 0 {
		return planned, 0, ErrMalformed
	}
	return planned, total, nil
}

// AppendInner stores the items of a batch as one record of a BatchCQ topic; it takes as many queue offsets as there are
// items. Placed.QueueOffset is the first. INNER_NUM and INNER_BASE are added to the envelope's properties.
func (s *Store) AppendInner(envelope *Message, items []byte) (p Placed, count int32, err error) {
	if p, count, err = s.appendInner(envelope, items); err == nil {
		s.log.Commit()
	}
	return p, count, err
}

func (s *Store) appendInner(envelope *Message, items []byte) (p Placed, count int32, err error) {
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
	p, err = s.place(&r, int64(count), s.mostBytes(), true)
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
