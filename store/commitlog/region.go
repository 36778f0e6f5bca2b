package commitlog

import "syscall"

// Region is a range of the log, within one segment, whose file stays as it is until Release. Bytes is 0, and nothing is held, where
// there is nothing yet.
type Region struct {
	Offset int64 // in the log
	Bytes  int
	s      *segment
	l      *Log
}

// Region pins up to maxBytes from an offset on, never beyond Local and not over the end of a segment. ErrGone: retention took the
// segment, or the log ends before the offset. Any goroutine, no I/O.
func (l *Log) Region(from int64, maxBytes int) (Region, error) {
	limit := l.Local().Load()
	if from == limit {
		return Region{Offset: from}, nil
	}
	s := l.segmentAt(from)
	if from > limit || s == nil || !s.acquire() {
		return Region{}, ErrGone
	}
	return Region{Offset: from, Bytes: int(min(int64(maxBytes), limit-from, s.start+l.o.SegmentBytes-from)), s: s, l: l}, nil
}

// Read fills p with the region's bytes from at on; p fits into it. It may wait for the disk. What the disk cannot read is zeros: see
// Unreadable. An error while that is not known for long.
func (r *Region) Read(p []byte, at int) error {
	if at < 0 || at+len(p) > r.Bytes {
		panic("commit log: read beyond a region")
	}
	if err := r.l.read(r.s, p, r.Offset-r.s.start+int64(at), false); err != nil {
		return err
	}
	return r.l.settled(r.Offset+int64(at), int64(len(p)))
}

// File returns the segment's file for calls of the kernel's, and where the region begins in it; false where the file is none of the
// host's. A descriptor is good within RawConn.Control only.
func (r *Region) File() (c syscall.RawConn, offset int64, ok bool) {
	host, ok := r.s.file.(syscall.Conn)
	if !ok {
		return nil, 0, false
	}
	c, err := host.SyscallConn()
	return c, r.Offset - r.s.start, err == nil
}

// Release gives the region back, once. A second call does nothing.
func (r *Region) Release() {
	if r.s != nil {
		r.s.release()
		r.s = nil
	}
}
