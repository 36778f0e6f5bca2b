package commitlog

import "ringmq/store/record"

// resume finds where the log goes on behind damage at an offset: first by the bad record's own length, then by searching. ok
// is false when nothing valid follows, in this segment or a later one, which is how a log ends. Behind where anything is searched for, of
// each later segment the beginning is looked at all the same: files that are in a row must not go because one is damaged.
func (w *walk) resume(at, end int64) (next int64, ok bool, err error) {
	if head := w.rd.bytes(at, record.BlankBytes); head != nil {
		size, _ := record.Header(head)
		if n := int64(size); n >= record.MinRecordBytes && n <= end-at {
			if at+n == end && w.nextBegins(end) || at+n < end && w.belongs(at+n, end) {
				return at + n, true, w.rd.err
			}
		}
	}
	limit := w.searchEnd(at)
	for p := at + 1; ; p, end = end, end+w.l.o.SegmentBytes {
		next, ok, err := w.search(p, min(end, limit), end)
		if ok || err != nil {
			return next, ok, err
		}
		if w.nextBegins(end) || w.rd.err != nil {
			return end, w.rd.err == nil, w.rd.err
		}
		if w.l.segmentAt(end) == nil {
			return end, false, nil
		}
	}
}

// search finds the first place in [p, limit), of a segment that ends at end, where something lies that belongs there.
func (w *walk) search(p, limit, end int64) (at int64, ok bool, err error) {
	for p < limit {
		p = w.candidate(p, limit)
		if w.rd.err != nil {
			return p, false, w.rd.err
		}
		if p >= limit {
			break
		}
		if w.belongs(p, end) {
			return p, true, nil
		}
		p++
	}
	return limit, false, w.rd.err
}

// belongs says whether the record at p may stand behind what was seen: whole, checked, where it says it lies; above what is known to have been
// durable also not older than the last good record, and further in its queue. There something may be left of a log that was cut and written again.
func (w *walk) belongs(p, end int64) bool {
	kind, size := w.look(p, end)
	if kind == record.Blank {
		return w.nextBegins(end)
	}
	if kind != record.Message || w.older(p) {
		return false
	}
	last, seen := w.seen[string(w.queueKey())]
	return !seen || !w.queued() || w.rec.QueueOffset > last || w.durable(p) || w.proved(p, size)
}

// nextBegins says whether the segment at start exists and begins with a record that belongs there.
func (w *walk) nextBegins(start int64) bool {
	if w.l.segmentAt(start) == nil {
		return false
	}
	kind, _ := w.look(start, start+w.l.o.SegmentBytes)
	return kind == record.Message && !w.older(start)
}

// older says that the record at an offset, which look has just found, was stored before the last good one, so that it may be left of another log.
// That is no sign below the mark, nor where the last good one was stored ahead of the clock: then timestamps may have followed the clock back
// behind it, in a log that is zeros behind what this program has written.
func (w *walk) older(at int64) bool {
	return !w.durable(at) && w.rec.StoreTimestamp < w.stamp && !(w.l.mark.known && w.stamp > w.now)
}

// durable says that what lies at an offset was written by this log and by nobody before it.
func (w *walk) durable(at int64) bool { return w.l.mark.known && at < w.l.mark.Durable }

// proved says whether the record that look has just found has the checksum of all of it: then its queue begins anew, as one does whose topic
// was deleted and made again.
func (w *walk) proved(at, size int64) bool {
	present, _ := record.VerifyPropCRC(w.rd.bytes(at, int(size)))
	return present
}

// searchEnd is how far from damage a crash of ours can have left anything: the log is zeros behind that. Below the mark that is all of the
// log, up to as far behind the mark as bytes can have been written. A log that we did not write is searched to its end.
func (w *walk) searchEnd(at int64) int64 {
	const all = 1<<63 - 1
	m := w.l.mark
	if !m.known {
		return all
	}
	if m.Clean && at == m.Durable {
		return at
	}
	return max(m.Durable, at) + w.l.reach()
}

// reach bounds how far behind the durable mark written bytes can lie: see boundUnsynced.
func (l *Log) reach() int64 { return 2*l.o.UnsyncedBytes + 2*l.tail.size }

// candidate returns the next offset at or behind p, before limit, four bytes before a record's or a blank's magic number;
// limit if there is none.
func (w *walk) candidate(p, limit int64) int64 {
	for p < limit {
		b := w.rd.rest(p, limit)
		if len(b) < record.BlankBytes {
			return limit
		}
		if i := record.MagicAt(b); i >= 0 {
			return p + int64(i)
		}
		p += int64(len(b)) - record.BlankBytes + 1
	}
	return limit
}
