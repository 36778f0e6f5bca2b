package store

import (
	"fmt"

	"ringmq/store/record"
)

// checkRecord says whether raw is a whole record that belongs at a physical offset: its structure adds up, it says
// itself that it lies there, and its body (and the whole of it, where it carries the checksum property) is unharmed.
func checkRecord(raw []byte, physical int64) error {
	var r record.Record
	if err := r.Parse(raw); err != nil {
		return err
	}
	if int(r.TotalSize) != len(raw) {
		return fmt.Errorf("record at %d has %d bytes, not %d", physical, r.TotalSize, len(raw))
	}
	if r.PhysicalOffset != physical {
		return fmt.Errorf("record at %d says it lies at %d", physical, r.PhysicalOffset)
	}
	return r.Verify(raw)
}

// fetch reads the record of a plausible queue entry from the file and appends it to dst. A record written in this boot, or
// checked before, is taken as it is; any other is checked first. ok is false when it is lost; then the place is on the list
// of gaps.
func (r *reading) fetch(u record.QueueUnit, dst []byte) (_ []byte, ok bool, err error) {
	n := len(dst)
	if dst, err = r.coldBytes(u, dst); err != nil {
		return dst[:n], false, r.s.readFault(u, err)
	}
	if r.sound(u, dst[n:]) {
		return dst, true, nil
	}
	bad := checkRecord(dst[n:], u.Offset)
	if v, other := r.mended(u); other {
		r.again = true
		dst, ok, err = r.fetch(v, dst[:n])
		r.again = false
		return dst, ok, err
	}
	if bad == nil && (r.batch == nil || r.rightful(dst[n:])) {
		return dst, true, nil
	} else if bad == nil { // the unit is wrong, not the log
		return dst[:n], false, nil
	}
	r.s.gaps.add(u.Offset, u.Offset+int64(u.Size), "rot")
	return dst[:n], false, nil
}

// sound says whether raw is the record of u, and may be served. Its checksum is looked at once while its window is kept.
func (r *reading) sound(u record.QueueUnit, raw []byte) bool {
	if r.s.log.Verified(u.Offset, len(raw)) {
		return true
	}
	// What lies in two windows may have been read at two times.
	var w *window
	if from, to := r.s.windows.bounds(u.Offset); u.End() <= to {
		w = r.held.at(from, int(u.End()-from))
	}
	if w == nil || !w.wasChecked(u.Offset) {
		if checkRecord(raw, u.Offset) != nil {
			return false
		}
		if w != nil {
			w.noteChecked(u.Offset)
		}
	} else if size, _ := record.Header(raw); size != u.Size {
		return false
	}
	return r.rightful(raw)
}

// rightful says whether a record is one of the queue at hand. That it has the place of another one of it, the order of the
// entries tells.
func (r *reading) rightful(raw []byte) bool {
	var m record.Record
	if q := r.batch; q != nil {
		if m.Parse(raw) != nil || m.QueueID != q.id || string(m.Topic) != q.topic {
			return false
		}
		u := batchUnitOf(&m, r.unit.QueueUnit)
		return u.base == r.unit.base && u.count == r.unit.count
	}
	return isLMQ(r.q.Topic()) || m.Parse(raw) == nil && belongs(r.q, &m, m.QueueOffset)
}

// mended has the entry at hand put right, and returns it if it is another one now: then not the log was damaged, but the
// entry.
func (r *reading) mended(u record.QueueUnit) (v record.QueueUnit, other bool) {
	at := r.f.NextOffset
	if r.q == nil || r.again || r.s.mender.tried(r.q, at) || !r.s.mendQueue(r.q, at) {
		return u, false
	}
	var one [1]record.QueueUnit
	n, err := r.q.ReadRaw(at, one[:])
	if v = one[0]; err == nil && n > 0 && v != u && !v.IsBlank() && r.s.plausible(v, r.logMax) {
		return v, true
	}
	r.s.mender.inVain(r.q, at)
	return u, false
}

// plausible says whether a queue entry can point to a record at all, in a log that is visible up to end; one put in for a
// lost record cannot.
func (s *Store) plausible(u record.QueueUnit, end int64) bool {
	return u.Size >= record.MinRecordBytes && int(u.Size) <= s.maxRecordBytes() && u.Offset >= s.log.Min() && u.Offset+int64(u.Size) <= end
}

// maxRecordBytes bounds what a size found on disk may make us allocate. A store may have been written with a larger
// maxMessageSize, so the bound is the segment, within reason.
func (s *Store) maxRecordBytes() int {
	return int(min(s.o.SegmentBytes, int64(max(s.o.MaxMessageBytes+recordOverheadBytes, 64<<20))))
}

func grow(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		b = append(make([]byte, 0, max(2*cap(b), len(b)+n)), b...)
	}
	return b[:len(b)+n]
}
