package commitlog

import "sync"

// zeroClaim keeps the zeroing inside the current segment and the committer apart: the maker claims a piece well ahead of what
// is being written, and the committer waits for the piece if it gets there first.
type zeroClaim struct {
	mu     sync.Mutex
	free   sync.Cond
	held   bool
	from   int64
	target int64 // up to where the committer is writing

	current int64 // maker's own: start of the segment being zeroed
	done    int64 // maker's own: offset up to which it is zeroed
	next    int64 // how much of the next segment was zeroed before it was taken; guarded by Log.mu
}

// claim takes [from, ...) if it lies far enough ahead of the committer.
func (z *zeroClaim) claim(from int64) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	if from < z.target+zeroMargin {
		return false
	}
	z.held, z.from = true, from
	return true
}

func (z *zeroClaim) release() {
	z.mu.Lock()
	z.held = false
	z.mu.Unlock()
	z.free.Broadcast()
}

// await lets the committer write up to an offset.
func (z *zeroClaim) await(to int64) {
	z.mu.Lock()
	z.target = to
	for z.held && z.from < to {
		z.free.Wait()
	}
	z.mu.Unlock()
}

// clear is await for those who cannot wait; false: they would have to.
func (z *zeroClaim) clear(to int64) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.target = to
	return !z.held || z.from >= to
}

// zeroAhead zeroes one piece of the current segment if less than reach ahead of the committer is zeroed, and reports whether it
// did, or has to try again because the committer came near.
func (m *maker) zeroAhead(reach int64) (bool, error) {
	l, z := m.l, &m.l.zero
	l.mu.Lock()
	start, end := l.end-l.o.SegmentBytes, l.end
	if z.current != start {
		// A segment that was zeroed before it was taken needs nothing; it left how far that went.
		z.current, z.done, z.next = start, start+z.next, 0
	}
	l.mu.Unlock()
	if z.done >= end {
		return false, nil
	}
	s := l.segmentAt(start)
	if s == nil || !s.acquire() {
		return false, nil
	}
	defer s.release()
	z.mu.Lock()
	target := z.target
	z.mu.Unlock()
	// Some room for the committer, who goes on writing.
	from := pageEnd(max(z.done, target+zeroMargin+zeroStep)) // direct I/O wants whole pages
	if from >= min(end, target+reach) {
		return false, nil
	}
	if !z.claim(from) {
		return true, nil
	}
	n := min(zeroStep, end-from)
	err := s.file.ZeroRange(from-start, n)
	z.release()
	if err != nil {
		return false, err
	}
	z.done = from + n
	return true, nil
}
