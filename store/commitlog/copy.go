package commitlog

import "fmt"

// AppendCopy appends bytes of another log at exactly this one's end: whole records or a part of what stands behind a segment's last one,
// all of one segment, as they are. Commit has them written. A segment that they fill is followed by the next one without a blank of this log's own. storedMs is
// the store timestamp of the last record among them, from which this log's own go on; 0: there is none. One goroutine at a time, and no Reserve
// beside it. ErrFull: wait for Room; ErrNotEnd, ErrTooLarge: see CopyBytes; ErrNoSpace, ErrClosed, ErrFailed.
func (l *Log) AppendCopy(offset int64, b []byte, storedMs int64) error {
	size := int64(len(b))
	if size > l.tail.max {
		return ErrTooLarge
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.placeCopy(offset, size); err != nil {
		return err
	}
	l.tail.enter(offset + size)
	copy(l.tail.slot(offset, len(b)), b)
	l.tail.settle(offset, len(b))
	l.reserved = offset + size
	l.published = l.reserved
	if storedMs != 0 {
		l.stamp = storedMs
	}
	if l.reserved == l.end {
		l.rolls = append(l.rolls, roll{from: l.end, to: l.end}) // a batch ends with its segment
	}
	return nil
}

// CopyBytes is the most that AppendCopy takes at once.
func (l *Log) CopyBytes() int { return int(min(l.tail.max, l.o.SegmentBytes)) }

// placeCopy makes sure that size bytes fit at an offset. mu is held.
func (l *Log) placeCopy(offset, size int64) error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed || !l.started || l.moving:
		return ErrClosed
	case offset != l.reserved:
		return fmt.Errorf("%w: at %d, not %d", ErrNotEnd, offset, l.reserved)
	case offset/l.o.SegmentBytes != (offset+size-1)/l.o.SegmentBytes:
		return fmt.Errorf("%w: %d bytes at %d are of two segments", ErrTooLarge, size, offset)
	case offset+size-l.written.Load() > l.tail.size:
		return ErrFull
	}
	if offset == l.end {
		if err := l.wantNext(); err != nil {
			return err
		}
		l.roll()
	}
	return nil
}
