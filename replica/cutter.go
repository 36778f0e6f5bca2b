package replica

import (
	"ringmq/store"
	"ringmq/store/record"
)

// cutter finds where the bytes of a log can be cut so that a slave's log ends where a record does. It checks every record; damaged
// bytes pass as they are, up to the next place that can be a record's beginning since it says itself that it lies there.
type cutter struct {
	segmentBytes int64
	maxRecord    int // a larger one is taken for damage
	maxRun       int
	blankTo      int64 // up to here the log has nothing but what follows a blank
	rec          record.Record
}

// cutterFor makes one for logs like a store's.
func cutterFor(st *store.Store) cutter {
	return cutter{segmentBytes: st.SegmentBytes(), maxRecord: min(st.CopyBytes(), st.MaxRecordBytes())}
}

// recordHeadBytes of a record say how long it is and where it lies.
const recordHeadBytes = 36

// cut says how many bytes at the front of b, which lie at offset at, go together, and whether they are damaged: otherwise they are whole
// records or belong to a blank. 0: more has to come. final: nothing more will, so what is not whole is damaged.
func (c *cutter) cut(b []byte, at int64, final bool) (n int, opaque bool) {
	end := at - at%c.segmentBytes + c.segmentBytes
	for n < len(b) && n < c.maxRun && at+int64(n) < end {
		p := at + int64(n)
		if end-p < record.BlankBytes {
			c.blankTo = end
		}
		if p < c.blankTo {
			n = min(len(b), c.maxRun, n+int(c.blankTo-p))
			continue
		}
		size, what := c.look(b[n:], p, end)
		if what == isPart && final {
			what = isDamage
		}
		switch {
		case what == isBlank:
			c.blankTo = end
		case what == isWhole && n+size <= max(c.maxRun, size):
			n += size
		case what == isDamage && n == 0:
			return c.damage(b, at, end, final), true
		default:
			return n, false
		}
	}
	return n, false
}

type lookResult uint8

const (
	isPart lookResult = iota // more has to come
	isWhole
	isBlank
	isDamage
)

// look says what begins at b, offset p, of a segment that ends at end.
func (c *cutter) look(b []byte, p, end int64) (size int, what lookResult) {
	if len(b) < record.BlankBytes {
		return 0, isPart
	}
	if what = c.lookHead(b, p, end); what != isPart {
		return 0, what
	}
	s, _ := record.Header(b)
	if size = int(s); len(b) < size {
		return size, isPart
	}
	if c.rec.Parse(b[:size]) != nil || c.rec.Verify(b[:size]) != nil {
		return 0, isDamage
	}
	return size, isWhole
}

// lookHead is look as far as size, magic number and place go, where they are there: isPart is a record that can be one.
func (c *cutter) lookHead(b []byte, p, end int64) lookResult {
	s, magic := record.Header(b)
	if magic == record.MagicBlank && int64(s) == end-p {
		return isBlank
	}
	if magic != record.MagicV1 && magic != record.MagicV2 || s < record.MinRecordBytes || int64(s) > min(end-p, int64(c.maxRecord)) {
		return isDamage
	}
	if len(b) >= recordHeadBytes && record.PhysicalOffset(b) != p {
		return isDamage
	}
	return isPart
}

// whole is how many bytes at the front of b, which lie at offset at in one segment, are whole records, and a blank behind them if it is there to its
// end: what Store.Heal takes.
func (c cutter) whole(b []byte, at int64) (n int) {
	end := at - at%c.segmentBytes + c.segmentBytes
	for n < len(b) {
		size, what := c.look(b[n:], at+int64(n), end)
		switch {
		case what == isWhole:
			n += size
		case what == isBlank && at+int64(len(b)) == end:
			return len(b)
		default:
			return n
		}
	}
	return n
}

// damage is how many damaged bytes at the front of b go together: up to what can be a record or a blank, or can become one once more
// bytes are there.
func (c *cutter) damage(b []byte, at, end int64, final bool) int {
	limit := int(min(int64(len(b)), end-at, int64(c.maxRun)))
	for p := 1; p+record.BlankBytes <= limit; p++ {
		i := record.MagicAt(b[p:limit])
		if i < 0 {
			break
		}
		p += i
		if c.lookHead(b[p:limit], at+int64(p), end) != isDamage {
			return p
		}
	}
	if final || int64(limit) == end-at {
		return limit
	}
	return max(0, limit-record.BlankBytes+1)
}

// segmentUnit divides whatever anybody chose for the size of segments.
const segmentUnit = 1 << 10

// foreignEnd is where a blank at the front of b, offset at, ends, if that can be the end of a segment; 0 if there is none.
func foreignEnd(b []byte, at int64) int64 {
	if len(b) < record.BlankBytes {
		return 0
	}
	size, magic := record.Header(b)
	if end := at + int64(size); magic == record.MagicBlank && size >= record.BlankBytes && end%segmentUnit == 0 {
		return end
	}
	return 0
}
