package commitlog

// window reads the log in large pieces for a walk, and the next piece while the one before is looked at: of a cold log the one takes
// as long as the other.
type window struct {
	l     *Log
	buf   []byte
	base  int64
	err   error  // of the disk; sticks
	now   *piece // whose memory buf is; nil: it has its own
	ahead *piece
	spare *piece // its memory is free for the next one
}

// piece is a part of the log that is read by a goroutine of its own.
type piece struct {
	from int64
	n    int
	mem  []byte // room for a record's beginning, then the piece
	done chan error
}

const (
	windowBytes = 1 << 20
	// carryBytes of the window before may stand in front of a piece. A longer record is read at once.
	carryBytes = 64 << 10
)

// bytes returns n bytes at an offset, within one segment; nil if the disk fails.
func (r *window) bytes(at int64, n int) []byte {
	if at < r.base || at+int64(n) > r.end() {
		s := r.l.segmentAt(at)
		if s == nil {
			return nil
		}
		if r.fill(at, n, s.start+r.l.o.SegmentBytes); r.err != nil {
			return nil
		}
	}
	i := int(at - r.base)
	return r.buf[i : i+n : i+n]
}

// rest returns what the window holds from an offset on, up to limit, reading more if it holds little.
func (r *window) rest(at, limit int64) []byte {
	if r.bytes(at, int(min(limit-at, 64<<10))) == nil {
		return nil
	}
	i := int(at - r.base)
	return r.buf[i:min(len(r.buf), int(limit-r.base))]
}

// end is where the window ends.
func (r *window) end() int64 { return r.base + int64(len(r.buf)) }

// fill moves the window to an offset, of which at least n bytes are wanted; segmentEnd bounds it.
func (r *window) fill(at int64, n int, segmentEnd int64) {
	goesOn := at >= r.base && at <= r.end() && len(r.buf) > 0
	if !goesOn || !r.takeAhead(at, n) {
		r.drop()
		own := make([]byte, max(n, int(min(windowBytes, segmentEnd-at))))
		if r.err = r.l.ReadAt(at, own); r.err != nil {
			r.buf = nil
			return
		}
		r.base, r.buf, r.now = at, own, nil
	}
	if goesOn && r.end() < segmentEnd {
		r.readAhead(segmentEnd)
	}
}

// takeAhead makes the window of the piece that was read ahead, with what the last window had of its first record; false: it is of no
// use. An error of the disk is met again by whoever reads alone.
func (r *window) takeAhead(at int64, n int) bool {
	p := r.ahead
	if p == nil {
		return false
	}
	r.ahead = nil
	err := <-p.done
	carry := int(p.from - at)
	if err != nil || p.from != r.end() || carry > carryBytes || carry+p.n < n {
		r.spare = p
		return false
	}
	copy(p.mem[carryBytes-carry:], r.buf[at-r.base:])
	r.base, r.buf = at, p.mem[carryBytes-carry:carryBytes+p.n]
	r.now, r.spare = p, r.now
	return true
}

// readAhead begins to read what follows the window.
func (r *window) readAhead(segmentEnd int64) {
	p := r.spare
	if p == nil {
		p = &piece{mem: make([]byte, carryBytes+windowBytes)}
	}
	r.spare = nil
	p.from, p.n, p.done = r.end(), int(min(windowBytes, segmentEnd-r.end())), make(chan error, 1)
	r.ahead = p
	go func() { p.done <- r.l.ReadAt(p.from, p.mem[carryBytes:carryBytes+p.n]) }()
}

// drop waits for what is being read ahead. Nothing of it is used.
func (r *window) drop() {
	if p := r.ahead; p != nil {
		<-p.done
		r.ahead, r.spare = nil, p
	}
}
