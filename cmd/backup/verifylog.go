package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ringmq/store/record"
)

const (
	readBytes = 4 << 20
	// maxRecordBytes bounds what a size found on disk may have us hold: no broker stores a larger record.
	maxRecordBytes = 64 << 20
)

// log walks over every record from the first segment to where the log should end.
func (v *look) log() error {
	files, other, err := numberedFiles(filepath.Join(v.dir, "commitlog"))
	if err != nil {
		return err
	}
	if other != "" && other != unfinishedName {
		v.r.bad("commitlog/%s is no segment", other)
	}
	if len(files) == 0 {
		if v.sure > v.m.From {
			v.r.bad("there is no commit log, and it should reach from %d to %d", v.m.From, v.sure)
		}
		return nil
	}
	// One that never was complete has promised nothing.
	if start := files[0].start; v.to >= 0 && start != v.m.From || v.sure > 0 && start > v.m.From {
		v.r.bad("the log begins at %d instead of %d", files[0].start, v.m.From)
	}
	last := files[len(files)-1]
	end := last.start + last.size
	total := end - files[0].start
	if v.to >= 0 {
		total = v.to - files[0].start
	}
	at, over := files[0].start, false
	for _, f := range files {
		if f.start != at {
			v.r.bad("the log has a hole from %d to %d", at, f.start)
		}
		at = f.start + v.segment
		if f.size != v.segment {
			if f == last && f.size == 0 && f.start >= v.sure {
				continue // the next one in the making
			}
			v.r.bad("%s has %d bytes instead of %d", f.name, f.size, v.segment)
		}
		if v.to >= 0 && f.start >= v.to {
			over = true // prepared ahead
		}
		w := &logWalk{look: v, f: f, total: total, from: files[0].start}
		if err := w.run(over); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		over = over || w.over
	}
	if at < v.sure {
		v.r.bad("the log ends at %d, before %d", at, v.sure)
	}
	return nil
}

// logWalk goes through one segment.
type logWalk struct {
	*look
	f     numbered
	from  int64 // of the whole walk
	total int64 // bytes of it
	over  bool  // the log ended in this segment
	file  *os.File
	buf   []byte
	bufAt int64 // offset in the file of what buf holds
	rec   record.Record
	known record.Known
}

// view returns n bytes at a place of the file, fewer at its end; valid until the next call.
func (w *logWalk) view(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), w.f.size-at))
	if n <= 0 {
		return nil, nil
	}
	if at < w.bufAt || at+int64(n) > w.bufAt+int64(len(w.buf)) {
		want := int(min(int64(max(n, readBytes)), w.f.size-at))
		if cap(w.buf) < want {
			w.buf = make([]byte, want)
		}
		w.buf, w.bufAt = w.buf[:want], at
		k, err := w.file.ReadAt(w.buf, at)
		if w.buf = w.buf[:k]; err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		n = min(n, k)
	}
	from := at - w.bufAt
	return w.buf[from : from+int64(n)], nil
}

// run walks; over: the log has ended before, so nothing may be here.
func (w *logWalk) run(over bool) (err error) {
	if w.file, err = os.Open(w.f.name); err != nil {
		return err
	}
	defer w.file.Close()
	if over {
		return w.nothing(0)
	}
	for at := int64(0); at < w.f.size; {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if w.to >= 0 && w.f.start+at >= w.to {
			w.over = true
			return w.nothing(at)
		}
		next, err := w.step(at)
		if err != nil {
			return err
		}
		w.r.LogBytes += next - at
		if at = next; w.r.Records%1024 == 0 {
			w.progress("log", w.f.start+at-w.from, w.total)
		}
	}
	return nil
}

// nothing sees to it that no record begins at a place behind the end of the log.
func (w *logWalk) nothing(at int64) error {
	b, err := w.view(at, record.BlankBytes)
	if err != nil || len(b) < record.BlankBytes {
		return err
	}
	if size, magic := record.Header(b); size != 0 || magic != 0 {
		w.r.bad("the log goes on at %d, where it should have ended", w.f.start+at)
	}
	return nil
}

// step looks at what begins at a place and returns where the next thing begins.
func (w *logWalk) step(at int64) (int64, error) {
	head, err := w.view(at, record.BlankBytes)
	if err != nil {
		return 0, err
	}
	if len(head) < record.BlankBytes {
		return w.f.size, nil
	}
	if _, what := record.Look(head, w.f.size-at, maxRecordBytes); what == record.Blank {
		return w.f.size, nil
	}
	if size, magic := record.Header(head); size == 0 && magic == 0 && w.open(at) {
		w.over = true // of an interrupted one nobody knows where it ends
		return w.f.size, nil
	}
	if ok, err := w.record(at); err != nil {
		return 0, err
	} else if ok {
		if w.queues != nil {
			err = w.queues.record(&w.rec, &w.known)
		}
		w.r.Records++
		return at + int64(w.rec.TotalSize), err
	}
	next, err := w.search(at+1, w.bound(at))
	switch {
	case err != nil:
	case w.open(at) && next == w.f.size:
		w.over = true // what was being written when it was interrupted
	default:
		w.damaged(w.f.start+at, w.f.start+next)
	}
	return next, err
}

// open says that the log may have ended anywhere from a place on: it is one that was interrupted, and what it promised lies before.
func (w *logWalk) open(at int64) bool { return w.to < 0 && w.f.start+at >= w.sure }

// bound is where in the file what begins at a place has to end, at the latest: no record lies across the end of what a complete run had.
func (w *logWalk) bound(at int64) int64 {
	if w.open(at) {
		return w.f.size
	}
	return min(w.f.size, w.sure-w.f.start)
}

// record says whether a whole, unharmed record begins at a place; it is in rec then.
func (w *logWalk) record(at int64) (bool, error) {
	end := w.bound(at)
	head, err := w.view(at, record.BlankBytes)
	if err != nil || len(head) < record.BlankBytes {
		return false, err
	}
	size, what := record.Look(head, end-at, maxRecordBytes)
	if what != record.Message {
		return false, nil
	}
	raw, err := w.view(at, int(size))
	if err != nil || len(raw) < int(size) {
		return false, err
	}
	if w.rec.Parse(raw) != nil || w.rec.PhysicalOffset != w.f.start+at || w.rec.Verify(raw) != nil {
		return false, nil
	}
	w.known.Scan(w.rec.Properties)
	return true, nil
}

// search finds the next record before an end in the file, or that end.
func (w *logWalk) search(at, end int64) (int64, error) {
	for at < end {
		b, err := w.view(at, int(min(end-at, readBytes)))
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			return end, nil
		}
		i := record.MagicAt(b)
		if i < 0 {
			// Pieces overlap by what a head may reach over.
			at += int64(max(len(b)-record.BlankBytes, 1))
			continue
		}
		at += int64(i)
		if ok, err := w.record(at); err != nil || ok {
			return at, err
		}
		at++
	}
	return end, nil
}

// damaged notes that a range of the log is no records, where that is not known from the master.
func (w *logWalk) damaged(from, to int64) {
	if covered(w.m.Damaged, from, to) {
		w.r.Known += to - from
		return
	}
	w.r.bad("the log is damaged from %d to %d", from, to)
}
