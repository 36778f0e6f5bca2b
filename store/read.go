package store

import (
	"errors"
	"fmt"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

const (
	// unitsPerLook is how many queue entries are taken at once.
	unitsPerLook = 64
	// scanUnits bounds how many entries one read may look at, or as many as the answer may have: a stock broker's 16,000 bytes of the queue.
	scanUnits = 800
	// extAddressMax: a tags code at or below it is the address of an extension unit; the tags themselves are asked.
	extAddressMax = -2147483649
	// maxAnswerBytes bounds an answer whatever the request says.
	maxAnswerBytes = 128 << 20
)

// reading is one read in progress.
type reading struct {
	s      *Store
	w      *Want
	q      *queue.Queue
	batch  *batchQueue // in place of q
	unit   batchUnit   // of it, at hand
	f      Found
	l      *Limits
	logMax int64
	memory int64 // a record further than this behind logMax counts as on disk
	scan   int64 // entries that may be looked at
	begin  int   // len(dst) at the beginning
	step   int64 // queue offsets of the entry at hand: 1, more for a batch
	units  [unitsPerLook]record.QueueUnit
	next   int // in units: the one behind the entry at hand
	known  int // and how many there are
	held   held
	alone  *alone
	again  bool  // the entry at hand was mended
	hot    bool  // it must not wait for the disk
	healed int64 // gaps, before anything was read
	cold   bool  // what comes next is not in memory, and the disk would have to be waited for
	absent bool  // something of what was read was in no memory
	unsure bool  // the kernel does not tell of something
}

// ReadHot reads without waiting for the disk and without allocating, for event loops: from memory and, as far as Want.Warm allows,
// from the page cache. Records are appended to dst. False says that a worker has to call Read: dst is as it was, and of Found only
// Cold says something.
func (s *Store) ReadHot(w *Want, dst []byte) ([]byte, Found, bool) {
	r := reading{s: s, w: w, begin: len(dst), step: 1, hot: true}
	if s.batchFor(w.Topic, w.QueueID, false) != nil {
		return dst, Found{}, false
	}
	if !r.position() {
		return dst, r.f, true
	}
	defer r.held.release(&s.windows)
	for more := true; more && r.look() > 0; {
		n, ok := r.hotUnits(int(r.look()))
		if !ok {
			return r.hotEnd(dst)
		}
		if n == 0 {
			break
		}
		r.known = n
		for r.next = 1; r.next <= n; r.next++ {
			var verdict verdict
			if dst, verdict = r.takeHot(r.units[r.next-1], dst); verdict == stop {
				more = false
				break
			} else if verdict == cold {
				return r.hotEnd(dst)
			}
		}
	}
	r.finish()
	return dst, r.f, true
}

// hotUnits takes the next entries from memory or, if it may, from the page cache.
func (r *reading) hotUnits(look int) (n int, ok bool) {
	if n, ok = r.q.ReadHot(r.f.NextOffset, r.units[:look]); ok || r.w.Warm == nil || *r.w.Warm <= 0 {
		return n, ok
	}
	n, err := r.q.ReadNow(r.f.NextOffset, r.units[:look])
	r.cold = errors.Is(err, disk.ErrWouldWait)
	*r.w.Warm -= n * record.QueueUnitBytes
	return n, err == nil
}

// hotEnd ends a hot read where memory ends: with what it has, or not at all.
func (r *reading) hotEnd(dst []byte) ([]byte, Found, bool) {
	if r.f.Messages == 0 {
		return dst[:r.begin], Found{Cold: r.cold}, false
	}
	r.finish()
	return dst, r.f, true
}

// Read reads and may block on the disk. Records are appended to dst, whole and checked; entries whose record is lost are
// stepped over, unless it may be healed soon: then the read ends before it.
func (s *Store) Read(w *Want, dst []byte) ([]byte, Found, error) {
	r := reading{s: s, w: w, begin: len(dst), step: 1}
	if q := s.batchFor(w.Topic, w.QueueID, false); q != nil {
		return r.readBatches(q, dst)
	}
	if !r.position() {
		return dst, r.f, nil
	}
	defer r.release()
	for more := true; more && r.look() > 0; {
		n, err := r.q.Read(r.f.NextOffset, r.units[:r.look()])
		if err != nil {
			return dst[:r.begin], Found{}, fmt.Errorf("read queue %s-%d at %d: %w", w.Topic, w.QueueID, r.f.NextOffset, err)
		}
		if n == 0 {
			break
		}
		r.known = n
		for r.next = 1; r.next <= n; r.next++ {
			var verdict verdict
			if dst, verdict, err = r.takeCold(r.units[r.next-1], dst); err != nil {
				return dst[:r.begin], Found{}, err
			} else if verdict == stop {
				more = false
				break
			}
		}
	}
	r.finish()
	return dst, r.f, nil
}

// position finds the queue and looks at its bounds; false: there is nothing to read and f says why.
func (r *reading) position() bool {
	r.q = r.s.queues.Lookup(r.w.Topic, r.w.QueueID)
	if r.q == nil {
		if r.f.Status, r.f.NextOffset = StatusNoMatchedLogicQueue, 0; r.toCome() {
			r.f.Status, r.f.NextOffset = StatusOffsetOverflowOne, r.w.Offset
		}
		return false
	}
	r.f.Min, r.f.Max = r.q.Min(), r.q.Max()
	return r.bounded()
}

func (r *reading) bounded() bool {
	f, w := &r.f, r.w
	f.NextOffset = w.Offset
	switch {
	case w.Offset > f.Max && r.toCome():
		f.Status = StatusOffsetOverflowOne
		return false
	case f.Max == 0:
		f.Status, f.NextOffset = StatusNoMessageInQueue, 0
		return false
	case w.Offset < f.Min:
		f.Status, f.NextOffset = StatusOffsetTooSmall, f.Min
		return false
	case w.Offset == f.Max:
		f.Status = StatusOffsetOverflowOne
		return false
	case w.Offset > f.Max:
		f.Status, f.NextOffset = StatusOffsetOverflowBadly, f.Max
		return false
	}
	r.l, r.healed = r.s.limits.Load(), r.s.gaps.healings()
	r.logMax = r.s.log.Visible().Load()
	r.memory = r.s.memoryBytes() / 100 * int64(r.l.MemoryRatio)
	r.scan = int64(max(scanUnits, min(w.MaxMessages, r.most())))
	f.Status = StatusNoMatchedMessage
	return true
}

// most is how many messages an answer may have whatever was asked for.
func (r *reading) most() int {
	if r.w.Anything {
		return maxAnswerBytes / record.MinRecordBytes
	}
	return max(r.l.CountInMemory, r.l.CountOnDisk)
}

// toCome says that the offset is no further than what was stored, which nobody may see yet: who has read up to there read a copy of it,
// which need not wait for another, and is not to be sent back.
func (r *reading) toCome() bool {
	n := r.s.counters.find(r.w.Topic, r.w.QueueID)
	return n != nil && r.w.Offset > 0 && r.w.Offset <= n.next.Load()
}

// look is how many entries may be taken next: where every entry is wanted, no more than the answer may have.
func (r *reading) look() int64 {
	left := r.w.Offset + r.scan - r.f.NextOffset
	if r.w.Match == nil && r.w.MatchProperties == nil {
		left = min(left, max(int64(r.w.MaxMessages-r.f.Messages), 1))
	}
	return max(0, min(left, unitsPerLook, r.f.Max-r.f.NextOffset))
}

type verdict uint8

const (
	taken verdict = iota // or stepped over: go on with the next entry
	stop                 // the answer is full
	cold                 // the record is not in memory
)

// wanted decides about an entry before its record is read.
func (r *reading) wanted(u record.QueueUnit) (want bool, v verdict) {
	if u.IsBlank() || !r.s.plausible(u, r.logMax) {
		if u.IsBlank() && (r.s.gaps.some.Load() || r.healedMeanwhile()) {
			return false, r.blank()
		}
		r.lost()
		return false, taken
	}
	if r.full(int(u.Size), r.logMax-u.Offset <= r.memory) {
		return false, stop
	}
	r.f.Looked, r.f.LastPhysical = true, u.Offset
	if r.w.Match != nil && u.TagsCode > extAddressMax && !r.w.Match(u.TagsCode) {
		r.unmatched()
		return false, taken
	}
	return true, taken
}

// lost steps over an entry without a record.
func (r *reading) lost() { r.pass(StatusMessageWasRemoving) }

// unmatched steps over an entry that is not wanted.
func (r *reading) unmatched() { r.pass(StatusNoMatchedMessage) }

func (r *reading) pass(why Status) {
	r.f.NextOffset += r.step
	if r.f.Messages == 0 {
		r.f.Status = why
	}
}

func (r *reading) takeHot(u record.QueueUnit, dst []byte) ([]byte, verdict) {
	want, v := r.wanted(u)
	if !want {
		return dst, v
	}
	n := len(dst)
	dst, ok := r.s.log.ReadHot(u.Offset, int(u.Size), dst)
	if !ok {
		if dst, ok = r.warm(u, dst); !ok {
			return dst, cold
		}
	}
	return r.accept(u, dst, n), taken
}

func (r *reading) takeCold(u record.QueueUnit, dst []byte) ([]byte, verdict, error) {
	want, v := r.wanted(u)
	if !want {
		return dst, v, nil
	}
	n := len(dst)
	dst, ok, err := r.fetch(u, dst)
	if err != nil {
		return dst, stop, err
	}
	if !ok {
		if r.awaits(u.Offset, u.End()) {
			return dst, stop, nil
		}
		r.lost()
		return dst, taken, nil
	}
	return r.accept(u, dst, n), taken, nil
}

// accept applies the filters that need the record, which is dst[from:], and counts it.
func (r *reading) accept(u record.QueueUnit, dst []byte, from int) []byte {
	if !r.matches(u, dst[from:]) {
		r.unmatched()
		return dst[:from]
	}
	r.f.NextOffset += r.step
	r.f.Status = StatusFound
	r.f.Messages++
	r.f.Looked, r.f.LastPhysical = true, u.Offset
	r.f.Bytes += int(u.Size)
	return dst
}

func (r *reading) matches(u record.QueueUnit, raw []byte) bool {
	byTags := r.w.Match != nil && u.TagsCode <= extAddressMax
	if !byTags && r.w.MatchProperties == nil {
		return true
	}
	var m record.Record
	if m.Parse(raw) != nil {
		return false
	}
	if byTags {
		tags, _ := record.Property(m.Properties, record.PropertyTags)
		if !r.w.Match(record.TagsCode(tags)) {
			return false
		}
	}
	return r.w.MatchProperties == nil || r.w.MatchProperties(m.Properties)
}

// full says whether the answer has no room for a record of size bytes. The first record always has.
func (r *reading) full(size int, inMemory bool) bool {
	return r.fullWith(r.f.Messages, r.f.Bytes, size, inMemory)
}

// fullWith says it of an answer that has so many messages and bytes.
func (r *reading) fullWith(messages, bytes, size int, inMemory bool) bool {
	w := r.w
	if messages == 0 {
		return false
	}
	if messages >= w.MaxMessages || bytes+size > maxAnswerBytes || w.MaxBytes > 0 && bytes+size > w.MaxBytes {
		return true
	}
	if w.Anything {
		return false
	}
	if inMemory {
		return bytes+size > r.l.BytesInMemory || messages >= r.l.CountInMemory
	}
	return bytes+size > r.l.BytesOnDisk || messages >= r.l.CountOnDisk
}

func (r *reading) finish() {
	if !r.f.Looked {
		return
	}
	f := &r.f
	f.SuggestSlave = r.logMax-f.LastPhysical > r.memory
	f.NotResident = r.cold || r.absent || r.unsure && f.SuggestSlave
	f.Newest = f.LastPhysical >= r.s.log.HotFrom()
}

// readFault tells a record that retention has taken meanwhile from a disk that cannot be read.
func (s *Store) readFault(u record.QueueUnit, err error) error {
	if errors.Is(err, commitlog.ErrGone) {
		return nil
	}
	return fmt.Errorf("read record at %d: %w", u.Offset, err)
}
