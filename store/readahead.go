package store

import (
	"sync"

	"ringmq/store/record"
)

const (
	// spanBytes is how much of the log is read at once for records that lie close together.
	spanBytes = 256 << 10
	// spanWaste bounds what is read for nothing: a span holds at least one byte that is wanted in so many.
	spanWaste = 4
)

var spanBuffers = sync.Pool{New: func() any { return new([spanBytes]byte) }}

// span is a piece of the log that one read has taken from the disk for several of its records.
type span struct {
	from int64
	b    []byte
	buf  *[spanBytes]byte // nil: none was needed yet
}

// record returns the bytes of an entry's record if the span holds them.
func (p *span) record(u record.QueueUnit) ([]byte, bool) {
	at := u.Offset - p.from
	if at < 0 || at+int64(u.Size) > int64(len(p.b)) {
		return nil, false
	}
	return p.b[at : at+int64(u.Size)], true
}

// release gives the memory back. The span is empty then.
func (p *span) release() {
	if p.buf != nil {
		spanBuffers.Put(p.buf)
	}
	*p = span{}
}

// readAhead reads the record of u together with those of the entries behind it that will be wanted too, and lie close. It
// returns how many bytes of records that brought, 0 if u is better read alone.
func (r *reading) readAhead(u record.QueueUnit) (useful int) {
	end, useful := r.planSpan(u)
	if end == u.End() {
		return 0
	}
	p := &r.span
	if p.buf == nil {
		p.buf = spanBuffers.Get().(*[spanBytes]byte)
	}
	p.from, p.b = u.Offset, p.buf[:end-u.Offset]
	if r.s.log.ReadAt(p.from, p.b) != nil {
		p.b = nil // the record alone will tell what is wrong
		return 0
	}
	return useful
}

// planSpan is how far a span that begins with u should reach, and the bytes of records in it.
func (r *reading) planSpan(u record.QueueUnit) (end int64, useful int) {
	segment := r.s.o.SegmentBytes
	limit := min(u.Offset+spanBytes, u.Offset-u.Offset%segment+segment)
	end, useful = u.End(), int(u.Size)
	messages, bytes, last := r.f.Messages+1, r.f.Bytes+int(u.Size), end
	for _, v := range r.ahead {
		if v.IsBlank() || r.w.Match != nil && v.TagsCode > extAddressMax && !r.w.Match(v.TagsCode) {
			continue
		}
		size := int(v.Size)
		if v.Offset < last || v.End() > limit || !r.s.plausible(v, r.logMax) || r.fullWith(messages, bytes, size, r.logMax-v.Offset <= r.memory) {
			break
		}
		messages, bytes, last = messages+1, bytes+size, v.End()
		if sum := bytes - r.f.Bytes; last-u.Offset <= spanWaste*int64(sum) {
			end, useful = last, sum
		}
	}
	return end, useful
}
