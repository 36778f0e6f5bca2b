package store

import (
	"errors"
	"fmt"
	"net/netip"

	"ringmq/store/commitlog"
	"ringmq/store/record"
)

// recordOverheadBytes is what a record may have beyond the largest body: properties, topic and header.
const recordOverheadBytes = 64 << 10

// Append stores one message. Any goroutine; no I/O, no allocation; m is borrowed until Append returns. The message is
// safe once Visible reaches Placed.End. Errors: ErrFull, ErrNotWritable, ErrTooLarge, ErrMalformed.
func (s *Store) Append(m *Message) (Placed, error) {
	p, err := s.append(m)
	if err == nil {
		s.log.Commit()
	}
	return p, err
}

func (s *Store) append(m *Message) (Placed, error) {
	if err := s.admit(m, len(m.Body), len(m.Properties)); err != nil {
		return Placed{}, err
	}
	var r record.Record
	s.fill(&r, m)
	r.Body, r.Properties = m.Body, m.Properties
	r.BodyCRC = record.BodyChecksum(m.Body)
	most := s.mostBytes()
	if m.Again {
		most = s.maxRecordBytes()
	}
	return s.place(&r, 1, most, false)
}

// mostBytes is how large the record of a new message may be.
func (s *Store) mostBytes() int { return s.o.MaxMessageBytes + recordOverheadBytes }

// place gives a record of most bytes at most its queue offset and its place in the log, and advances the queue by count; inner: it is an
// inner batch, whose base offset goes into its properties.
func (s *Store) place(r *record.Record, count int64, most int, inner bool) (Placed, error) {
	plan, size, err := s.sizeOf(r, most)
	if err != nil {
		return Placed{}, err
	}
	queued := takesOffsets(r)
	var n *counter
	if queued {
		n = s.counters.get(r.Topic, r.QueueID)
	}
	slot, err := s.reserve(size, &n, r.Topic, r.QueueID)
	if err != nil {
		return Placed{}, err
	}
	r.PhysicalOffset, r.StoreTimestamp = slot.Offset, slot.StoreTimestamp
	r.QueueOffset = 0
	if queued {
		r.QueueOffset = n.next.Load()
		n.advance(r.QueueOffset+count, int64(size))
	}
	if inner {
		putInnerBase(r.Properties, r.QueueOffset)
	}
	encode(slot.Buf, r, plan)
	s.log.Publish(slot)
	if !queued { // the others are counted by their queue
		s.puts.messages.Add(count)
		s.puts.bytes.Add(int64(size))
	}
	return Placed{PhysicalOffset: slot.Offset, End: slot.Offset + int64(size), QueueOffset: r.QueueOffset,
		StoreTimestamp: slot.StoreTimestamp, Size: int32(size)}, nil
}

// takesOffsets says whether a record takes queue offsets: one that is prepared or rolled back gets no entry.
func takesOffsets(r *record.Record) bool {
	kind := r.SysFlag & record.SysFlagTransaction
	return kind != record.SysFlagPrepared && kind != record.SysFlagRollback
}

// errDeleting: what was stored now would go with the topic, or, if it is not deleted after all, have offsets that are taken.
var errDeleting = fmt.Errorf("%w: the topic is being deleted", ErrNotWritable)

// reserve takes the append lock with room for size bytes. A counter that died meanwhile is replaced: its topic was
// deleted, and what comes now begins the queue anew.
func (s *Store) reserve(size int, n **counter, topic []byte, id int32) (commitlog.Slot, error) {
	for {
		slot, err := s.log.Reserve(size)
		if err != nil {
			s.puts.failures.Add(1)
			return slot, s.refusal(err)
		}
		if *n == nil || !(*n).dead.Load() {
			return slot, nil
		}
		s.log.Abandon(slot)
		if *n = s.counters.get(topic, id); (*n).dead.Load() {
			s.puts.failures.Add(1)
			return commitlog.Slot{}, errDeleting
		}
	}
}

func (s *Store) refusal(err error) error {
	switch {
	case errors.Is(err, commitlog.ErrFull):
		return ErrFull
	case errors.Is(err, commitlog.ErrTooLarge):
		return ErrTooLarge
	}
	if errors.Is(err, commitlog.ErrNoSpace) {
		s.wakeRetention()
	}
	return fmt.Errorf("%w: %w", ErrNotWritable, err)
}

// admit checks what can be checked without the append lock.
func (s *Store) admit(m *Message, bodyBytes, propertiesBytes int) error {
	if err := s.Writable(); err != nil {
		s.puts.failures.Add(1)
		return err
	}
	switch {
	case !validTopic(m.Topic) || m.QueueID < 0:
		return ErrMalformed
	case bodyBytes > s.o.MaxMessageBytes && !m.Again || propertiesBytes > record.MaxPropertiesBytes:
		return ErrTooLarge
	}
	return nil
}

// fill copies everything but body and properties, which differ between the items of a batch.
func (s *Store) fill(r *record.Record, m *Message) {
	r.Topic, r.QueueID = m.Topic, m.QueueID
	r.Flag, r.ReconsumeTimes = m.Flag, m.ReconsumeTimes
	r.BornTimestamp, r.PreparedTransactionOffset = m.BornTimestamp, m.PreparedTransactionOffset
	r.StoreHost = m.StoreHost
	if !r.StoreHost.IsValid() {
		r.StoreHost = s.o.StoreHost
	}
	r.BornHost = m.BornHost
	if !r.BornHost.IsValid() {
		r.BornHost = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	r.BornHost, r.StoreHost = unmapped(r.BornHost), unmapped(r.StoreHost)
	r.SysFlag = m.SysFlag &^ (record.SysFlagBornHostV6 | record.SysFlagStoreHostV6)
	if r.BornHost.Addr().Is6() {
		r.SysFlag |= record.SysFlagBornHostV6
	}
	if r.StoreHost.Addr().Is6() {
		r.SysFlag |= record.SysFlagStoreHostV6
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}

// sizeOf says how large a record will be, which is most bytes at most, and how its properties will be stored.
func (s *Store) sizeOf(r *record.Record, most int) (plan record.Plan, size int, err error) {
	plan = record.PlanProperties(r.Properties, s.o.AppendPropCRC)
	if plan.Bytes > record.MaxPropertiesBytes {
		return plan, 0, ErrTooLarge
	}
	size = r.SizeAs(plan)
	if size > most {
		return plan, 0, ErrTooLarge
	}
	return plan, size, nil
}

// encode writes a placed record into buf, which it fills.
func encode(buf []byte, r *record.Record, plan record.Plan) {
	if b := record.AppendAs(buf[:0], r, plan); len(b) != len(buf) {
		panic("store: a record's size was computed wrongly")
	}
	if plan.CRC {
		record.SealCRC(buf)
	}
}
