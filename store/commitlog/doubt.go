package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// doubtSpan is [from, to) of the log.
type doubtSpan struct{ from, to int64 }

func (d doubtSpan) some() bool { return d.from < d.to }

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

// Trust takes back that [from, to) is doubted. A stretch that would fall in two parts of which the list has no place for one stays as it
// is: it is looked at more closely than need be. Any goroutine.
func (l *Log) Trust(from, to int64) {
	l.doubting.Lock()
	defer l.doubting.Unlock()
	old := l.doubts.Load()
	if old == nil {
		return
	}
	list := make([]doubtSpan, 0, len(*old)+1)
	for _, d := range *old {
		before, behind := doubtSpan{d.from, min(d.to, from)}, doubtSpan{max(d.from, to), d.to}
		if before.some() && behind.some() && len(*old) >= maxDoubts {
			list = append(list, d)
			continue
		}
		for _, part := range []doubtSpan{before, behind} {
			if part.some() {
				list = append(list, part)
			}
		}
	}
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

// Mend writes bytes of one segment over what lies there, before Local, makes them durable and reads them back from the disk. What they are is
// the caller's to know: whole records that belong there. Any goroutine; it waits for the disk.
//
// The segment is opened anew for that. The kernel tells that it could not write something back once to each open file: through the descriptor
// that commits are synced through, a mend could be told what one of them has to know before its records are acknowledged.
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
	f, err := l.o.FS.Open(filepath.Join(l.o.Dir, record.FileName(s.start)), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrGone // retention has taken it out of the log
	}
	if err != nil {
		return fmt.Errorf("commit log: mend at %d: %w", offset, err)
	}
	defer f.Close()
	if err := l.overwrite(s, f, b, offset-s.start); err != nil {
		return fmt.Errorf("commit log: mend at %d: %w", offset, err)
	}
	if err := f.Datasync(); err != nil {
		l.fail(err)
		return err
	}
	if err := readsBack(f, offset-s.start, b); err != nil {
		return fmt.Errorf("commit log: mended at %d: %w", offset, err)
	}
	l.tail.mend(offset, b)
	l.Trust(offset, end)
	return nil
}

// readsBack says why the disk has something else at a place than the bytes that were written there and synced; nil: it has them.
func readsBack(f disk.File, at int64, b []byte) error {
	if err := f.DropCached(at, int64(len(b))); err != nil {
		return err
	}
	again := make([]byte, len(b))
	if _, err := f.ReadExact(again, at, false); err != nil && err != io.EOF {
		return err
	}
	if !bytes.Equal(again, b) {
		return errors.New("the disk has not kept it")
	}
	return nil
}
