package store

import (
	"encoding/binary"
	"math"
	"sync/atomic"

	"ringmq/store/queue"
	"ringmq/store/record"
)

// batchUnitBytes is the size of a batch consume queue unit (see docs/DISK.md): where a record lies, and which queue
// offsets its messages have. Records of BatchCQ topics have these instead of consume queue units.
const batchUnitBytes = 46

type batchUnit struct {
	record.QueueUnit
	storeTime int64
	base      int64 // queue offset of the first message
	count     int32 // 0: the unit is damaged
}

// end is the queue offset behind the last message.
func (u batchUnit) end() int64 { return u.base + int64(u.count) }

// appendRest appends what stands behind the queue unit.
func (u batchUnit) appendRest(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(u.storeTime))
	b = binary.BigEndian.AppendUint64(b, uint64(u.base))
	b = binary.BigEndian.AppendUint16(b, uint16(u.count))
	return append(b, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0) // compacted offset: none; reserved
}

// parseBatchUnit reads a unit; its count is 0 where none was written.
func parseBatchUnit(b []byte) batchUnit {
	u := batchUnit{QueueUnit: record.ParseQueueUnit(b), storeTime: int64(binary.BigEndian.Uint64(b[20:])),
		base: int64(binary.BigEndian.Uint64(b[28:])), count: int32(int16(binary.BigEndian.Uint16(b[36:])))}
	if !u.Written() || u.count < 0 || u.base < 0 || u.base > math.MaxInt64-math.MaxInt16 {
		u.count = 0
	}
	return u
}

// batchQueue is one batch consume queue: a queue of longer entries, which are numbered as they came and found by the queue
// offsets in them. Locks and goroutines are those of queue.Queue; what a number is said of here is an entry.
type batchQueue struct {
	topic string
	id    int32
	units *queue.Queue

	cut bool // by a start, which found damage
	// The last unit that it found, and the physical offset of its record, -1: none. Writer only.
	foundAt, found int64

	min, max atomic.Int64 // queue offsets; min is -1 while there is no unit
}

// put adds a unit unless the queue has it already. Writer only; as queue.Queue.Put it does no I/O while there is memory.
func (q *batchQueue) put(u batchUnit) error {
	at := q.units.Max()
	if u.Offset == q.found {
		at = q.foundAt // a power cut may have torn it
	} else if u.End() <= q.units.MaxPhysical() {
		return nil
	}
	var rest [batchUnitBytes - record.QueueUnitBytes]byte
	if err := q.units.PutWith(at, u.QueueUnit, u.appendRest(rest[:0])); err != nil {
		return err
	}
	q.max.Store(max(q.max.Load(), u.end()))
	q.min.CompareAndSwap(-1, u.base)
	return nil
}

// read copies units from a number on to dst: fewer than dst holds only at the end of the queue.
func (q *batchQueue) read(at int64, dst []batchUnit) (int, error) {
	var b [unitsPerLook * batchUnitBytes]byte
	n, err := q.units.ReadBytes(at, b[:min(len(dst), unitsPerLook)*batchUnitBytes])
	for i := range n {
		dst[i] = parseBatchUnit(b[i*batchUnitBytes:])
	}
	return n, err
}

// next finds the first undamaged unit in [from, to); to where there is none.
func (q *batchQueue) next(from, to int64) (int64, batchUnit, error) {
	var units [unitsPerLook]batchUnit
	for look := int64(1); from < to; look = unitsPerLook { // hardly ever more than one
		n, err := q.read(from, units[:min(look, to-from)])
		if err != nil {
			return 0, batchUnit{}, err
		}
		if n == 0 {
			low := q.units.Min()
			if low <= from {
				break
			}
			from = low // files went meanwhile
			continue
		}
		for i, u := range units[:n] {
			if u.count > 0 {
				return from + int64(i), u, nil
			}
		}
		from += int64(n)
	}
	return to, batchUnit{}, nil
}

// before finds the last undamaged unit in [from, to).
func (q *batchQueue) before(from, to int64) (u batchUnit, ok bool, err error) {
	var one [1]batchUnit
	for at := to - 1; at >= from; at-- {
		if n, err := q.read(at, one[:]); err != nil || n == 1 && one[0].count > 0 {
			return one[0], err == nil, err
		}
	}
	return u, false, nil
}

// find is the number of the first unit for which there holds, of those that are not damaged; the end of the queue where it holds for
// none. there must hold for nothing before one it holds for, and for all behind.
func (q *batchQueue) find(there func(u batchUnit) bool) (at int64, u batchUnit, err error) {
	low, high := q.units.Min(), q.units.Max()
	at = high
	for low < high {
		mid := low + (high-low)/2
		found, v, err := q.next(mid, high)
		switch {
		case err != nil:
			return 0, u, err
		case found == high:
			high = mid
		case there(v):
			at, u, high = found, v, mid
		default:
			low = found + 1
		}
	}
	return at, u, nil
}

// seek finds the unit that holds a queue offset, or the first one behind it.
func (q *batchQueue) seek(offset int64) (int64, batchUnit, error) {
	return q.find(func(u batchUnit) bool { return u.end() > offset })
}

// timeFrom is the store time (ms) of the unit that holds a queue offset, or of the first one behind it; -1 when there is none.
func (q *batchQueue) timeFrom(offset int64) int64 {
	_, u, err := q.seek(offset)
	if err != nil || u.count == 0 || offset >= q.max.Load() {
		return -1
	}
	return u.storeTime
}

// byTime is a queue offset by store time, as a stock broker's batch queues answer: the first message of the first unit
// stored at or after ts (of the last unit when there is none); upper: of the last unit stored at or before ts.
func (q *batchQueue) byTime(ts int64, upper bool) (int64, error) {
	at, u, err := q.find(func(u batchUnit) bool { return u.storeTime > ts || !upper && u.storeTime == ts })
	if err != nil || !upper && u.count > 0 {
		return u.base, err
	}
	last, ok, err := q.before(q.units.Min(), at)
	switch {
	case ok:
		u = last
	case u.count == 0:
		u.base = max(0, q.min.Load())
	}
	return u.base, err
}

// cutDamaged cuts the damaged units at the end, which come again from the log. Once, at a start, before learn.
func (q *batchQueue) cutDamaged() error {
	low, high := q.units.Min(), q.units.Max()
	last, _, err := q.before(low, high)
	if err != nil {
		return err
	}
	if err := q.units.Truncate(last.End()); err != nil {
		return err
	}
	q.cut = q.units.Cut() || q.units.Max() < high
	return nil
}

// learn takes the queue offsets at both ends from the units there. Before there are readers.
func (q *batchQueue) learn() error {
	q.found = -1
	q.max.Store(0)
	low, high := q.units.Min(), q.units.Max()
	u, ok, err := q.before(low, high)
	if err != nil {
		return err
	}
	if ok {
		q.max.Store(u.end())
	}
	var last [1]batchUnit
	if n, err := q.read(high-1, last[:]); err != nil {
		return err
	} else if n > 0 {
		q.foundAt, q.found = high-1, last[0].Offset
	}
	return q.learnMin()
}

// learnMin takes the minimum from the first unit that counts.
func (q *batchQueue) learnMin() error {
	all := q.max.Load() // before the look: a unit put meanwhile lies behind
	end := q.units.Max()
	at, u, err := q.next(q.units.Min(), end)
	switch {
	case err != nil:
		return err
	case q.max.Load() < all:
		return q.learnMin() // it began anew meanwhile
	case at < end:
		q.min.Store(u.base)
	case end > 0: // nothing is left to read
		q.min.Store(all)
	default:
		q.min.Store(-1)
	}
	return nil
}

// renew empties the queue, as queue.Queue.Renew. Writer only.
func (q *batchQueue) renew() error {
	if err := q.units.Renew(); err != nil {
		return err
	}
	q.found, q.cut = -1, false
	q.max.Store(0)
	q.min.Store(-1)
	return nil
}

// cutAt cuts the units of messages from a queue offset on, for good. Writer only.
func (q *batchQueue) cutAt(offset int64) error {
	_, u, err := q.seek(offset)
	if err == nil && u.count > 0 {
		err = q.units.CutFrom(u.Offset)
	}
	if err != nil {
		return err
	}
	return q.learn()
}

// follow moves the minimum to the first unit whose record is still in the log, and deletes files before it.
func (q *batchQueue) follow(logMin int64) error {
	err := q.units.CorrectMin(logMin)
	if err == nil {
		_, err = q.units.DeleteBefore(logMin)
	}
	if err != nil {
		return err
	}
	return q.learnMin()
}
