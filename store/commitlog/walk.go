package commitlog

import (
	"fmt"

	"ringmq/store/record"
)

// Visitor sees every valid record of a walk in order. r and raw are valid until it returns; an error ends the walk.
type Visitor struct {
	Record func(r *record.Record, raw []byte) error
	// Deleted, if not nil, says whether the records of a topic count no more up to an offset: later ones have their queue offsets again.
	Deleted func(topic []byte, offset int64) bool
}

// GapKind tells what damaged a stretch of the log.
type GapKind uint8

// Kinds of damage: a torn write above the durable mark of the run that a crash ended, as long as that is known; rot elsewhere.
const (
	Rot GapKind = iota
	Torn
)

func (k GapKind) String() string {
	if k == Torn {
		return "torn"
	}
	return "rot"
}

// Gap is a stretch [From, To) without a valid record, between valid ones.
type Gap struct {
	From, To int64
	Kind     GapKind
}

// Result of a walk. End is the offset behind the last valid record, or as far as the log is known to have been durable.
type Result struct {
	End     int64
	Gaps    []Gap
	Records int64
}

// walk is the state of one Walk.
type walk struct {
	l      *Log
	v      Visitor
	rd     window
	rec    record.Record
	result Result
	stamp  int64            // storeTimestamp of the last valid record; earlier ones may be later, since timestamps may follow the clock back
	now    int64            // of the clock, ms
	seen   map[string]int64 // last queue offset per topic and queue, for judging what stands behind damage
	key    []byte
}

// Walk visits every valid record from an offset, which must be where a record or a segment begins. Damage is stepped over:
// behind a bad record it goes on at the next place where a whole, checked record lies that can belong there, in that segment or a later
// one; only if there is none does the log end, and not before what is known to have been durable. It changes nothing on disk. Before Start.
func (l *Log) Walk(from int64, v Visitor) (Result, error) {
	w := &walk{l: l, v: v, rd: window{l: l}, result: Result{End: from}, seen: map[string]int64{}, now: l.o.Clock()}
	defer w.rd.drop()
	at := from
	for _, s := range *l.segments.Load() {
		end := s.start + l.o.SegmentBytes
		if end <= at {
			continue
		}
		next, ended, err := w.segment(max(at, s.start), end)
		if err != nil {
			return w.result, err
		}
		if ended {
			break
		}
		at = next
	}
	w.toDurable()
	if l.lastEnd = w.result.End; w.result.Records > 0 {
		l.stamp = w.stamp
	}
	return w.result, nil
}

// segment walks [at, end) and says where to go on, or that the log ends in it.
func (w *walk) segment(at, end int64) (next int64, ended bool, err error) {
	for at < end {
		kind, size := w.look(at, end)
		if kind == record.Message {
			if err := w.visit(at, size); err != nil {
				return at, false, err
			}
			at += size
			continue
		}
		if kind == record.Blank {
			w.result.End = end
			return end, false, nil
		}
		if w.rd.err != nil {
			return at, false, w.rd.err
		}
		next, ok, err := w.resume(at, end)
		if err != nil || !ok {
			return at, !ok, err
		}
		w.gap(at, next)
		at = next
	}
	return at, false, nil
}

// toDurable has the log end no sooner than it was durable: what is damaged there was acknowledged, and others may have copies of it.
func (w *walk) toDurable() {
	if to := w.l.floor(); w.result.End < to {
		w.gap(w.result.End, to)
		w.result.End = to
	}
}

// floor is how far the last run says that the log was durable, which nothing cuts again. It is taken from a mark that is not believed otherwise
// too: that what lies before Durable is not what it was is just what damage looks like.
func (l *Log) floor() int64 {
	m := l.readMark()
	if !m.known || l.o.Foreign || m.Durable < l.Min() || m.Durable > l.Max() {
		return l.Min()
	}
	return m.Durable
}

func (w *walk) gap(from, to int64) {
	kind := Rot
	if w.l.torn(from) {
		kind = Torn
	}
	if now := &w.l.tornNow; kind == Torn && from >= w.l.mark.Durable {
		if now[1] == 0 {
			now[0] = from
		}
		*now = stretch{min(now[0], from), max(now[1], to)}
	}
	w.l.logger.Warn("commit log: damage stepped over", "from", from, "to", to, "kind", kind)
	w.result.Gaps = append(w.result.Gaps, Gap{From: from, To: to, Kind: kind})
}

// visit hands over the record that look has just parsed.
func (w *walk) visit(at, size int64) error {
	raw := w.rd.bytes(at, int(size))
	if raw == nil {
		return w.rd.err
	}
	w.stamp = w.rec.StoreTimestamp
	w.remember()
	w.result.Records++
	w.result.End = at + size
	if w.v.Record == nil {
		return nil
	}
	if err := w.v.Record(&w.rec, raw); err != nil {
		return fmt.Errorf("record at %d: %w", at, err)
	}
	return nil
}

func (w *walk) queueKey() []byte {
	q := w.rec.QueueID
	w.key = append(append(w.key[:0], w.rec.Topic...), 0, byte(q>>24), byte(q>>16), byte(q>>8), byte(q))
	return w.key
}

// queued says whether the record has a queue offset of its own.
func (w *walk) queued() bool {
	t := w.rec.SysFlag & record.SysFlagTransaction
	return t != record.SysFlagPrepared && t != record.SysFlagRollback
}

func (w *walk) remember() {
	if !w.queued() || w.v.Deleted != nil && w.v.Deleted(w.rec.Topic, w.rec.PhysicalOffset) {
		return
	}
	key := w.queueKey()
	if last, ok := w.seen[string(key)]; !ok || last < w.rec.QueueOffset {
		w.seen[string(key)] = w.rec.QueueOffset
	}
}

// look says what lies at an offset of a segment that ends at end. After record.Message w.rec holds it, checked.
func (w *walk) look(at, end int64) (record.Kind, int64) {
	head := w.rd.bytes(at, int(min(end-at, record.BlankBytes)))
	if head == nil {
		return record.Neither, 0
	}
	n, what := record.Look(head, end-at, maxRecordBytes)
	if what != record.Message {
		return what, n
	}
	raw := w.rd.bytes(at, int(n))
	if raw == nil || w.rec.Parse(raw) != nil || w.rec.PhysicalOffset != at || w.rec.Verify(raw) != nil {
		return record.Neither, n
	}
	return record.Message, n
}
