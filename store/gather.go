package store

import (
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
	"ringmq/store/record"
)

const (
	// coldBatches is how many reads gather from the disk at a time, coldBytes what each of them asks for at once (one piece, if that is
	// larger), in at most coldDepth pieces: so much may lie before what the log wants to write, and no more.
	coldBatches = 2
	coldBytes   = windowBytes
	coldDepth   = 32
	// aloneBytes is how much of records that are read alone one gathering brings.
	aloneBytes = 256 << 10
	// engineRest is how long ordinary calls do the work of an engine that failed before another one is tried.
	engineRest = time.Minute
)

// readCounters count what was read from files for readers, in bytes.
type readCounters struct {
	warm     atomic.Int64 // out of the page cache, by loops
	workers  atomic.Int64 // by workers
	cold     atomic.Int64 // of those, what was not in the page cache
	resident atomic.Int64 // of the log in the page cache, and 1; 0: not known
}

// coldReads lend the engines that read from the disk. It is none of the log's: nothing that is read waits before a write there.
type coldReads struct {
	open   func() disk.Ring
	free   chan *coldBatch
	pace   *coldPacer
	logger *slog.Logger
}

// coldBatch is one engine and its operations. Who has it uses it alone.
type coldBatch struct {
	ring  disk.Ring // nil: not needed yet
	why   error     // it was replaced by ordinary calls since it was taken
	again time.Time // when that may end; zero: it need not, or never will
	ops   [coldDepth]disk.Op
	reads [coldDepth]coldRead
	list  []*disk.Op
	done  []*disk.Op
}

// coldRead is what an operation reads.
type coldRead struct {
	offset int64 // in the log
	place  commitlog.Place
}

func (c *coldReads) init(open func() disk.Ring, pace *coldPacer, logger *slog.Logger) {
	c.open, c.pace, c.logger, c.free = open, pace, logger, make(chan *coldBatch, coldBatches)
	for range coldBatches {
		c.free <- &coldBatch{}
	}
}

// take waits for an engine.
func (c *coldReads) take() *coldBatch {
	b := <-c.free
	if b.ring == nil || !b.again.IsZero() && !time.Now().Before(b.again) {
		b.again = time.Time{}
		b.replace(c.open())
	}
	return b
}

// give gives it back.
func (c *coldReads) give(b *coldBatch) {
	if b.why != nil {
		c.failed(b)
	}
	clear(b.ops[:len(b.list)])
	clear(b.reads[:len(b.list)])
	clear(b.list)
	b.list = b.list[:0]
	c.free <- b
}

// failed says that an engine was replaced by ordinary calls, and decides for how long: for good only where the kernel will not have it.
func (c *coldReads) failed(b *coldBatch) {
	rest := engineRest
	if disk.Refused(b.why) {
		rest = 0
	} else {
		b.again = time.Now().Add(rest)
	}
	c.logger.Warn("reads from the disk: the engine failed, ordinary calls do its work; it is tried again after a rest, 0: not before the next start", "error", b.why, "rest", rest)
	b.why = nil
}

// close ends the engines when nothing is under way any more. Later reads use ordinary calls.
func (c *coldReads) close() {
	var all [coldBatches]*coldBatch
	for i := range all {
		all[i] = <-c.free
		all[i].replace(disk.NewPwriteRing(coldDepth))
		all[i].again = time.Time{}
	}
	for _, b := range all {
		c.free <- b
	}
}

func (b *coldBatch) replace(r disk.Ring) {
	if b.ring != nil {
		_ = b.ring.Close()
	}
	b.ring = r
}

// full says that no read can be added.
func (b *coldBatch) full() bool { return len(b.list) == coldDepth }

// add enters a read, which keeps the place until its end.
func (b *coldBatch) add(offset int64, at commitlog.Place, p []byte, once bool) {
	n := len(b.list)
	b.ops[n] = disk.Op{Kind: disk.OpRead, File: at.File, Buf: p, Offset: at.Offset, Exact: true, Once: once}
	b.reads[n] = coldRead{offset, at}
	b.list = append(b.list, &b.ops[n])
}

// run has all of them done, a part at a time, as the pacer lets them go. Each has its own error then.
func (b *coldBatch) run(pace *coldPacer) {
	for from := 0; from < len(b.list); {
		most := pace.piece()
		to, bytes := from+1, len(b.list[from].Buf)
		for to < len(b.list) && bytes+len(b.list[to].Buf) <= most {
			bytes += len(b.list[to].Buf)
			to++
		}
		if bytes > most {
			b.runPieces(b.list[from:to], pace)
		} else {
			pace.wait(bytes)
			b.runPart(b.list[from:to])
		}
		from = to
	}
	for i := range b.list {
		b.reads[i].place.Release()
	}
}

// runPieces has a large one done in pieces, up to one that fails.
func (b *coldBatch) runPieces(one []*disk.Op, pace *coldPacer) {
	op := one[0]
	buf, offset := op.Buf, op.Offset
	for at := 0; at < len(buf) && op.Err == nil; at += len(op.Buf) {
		n := min(pace.piece(), len(buf)-at)
		op.Buf, op.Offset = buf[at:at+n], offset+int64(at)
		pace.wait(n)
		b.runPart(one)
	}
	op.Buf, op.Offset = buf, offset
}

func (b *coldBatch) runPart(part []*disk.Op) {
	err := b.ring.Submit(part)
	if err == nil {
		b.done, err = b.ring.Wait(len(part), b.done[:0])
	}
	if err != nil {
		// The engine is of no use any more. What it has not given back is its own until it is closed.
		b.why = err
		b.replace(disk.NewPwriteRing(coldDepth))
		_ = b.ring.Submit(part)
		b.done, _ = b.ring.Wait(len(part), b.done[:0])
	}
	clear(b.done)
}

// alone are records that one read has taken from the disk without what lies between them.
type alone struct {
	buf   *[aloneBytes]byte // nil: none was needed yet
	used  int
	rooms int // given
	list  [coldDepth]lone
	n     int
}

type lone struct {
	offset int64
	b      []byte
}

var aloneBuffers = sync.Pool{New: func() any { return new([aloneBytes]byte) }}

// room is memory for n bytes more, nil where there is none.
func (a *alone) room(n int) []byte {
	if a.used+n > aloneBytes || a.rooms == len(a.list) {
		return nil
	}
	if a.buf == nil {
		a.buf = aloneBuffers.Get().(*[aloneBytes]byte)
	}
	b := a.buf[a.used : a.used+n]
	a.used += n
	a.rooms++
	return b
}

// add says that memory has the record at an offset.
func (a *alone) add(offset int64, b []byte) {
	a.list[a.n] = lone{offset, b}
	a.n++
}

// find returns the bytes of a record if they are here.
func (a *alone) find(u record.QueueUnit) []byte {
	for _, l := range a.list[:a.n] {
		if l.offset == u.Offset && len(l.b) == int(u.Size) {
			return l.b
		}
	}
	return nil
}

// release gives the memory back.
func (a *alone) release() {
	if a.buf != nil {
		aloneBuffers.Put(a.buf)
	}
	*a = alone{}
}

// release gives back what a read holds.
func (r *reading) release() {
	r.held.release(&r.s.windows)
	if r.alone != nil {
		r.alone.release()
	}
}

// coldBytes appends the bytes of a record, from wherever they are. It waits for the disk.
func (r *reading) coldBytes(u record.QueueUnit, dst []byte) ([]byte, error) {
	n := len(dst)
	dst, ok := r.s.log.ReadHot(u.Offset, int(u.Size), dst)
	if ok {
		return dst, nil
	}
	if dst, ok = r.gathered(u, dst); ok {
		return dst, nil
	}
	dst = slices.Grow(dst, r.gather(u))
	if dst, ok = r.gathered(u, dst); ok {
		return dst, nil
	}
	dst = grow(dst, int(u.Size))
	if r.count(u.Offset, int(u.Size)) {
		return dst, r.s.log.ReadExact(u.Offset, dst[n:])
	}
	return dst, r.s.readPaced(u.Offset, dst[n:])
}

// readPaced reads from the disk without an engine.
func (s *Store) readPaced(offset int64, p []byte) error {
	for len(p) > 0 {
		n := min(s.pace.piece(), len(p))
		s.pace.wait(n)
		if err := s.log.ReadExact(offset, p[:n]); err != nil {
			return err
		}
		offset, p = offset+int64(n), p[n:]
	}
	return nil
}

// count counts bytes that are about to be read from a file.
func (r *reading) count(offset int64, n int) (there bool) {
	cached, known := r.s.log.Resident(offset, n)
	cold := int64(n) - cached
	r.s.reads.workers.Add(int64(n))
	r.s.reads.cold.Add(cold)
	r.f.ColdBytes += cold
	r.absent, r.unsure = r.absent || known && cold > 0, r.unsure || !known
	return known && cold == 0
}

// gathered appends a record that this read holds.
func (r *reading) gathered(u record.QueueUnit, dst []byte) ([]byte, bool) {
	n, end := len(dst), u.End()
	if r.alone != nil {
		if b := r.alone.find(u); b != nil {
			return append(dst, b...), true
		}
	}
	if u.Size > maxWindowed {
		return dst, false
	}
	for at := u.Offset; at < end; {
		from, to := r.s.windows.bounds(at)
		part := min(to, end)
		w := r.held.at(from, int(part-from))
		if w == nil {
			return dst[:n], false
		}
		dst = append(dst, w.b[at-from:part-from]...)
		at = part
	}
	return dst, true
}
