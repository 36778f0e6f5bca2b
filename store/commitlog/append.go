package commitlog

import (
	"encoding/binary"

	"ringmq/store/record"
)

// Slot is a place in the log. Buf, of the size that was asked for, lies in the tail; it is filled between Reserve and Publish.
type Slot struct {
	Offset         int64
	StoreTimestamp int64 // ms; less than that of the record before only where it followed the clock back
	Buf            []byte
}

// Reserve takes the append lock and gives a record of size bytes its place; Publish or Abandon gives the lock back. Between
// them the caller encodes and does nothing else: no I/O, no other lock. Errors leave the lock free. ErrFull: wait for Room.
func (l *Log) Reserve(size int) (Slot, error) {
	if int64(size)+record.BlankBytes > l.o.SegmentBytes || int64(size) > l.tail.most {
		return Slot{}, ErrTooLarge
	}
	now := l.o.Clock()
	l.mu.Lock()
	if err := l.place(int64(size)); err != nil {
		l.mu.Unlock()
		return Slot{}, err
	}
	if now >= l.stamp {
		l.stamp, l.behind = now, behind{}
	} else {
		l.clockBehind(now)
	}
	return Slot{Offset: l.reserved, StoreTimestamp: l.stamp, Buf: l.tail.slot(l.reserved, size)}, nil
}

// place makes sure that size bytes fit at reserved, rolling into the next segment if need be.
func (l *Log) place(size int64) error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed || !l.started || l.moving:
		return ErrClosed
	}
	from, rolled := l.reserved, false
	if size+record.BlankBytes > l.end-l.reserved {
		from, rolled = l.end, true
	}
	if from+size-l.written.Load() > l.tail.size {
		return ErrFull
	}
	if rolled {
		if err := l.wantNext(); err != nil {
			return err
		}
		l.roll()
	}
	l.tail.enter(from + size)
	return nil
}

// wantNext is nil where the next segment is ready; otherwise it is made as fast as can be.
func (l *Log) wantNext() error {
	if l.next != nil {
		return nil
	}
	l.maker.urgent.Store(true)
	poke(l.maker.wake)
	if l.noSpace {
		return ErrNoSpace
	}
	return ErrFull
}

// roll ends the segment with a blank and goes on in the next one, which is there.
func (l *Log) roll() {
	if from := l.reserved; from < l.end { // a log that was cut at a segment's end has no room for a blank, and needs none
		l.tail.enter(l.end)
		blank := l.tail.slot(from, record.BlankBytes)
		binary.BigEndian.PutUint32(blank, uint32(l.end-from))
		binary.BigEndian.PutUint32(blank[4:], record.MagicBlank)
		l.tail.settle(from, record.BlankBytes)
		l.rolls = append(l.rolls, roll{from: from + record.BlankBytes, to: l.end})
	}
	list := *l.segments.Load()
	longer := append(list[:len(list):len(list)], l.next)
	l.segments.Store(&longer)
	l.reserved, l.published = l.end, l.end
	l.end += l.o.SegmentBytes
	l.next = nil
	poke(l.maker.wake)
}

// Publish gives the append lock back; the encoded record is part of the log. Commit or CommitRinging has it written, with what
// was published before.
func (l *Log) Publish(s Slot) {
	l.tail.settle(s.Offset, len(s.Buf))
	l.reserved = s.Offset + int64(len(s.Buf))
	l.published = l.reserved
	l.mu.Unlock()
}

// poke leaves a token in a channel that holds one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Abandon gives the place and the append lock back; nothing was stored. But a segment may have ended for it, and its blank wants to
// be written.
func (l *Log) Abandon(Slot) {
	l.mu.Unlock()
	l.Commit()
}

// Room has fn called once, on any goroutine and perhaps at once, when an append that got ErrFull may succeed.
func (l *Log) Room(fn func()) {
	l.mu.Lock()
	// The room may have come between ErrFull and this call; then nobody else would tell.
	ready := l.closed || l.failed != nil || l.written.Load() == l.reserved && (l.next != nil || l.noSpace)
	if !ready {
		l.room = append(l.room, fn)
	}
	l.mu.Unlock()
	if ready {
		fn()
	}
}

// tellRoom calls those who wait for room. They look for themselves and come back if there is still none.
func (l *Log) tellRoom() {
	l.mu.Lock()
	waiting := l.room
	l.room = nil
	l.mu.Unlock()
	for _, fn := range waiting {
		fn()
	}
}
