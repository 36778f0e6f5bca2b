package commitlog

import (
	"fmt"
	"path/filepath"

	"ringmq/store/record"
)

// Rebase gives up all the log holds and goes on at start, which is where a segment begins, not before the log's end. Everything must be
// written, ErrBusy otherwise, and nobody may append. Watermarks go to start. A crash in between leaves a shorter log, or an empty one,
// never one with a hole. It waits for the disk.
func (l *Log) Rebase(start int64) error {
	l.deleting.Lock()
	defer l.deleting.Unlock()
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.maker.working.Lock()
	defer l.maker.working.Unlock()
	if err := l.beginMove(start); err != nil {
		return err
	}
	h, err := l.maker.fresh()
	if err != nil {
		l.mu.Lock()
		l.moving = false
		l.mu.Unlock()
		return fmt.Errorf("commit log: a segment to begin with at %d: %w", start, err)
	}
	old := *l.segments.Load()
	if err = l.removeAll(old); err == nil {
		l.mu.Lock()
		l.end, l.zero.next = start, 0
		l.mu.Unlock()
		err = l.maker.promote(h, start)
	}
	if err == nil {
		err = l.saveMark(mark{Durable: start}, true)
	}
	if err != nil {
		// Its files are gone, in part: nothing can be made of it but at the next start.
		err = fmt.Errorf("commit log: begin anew at %d: %w", start, err)
		l.fail(err)
		return err
	}
	l.endMove(start)
	for _, s := range old {
		s.retire(func() { _ = s.file.Close() })
	}
	return nil
}

// beginMove shuts appends out.
func (l *Log) beginMove(start int64) error {
	c := l.committer
	c.mu.Lock()
	defer c.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failed != nil:
		return l.failed
	case l.closed || !l.started || l.moving:
		return ErrClosed
	case start%l.o.SegmentBytes != 0 || start < l.reserved:
		return fmt.Errorf("commit log: it ends at %d and cannot go on at %d, with segments of %d bytes", l.reserved, start, l.o.SegmentBytes)
	case c.state != idle || l.written.Load() != l.reserved:
		return ErrBusy
	}
	l.moving = true
	return nil
}

// removeAll removes the segments' names, from the first one on, and the prepared next one.
func (l *Log) removeAll(list []*segment) error {
	for _, s := range list {
		if err := l.o.FS.Remove(filepath.Join(l.o.Dir, record.FileName(s.start))); err != nil {
			return err
		}
	}
	l.mu.Lock()
	next := l.next
	l.next = nil
	l.mu.Unlock()
	if next != nil {
		if err := next.file.Close(); err != nil {
			return err
		}
		if err := l.o.FS.Remove(filepath.Join(l.o.Dir, record.FileName(next.start))); err != nil {
			return err
		}
	}
	return l.o.FS.SyncDir(l.o.Dir)
}

// endMove makes the one new segment the log.
func (l *Log) endMove(start int64) {
	c := l.committer
	c.mu.Lock()
	l.mu.Lock()
	l.segments.Store(&[]*segment{l.next})
	l.next, l.rolls = nil, nil
	l.reserved, l.published, l.end = start, start, start+l.o.SegmentBytes
	l.boot.Store(start)
	l.doubts.Store(nil)
	l.tail.begin(start)
	c.at = start
	c.history.n = 0 // ends may be smaller from here on
	l.zero.mu.Lock()
	l.zero.target = start
	l.zero.mu.Unlock()
	l.moving = false
	l.mu.Unlock()
	c.mu.Unlock()
	l.written.advance(start)
	l.durable.advance(start)
	l.confirmed.follow(start)
	l.announced.advance(start)
	poke(l.maker.wake)
}
