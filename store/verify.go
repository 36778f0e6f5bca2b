package store

import (
	"fmt"
	"slices"
	"strings"

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
	s, size, n := r.s, int(u.Size), len(dst)
	if b, there := r.span.record(u); there {
		dst = append(dst, b...)
	} else if b, hot := s.log.ReadHot(u.Offset, size, dst); hot {
		return b, true, nil
	} else if more := r.readAhead(u); more > 0 {
		b, _ := r.span.record(u)
		dst = append(slices.Grow(dst, more), b...)
	} else {
		dst = grow(dst, size)
		if err := s.log.ReadAt(u.Offset, dst[n:]); err != nil {
			return dst[:n], false, s.readFault(u, err)
		}
	}
	if s.log.Verified(u.Offset, size) {
		return dst, true, nil
	}
	bad := checkRecord(dst[n:], u.Offset)
	if bad == nil && (r.q == nil || r.rightful(dst[n:])) {
		return dst, true, nil
	}
	if v, other := r.mended(u); other {
		r.again = true
		dst, ok, err = r.fetch(v, dst[:n])
		r.again = false
		return dst, ok, err
	}
	if bad == nil {
		return dst, true, nil
	}
	s.gaps.add(u.Offset, u.Offset+int64(size), "rot")
	return dst[:n], false, nil
}

// rightful says whether a record is one of the queue at hand. That it has the place of another one of it, the order of the
// entries tells.
func (r *reading) rightful(raw []byte) bool {
	var m record.Record
	return strings.HasPrefix(r.q.Topic(), lmqPrefix) || m.Parse(raw) == nil && belongs(r.q, &m, m.QueueOffset)
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
