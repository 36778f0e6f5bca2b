package commitlog

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/disk"
)

// A place that the disk cannot read is damage like any other: it reads as zeros, page by page, so that it costs the records that lie in it and
// nothing around them. What cannot be read is remembered, since each attempt may take the disk seconds.

const (
	// maxUnreadable bounds how many pages are taken for damage: a disk that has lost more is gone, and says so.
	maxUnreadable = 1024
	// unreadableTime is how long a page is not tried again.
	unreadableTime = time.Minute
	// settleTime is how long a page must have been known before copies are told that it is damaged: a disk that fails as a whole fails here
	// first, and then its log takes no more and the process ends.
	settleTime = 5 * time.Second
)

// badPages are the pages that could not be read, by their offset in the log.
type badPages struct {
	mu sync.Mutex
	at map[int64]badPage
	n  atomic.Int64
}

type badPage struct {
	since   time.Time
	tried   time.Time
	written bool // since, with zeros for some of it: it can be read, and not all of it is what it was
}

// Unreadable says whether the disk could not read some of the n bytes at offset, of one segment, so that what is read in their place may mean
// nothing. Any goroutine, no I/O.
func (l *Log) Unreadable(offset, n int64) bool {
	return l.anyBad(offset, n, func(badPage) bool { return true })
}

// anyBad says whether is holds for one of the pages that could not be read, of those that the n bytes at offset lie in.
func (l *Log) anyBad(offset, n int64, is func(badPage) bool) bool {
	b := &l.bad
	if b.n.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for p := l.pageOf(offset); p < offset+n; p += pageBytes {
		if bad, ok := b.at[p]; ok && is(bad) {
			return true
		}
	}
	return false
}

// settled is an error where some of the n bytes at offset cannot be read and that is not known for long, or the log has failed.
func (l *Log) settled(offset, n int64) error {
	if !l.Unreadable(offset, n) {
		return nil
	}
	if err := l.Err(); err != nil {
		return err
	}
	if l.anyBad(offset, n, func(p badPage) bool { return !p.written && time.Since(p.since) < settleTime }) {
		return fmt.Errorf("commit log: the disk has not read all of %d bytes at %d lately; they are damage when it does not in %v", n, offset, settleTime)
	}
	return nil
}

// pageOf is the offset in the log of the page of its file that an offset lies in.
func (l *Log) pageOf(offset int64) int64 {
	return offset - offset%l.o.SegmentBytes%pageBytes
}

// lately says whether a page could not be read a moment ago.
func (b *badPages) lately(page int64) bool {
	if b.n.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	p, bad := b.at[page]
	return bad && !p.written && time.Since(p.tried) < unreadableTime
}

// note remembers a page; false: there are too many.
func (b *badPages) note(page, low int64) (fresh, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[int64]badPage{}
	}
	was, known := b.at[page]
	if !known && len(b.at) >= maxUnreadable {
		for p := range b.at {
			if p < low {
				delete(b.at, p)
			}
		}
		if len(b.at) >= maxUnreadable {
			return false, false
		}
	}
	now := time.Now()
	if !known || was.written {
		was.since = now
	}
	b.at[page] = badPage{since: was.since, tried: now}
	b.n.Store(int64(len(b.at)))
	return !known, true
}

// forget says that the pages which begin in [from, to) have been written.
func (b *badPages) forget(from, to int64) {
	b.each(from, to, func(p int64, _ badPage) { delete(b.at, p) })
}

// readable says that a page could be read.
func (b *badPages) readable(page int64) {
	b.each(page, page+1, func(p int64, was badPage) {
		if !was.written {
			delete(b.at, p)
		}
	})
}

// patched says that the pages which begin in [from, to) have been written, in part with zeros.
func (b *badPages) patched(from, to int64) {
	b.each(from, to, func(p int64, _ badPage) { b.at[p] = badPage{written: true} })
}

func (b *badPages) each(from, to int64, fn func(p int64, was badPage)) {
	if b.n.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for p, was := range b.at {
		if from <= p && p < to {
			fn(p, was)
		}
	}
	b.n.Store(int64(len(b.at)))
}

// read fills p with the bytes at an offset in a segment's file. exact: see ReadExact.
func (l *Log) read(s *segment, p []byte, at int64, exact bool) error {
	if l.Unreadable(s.start+at, int64(len(p))) {
		return l.readPages(s, p, at)
	}
	err := readWith(s.file, p, at, exact)
	if disk.IsUnreadable(err) {
		return l.readPages(s, p, at)
	}
	return err
}

func readWith(f disk.File, p []byte, at int64, exact bool) (err error) {
	n := 0
	if exact {
		n, err = f.ReadExact(p, at, false)
	} else {
		n, err = f.ReadAt(p, at)
	}
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readPages is read a page at a time; zeros stand for those that cannot be read.
func (l *Log) readPages(s *segment, p []byte, at int64) error {
	for len(p) > 0 {
		page := at - at%pageBytes
		n := min(int64(len(p)), page+pageBytes-at)
		if err := l.readPage(s, p[:n], at, s.start+page); err != nil {
			return err
		}
		p, at = p[n:], at+n
	}
	return nil
}

func (l *Log) readPage(s *segment, p []byte, at, page int64) error {
	if l.bad.lately(page) {
		clear(p)
		return nil
	}
	err := readWith(s.file, p, at, true)
	if err == nil {
		l.bad.readable(page)
		return nil
	}
	if !disk.IsUnreadable(err) {
		return err
	}
	fresh, ok := l.bad.note(page, l.Min())
	if !ok {
		return err
	}
	if fresh {
		l.logger.Error("commit log: the disk cannot read here, taken for damage", "offset", page, "bytes", pageBytes, "error", err)
		if l.o.Unreadable != nil {
			l.o.Unreadable(page)
		}
	}
	clear(p)
	return nil
}

// overwrite writes b, through f, over what lies at an offset in a segment's file. The kernel reads a page that is not written as a whole: where it cannot,
// the page is, with zeros for what is lost of it anyway.
func (l *Log) overwrite(s *segment, f disk.File, b []byte, at int64) error {
	_, err := f.WriteAt(b, at)
	if disk.IsUnreadable(err) {
		end := at + int64(len(b))
		from := at - at%pageBytes
		to := min((end+pageBytes-1)/pageBytes*pageBytes, l.o.SegmentBytes, l.Local().Load()-s.start)
		all := make([]byte, to-from)
		if err := l.readPages(s, all, from); err != nil {
			return err
		}
		copy(all[at-from:], b)
		if _, err = f.WriteAt(all, from); err == nil {
			l.bad.patched(s.start+from, s.start+to)
		}
	}
	if err == nil {
		l.bad.forget(s.start+(at+pageBytes-1)/pageBytes*pageBytes, s.start+(at+int64(len(b)))/pageBytes*pageBytes)
	}
	return err
}
