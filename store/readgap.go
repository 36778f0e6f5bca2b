package store

import "ringmq/store/record"

// blank decides about an entry that was put in for a record: that one may be about to be healed.
func (r *reading) blank() verdict {
	if r.hot {
		return cold // what lies around it may have to be read
	}
	if r.batch == nil && r.awaits(r.around()) {
		return stop
	}
	r.lost()
	return taken
}

// around is the stretch of the log in which the record of a blank entry lies, as the entries near it tell.
func (r *reading) around() (from, to int64) {
	from, to = r.s.log.Min(), r.logMax
	var units [unitsPerLook]record.QueueUnit
	at := r.f.NextOffset
	first := max(r.q.Min(), at-unitsPerLook)
	n, _ := r.q.Read(first, units[:max(0, at-first)])
	for i := n - 1; i >= 0; i-- {
		if !units[i].IsBlank() {
			from = max(from, units[i].End())
			break
		}
	}
	n, _ = r.q.Read(at+1, units[:])
	for _, u := range units[:n] {
		if !u.IsBlank() {
			return from, u.Offset
		}
	}
	return from, to
}

// awaits says whether a gap in a stretch of the log may still be healed, or may have been since it was read: the read ends before the entry at
// hand then.
func (r *reading) awaits(from, to int64) bool {
	at, left := r.s.gaps.awaited(from, to)
	if left <= 0 {
		if !r.healedMeanwhile() {
			return false
		}
		at = from
	}
	if r.f.NextOffset == r.w.Offset {
		r.f.Status, r.f.Gap = StatusGap, at
	}
	return true
}

// healedMeanwhile says that something was healed since the read began: what it has read may be from before.
func (r *reading) healedMeanwhile() bool { return r.s.gaps.healings() != r.healed }
