package commitlog

import "ringmq/store/record"

// resume finds where the log goes on behind damage at an offset: first by the bad record's own length, then by searching. ok
// is false when nothing valid follows, which is how a log ends. next is at most the segment's end: then the next segment
// begins with a record that belongs there.
func (w *walk) resume(at, end int64) (next int64, ok bool, err error) {
	if head := w.rd.bytes(at, record.BlankBytes); head != nil {
		size, _ := record.Header(head)
		if n := int64(size); n >= record.MinRecordBytes && n <= end-at {
			if at+n == end {
				return end, w.nextBegins(end), w.rd.err
			}
			if w.belongs(at+n, end) {
				return at + n, true, nil
			}
		}
	}
	limit := min(end, w.searchEnd(at))
	for p := at + 1; p < limit; {
		p = w.candidate(p, limit)
		if w.rd.err != nil {
			return 0, false, w.rd.err
		}
		if p >= limit {
			break
		}
		if w.belongs(p, end) {
			return p, true, nil
		}
		p++
	}
	return end, w.nextBegins(end), w.rd.err
}

// belongs says whether the record at p may stand behind what was seen: whole, checked, where it says it lies, not older than
// the last good record, and further in its queue.
func (w *walk) belongs(p, end int64) bool {
	kind, _ := w.look(p, end)
	if kind == record.Blank {
		return w.nextBegins(end)
	}
	if kind != record.Message || w.rec.StoreTimestamp < w.stamp {
		return false
	}
	last, seen := w.seen[string(w.queueKey())]
	return !seen || !w.queued() || w.rec.QueueOffset > last
}

// nextBegins says whether the segment at start exists and begins with a record that belongs there.
func (w *walk) nextBegins(start int64) bool {
	if w.l.segmentAt(start) == nil {
		return false
	}
	kind, _ := w.look(start, start+w.l.o.SegmentBytes)
	return kind == record.Message && w.rec.StoreTimestamp >= w.stamp
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
