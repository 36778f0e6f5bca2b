package commitlog

import (
	"bytes"
	"fmt"
	"slices"
)

// doubtSpan is [from, to) of the log.
type doubtSpan struct{ from, to int64 }

// maxDoubts bounds the list; what comes after lengthens its last one.
const maxDoubts = 1000

// Doubt says that bytes about to be appended are no whole, unharmed records, though they may look like some. The one who appends.
func (l *Log) Doubt(from, to int64) {
	l.doubting.Lock()
	defer l.doubting.Unlock()
	list := l.doubtList()
	if n := len(list); n > 0 && (list[n-1].to == from || n == maxDoubts) {
		list[n-1].to = to
	} else {
		list = append(list, doubtSpan{from, to})
	}
	l.doubts.Store(&list)
}

// doubtList is a copy of the list. doubting is held.
func (l *Log) doubtList() []doubtSpan {
	if old := l.doubts.Load(); old != nil {
		return append([]doubtSpan(nil), *old...)
	}
	return nil
}

// trust takes doubts back that lie in [from, to).
func (l *Log) trust(from, to int64) {
	l.doubting.Lock()
	defer l.doubting.Unlock()
	if l.doubts.Load() == nil {
		return
	}
	list := slices.DeleteFunc(l.doubtList(), func(d doubtSpan) bool { return from <= d.from && d.to <= to })
	l.doubts.Store(&list)
}

// Doubtful says whether any of the n bytes at offset were doubted, or cannot be read. Any goroutine.
func (l *Log) Doubtful(offset, n int64) bool {
	if l.Unreadable(offset, n) {
		return true
	}
	list := l.doubts.Load()
	if list == nil {
		return false
	}
	for _, d := range *list {
		if offset < d.to && d.from < offset+n {
			return true
		}
	}
	return false
}

// Mend writes bytes of one segment over what lies there, before Local, makes them durable and reads them back. What they are is the
// caller's to know: whole records that belong there. Any goroutine; it waits for the disk.
func (l *Log) Mend(offset int64, b []byte) error {
	s := l.segmentAt(offset)
	if s == nil || !s.acquire() {
		return ErrGone
	}
	defer s.release()
	end := offset + int64(len(b))
	if end > s.start+l.o.SegmentBytes || end > l.Local().Load() {
		return fmt.Errorf("commit log: %d bytes at %d cannot be mended", len(b), offset)
	}
	if err := l.overwrite(s, s.file, b, offset-s.start); err != nil {
		return fmt.Errorf("commit log: mend at %d: %w", offset, err)
	}
	// The kernel tells a failure once: it may be that of others' writes.
	l.syncing.Lock()
	err := s.file.Datasync()
	l.syncing.Unlock()
	if err != nil {
		l.fail(err)
		return err
	}
	again := make([]byte, len(b))
	if _, err := s.file.ReadAt(again, offset-s.start); err != nil || !bytes.Equal(again, b) {
		return fmt.Errorf("commit log: mended at %d, and it reads otherwise (%v)", offset, err)
	}
	l.trust(offset, end)
	return nil
}
