package store

import (
	"errors"
	"fmt"
	"slices"

	"ringmq/store/commitlog"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// HasQueue says whether a queue has ever had an entry on this store.
func (s *Store) HasQueue(topic []byte, queueID int32) bool {
	return s.queues.Lookup(topic, queueID) != nil
}

// MinOffset is the first offset of a queue that can be read; 0 for a queue that is not there,
// -1 for an empty batch queue. Any goroutine, no I/O.
func (s *Store) MinOffset(topic []byte, queueID int32) int64 {
	if q := s.batchFor(topic, queueID, false); q != nil {
		return q.min.Load()
	}
	if q := s.queues.Lookup(topic, queueID); q != nil {
		return q.Min()
	}
	return 0
}

// MaxOffset is the offset behind the last visible entry of a queue; 0 for a queue that is not there. Any goroutine, no
// I/O.
func (s *Store) MaxOffset(topic []byte, queueID int32) int64 {
	if q := s.batchFor(topic, queueID, false); q != nil {
		return q.max.Load()
	}
	if q := s.queues.Lookup(topic, queueID); q != nil {
		return q.Max()
	}
	return 0
}

// NextOffset is the offset that the next message of a queue gets: what lies between MaxOffset and it is stored and not visible yet, or, of a
// batch queue, kept for a damaged record, which a read steps over; 0 for a queue that is not there. Any goroutine, no I/O.
func (s *Store) NextOffset(topic []byte, queueID int32) int64 {
	if n := s.counters.find(topic, queueID); n != nil {
		return n.next.Load()
	}
	return 0
}

// OffsetByTime finds an offset by store time (ms). Lower boundary: the first entry stored at or after ts, the maximum
// when there is none. Upper: the last entry stored at or before ts, 0 when there is none. May do I/O. It takes store times for ordered: where
// the clock was ahead, and was set back, the answer may lie before what was stored then, not behind.
func (s *Store) OffsetByTime(topic []byte, queueID int32, ts int64, upper bool) (int64, error) {
	if q := s.batchFor(topic, queueID, false); q != nil {
		return q.byTime(ts, upper)
	}
	q := s.queues.Lookup(topic, queueID)
	if q == nil || q.Max() == 0 {
		return 0, nil
	}
	low, high := q.Min(), q.Max()
	begin := low
	if upper {
		ts++ // the last at or before ts is the one before the first after it
	}
	for low < high {
		mid := low + (high-low)/2
		at, t, err := s.firstTimed(q, mid, high)
		if err != nil {
			return 0, err
		}
		switch {
		case t < 0: // nothing between mid and high is left
			high = mid
		case t < ts:
			low = at + 1
		default:
			high = mid
		}
	}
	if !upper {
		return low, nil
	}
	if low == begin {
		return 0, nil
	}
	return low - 1, nil
}

// firstTimed finds the first entry in [from, to) whose record is there, and its store time; -1 when there is none.
func (s *Store) firstTimed(q *queue.Queue, from, to int64) (at, storeTime int64, err error) {
	var units [unitsPerLook]record.QueueUnit
	for from < to {
		n, err := q.Read(from, units[:min(to-from, unitsPerLook)])
		if err != nil {
			return 0, -1, err
		}
		if n == 0 {
			break
		}
		for i, u := range units[:n] {
			if t := s.unitTime(u); t >= 0 {
				return from + int64(i), t, nil
			}
		}
		from += int64(n)
	}
	return 0, -1, nil
}

// unitTime is the store time of an entry's record, read from its first bytes; -1 when it is lost.
func (s *Store) unitTime(u record.QueueUnit) int64 {
	if u.IsBlank() || !s.plausible(u, s.log.Visible().Load()) {
		return -1
	}
	var space [record.StoreTimestampBytes]byte
	head := space[:min(int(u.Size), len(space))]
	if b, ok := s.log.ReadHot(u.Offset, len(head), space[:0]); ok {
		head = b
	} else if s.log.ReadExact(u.Offset, head) != nil {
		return -1
	}
	return headTime(head, u)
}

// headTime reads the store time from the first bytes of a record; -1 when they are not those of the entry's.
func headTime(head []byte, u record.QueueUnit) int64 {
	size, magic := record.Header(head)
	if size != u.Size || magic != record.MagicV1 && magic != record.MagicV2 || record.PhysicalOffset(head) != u.Offset {
		return -1
	}
	return record.StoreTimestamp(head)
}

// StoreTimeAt is the store time (ms) of the entry at a queue offset, -1 when there is none or its record is lost. May do I/O; never on a loop.
func (s *Store) StoreTimeAt(topic []byte, queueID int32, queueOffset int64) int64 {
	if q := s.batchFor(topic, queueID, false); q != nil {
		return q.timeFrom(queueOffset)
	}
	var u [1]record.QueueUnit
	if !s.unitAt(topic, queueID, queueOffset, u[:]) {
		return -1
	}
	return s.unitTime(u[0])
}

// StoreTimeFrom is the store time (ms) of the first entry at or behind a queue offset whose record can be read, of the first scanUnits that are
// there; -1 when there is none, which may be otherwise the next time. May do I/O; never on a loop.
func (s *Store) StoreTimeFrom(topic []byte, queueID int32, from int64) int64 {
	if q := s.batchFor(topic, queueID, false); q != nil {
		return q.timeFrom(from)
	}
	q := s.queues.Lookup(topic, queueID)
	if q == nil {
		return -1
	}
	from = max(from, q.Min())
	_, t, err := s.firstTimed(q, from, min(q.Max(), from+scanUnits))
	if err != nil {
		return -1
	}
	return t
}

func (s *Store) unitAt(topic []byte, queueID int32, queueOffset int64, u []record.QueueUnit) bool {
	q := s.queues.Lookup(topic, queueID)
	if q == nil || queueOffset < q.Min() || queueOffset >= q.Max() {
		return false
	}
	n, err := q.Read(queueOffset, u)
	return err == nil && n == len(u)
}

// EarliestTime is the store time (ms) of the first message of a queue, -1 when there is none. May do I/O; never on a loop.
func (s *Store) EarliestTime(topic []byte, queueID int32) int64 {
	return s.StoreTimeFrom(topic, queueID, 0)
}

// earliest is when the first message of the log was stored, as long as the log begins there.
type earliest struct{ logMin, storedMs int64 }

// EarliestMessageTime is the store time (ms) of the first message of the log, -1 when there is none. The disk is read only where the log begins
// elsewhere than it did the last time; Open and retention see to that before anybody asks. May do I/O; never on a loop.
func (s *Store) EarliestMessageTime() int64 {
	low := s.log.Min()
	if low >= s.log.Visible().Load() {
		return -1
	}
	if e := s.earliest.Load(); e != nil && e.logMin == low {
		return e.storedMs
	}
	t, ok := s.log.StoreTime(low)
	if !ok {
		return -1
	}
	s.earliest.Store(&earliest{low, t})
	return t
}

// MessageByOffset appends the record that begins at a commit log offset. ErrNotFound when none begins there or it is not
// visible, ErrCorrupt when it is damaged. Offsets are what anybody asks for: what only looks like a damaged record, inside of a body, is
// on no list. May do I/O.
func (s *Store) MessageByOffset(physicalOffset int64, dst []byte) ([]byte, error) {
	return s.recordAt(physicalOffset, false, dst)
}

// recordAt is MessageByOffset; known says that a record begins there.
func (s *Store) recordAt(physicalOffset int64, known bool, dst []byte) ([]byte, error) {
	visible := s.log.Visible().Load()
	if physicalOffset < s.log.Min() || physicalOffset < 0 || physicalOffset+record.MinRecordBytes > visible {
		return dst, ErrNotFound
	}
	var head [8]byte
	if b, ok := s.log.ReadHot(physicalOffset, len(head), head[:0]); !ok {
		if err := s.log.ReadExact(physicalOffset, head[:]); err != nil {
			return dst, s.byOffsetFault(physicalOffset, err)
		}
	} else {
		copy(head[:], b)
	}
	size, magic := record.Header(head[:])
	if magic != record.MagicV1 && magic != record.MagicV2 || size < record.MinRecordBytes || int(size) > s.maxRecordBytes() || physicalOffset+int64(size) > visible {
		return dst, ErrNotFound
	}
	n := len(dst)
	dst, hot := s.log.ReadHot(physicalOffset, int(size), dst)
	if !hot {
		dst = grow(dst[:n], int(size))
		if err := s.log.ReadExact(physicalOffset, dst[n:]); err != nil {
			return dst[:n], s.byOffsetFault(physicalOffset, err)
		}
	}
	var r record.Record
	if r.Parse(dst[n:]) != nil || r.PhysicalOffset != physicalOffset {
		return dst[:n], ErrNotFound
	}
	if err := r.Verify(dst[n:]); err != nil {
		if known || s.hasEntry(&r) {
			s.gaps.add(physicalOffset, physicalOffset+int64(size), "rot")
		}
		return dst[:n], fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return dst, nil
}

// hasEntry says that the entry of a queue points to where a record is, which may be one in name only.
func (s *Store) hasEntry(r *record.Record) bool {
	if q := s.batchFor(r.Topic, r.QueueID, false); q != nil {
		_, u, err := q.seek(r.QueueOffset)
		return err == nil && u.count > 0 && u.Offset == r.PhysicalOffset
	}
	var u [1]record.QueueUnit
	return s.unitAt(r.Topic, r.QueueID, r.QueueOffset, u[:]) && u[0].Offset == r.PhysicalOffset
}

func (s *Store) byOffsetFault(at int64, err error) error {
	if errors.Is(err, commitlog.ErrGone) {
		return ErrNotFound
	}
	return fmt.Errorf("read record at %d: %w", at, err)
}

// Keyed is the outcome of QueryKey.
type Keyed struct {
	Body          []byte   // the records one behind the other, by physical offset
	Records       [][]byte // each of them, in Body
	LastTimestamp int64    // ms; how far the index has come
	LastPhysical  int64
}

// QueryKey finds up to limit records by topic and key (hash equality, as the index has it), stored between begin and end
// (ms): the newest ones, in the order of the log. Lost records are left out. May do I/O.
//
// Records end before they are more than 15 MiB: an answer is one frame.
func (s *Store) QueryKey(topic, key []byte, limit int, begin, end int64) (Keyed, error) {
	if s.index == nil {
		return Keyed{}, nil
	}
	k := Keyed{LastTimestamp: s.index.LastTimestamp(), LastPhysical: s.index.LastPhysical()}
	offsets, err := s.index.Query(topic, key, limit, begin, end, nil)
	if err != nil {
		return k, fmt.Errorf("query key index: %w", err)
	}
	slices.Sort(offsets)
	var ends []int
	for _, at := range offsets {
		body, err := s.recordAt(at, true, k.Body)
		if len(body) > maxKeyedBytes {
			break
		}
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrCorrupt) {
			return k, err
		}
		if k.Body = body; err == nil {
			ends = append(ends, len(body))
		}
	}
	from := 0
	for _, end := range ends {
		k.Records = append(k.Records, k.Body[from:end])
		from = end
	}
	return k, nil
}

// maxKeyedBytes bounds what QueryKey holds in memory.
const maxKeyedBytes = 15 << 20

// maxQueueUnits bounds what one call of QueueUnits returns.
const maxQueueUnits = 1 << 16

// QueueUnits reads up to count queue entries from a queue offset on. May do I/O.
func (s *Store) QueueUnits(topic []byte, queueID int32, from int64, count int) ([]record.QueueUnit, error) {
	q := s.queues.Lookup(topic, queueID)
	if q == nil || from < q.Min() || from >= q.Max() || count <= 0 {
		return nil, nil
	}
	units := make([]record.QueueUnit, min(int64(count), q.Max()-from, maxQueueUnits))
	got := 0
	for got < len(units) {
		n, err := q.Read(from+int64(got), units[got:])
		if err != nil {
			return nil, fmt.Errorf("read queue %s-%d: %w", topic, queueID, err)
		}
		if n == 0 {
			break
		}
		got += n
	}
	return units[:got], nil
}

// FirstInMemory says whether a queue's first message counts as still in memory: not further behind the end of the log
// than Limits.MemoryRatio percent of physical memory. True for a queue without messages.
func (s *Store) FirstInMemory(topic []byte, queueID int32) bool {
	q := s.queues.Lookup(topic, queueID)
	if q == nil || q.Max() == 0 {
		return true
	}
	return s.InMemory(topic, queueID, 0)
}

// InMemory says the same of a queue offset; false when it is not there.
func (s *Store) InMemory(topic []byte, queueID int32, queueOffset int64) bool {
	var u [1]record.QueueUnit
	if !s.unitAt(topic, queueID, queueOffset, u[:]) {
		return false
	}
	visible := s.log.Visible().Load()
	if !s.plausible(u[0], visible) {
		return false
	}
	ratio := int64(s.limits.Load().MemoryRatio)
	return visible-u[0].Offset <= s.memoryBytes()/100*ratio
}
