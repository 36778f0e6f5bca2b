package commitlog

import "ringmq/store/disk"

// CatchUp says that copies of everything before an offset are about to be appended, as fast as can be. Until the log is written so far,
// large batches go past the page cache, since nobody reads what is old soon and new pages cost more than the write; and nothing is zeroed
// ahead, since it would be overwritten at once. 0, as in the beginning: nothing is caught up with. Any goroutine.
//
// What must stay true: behind the log's end a segment has zeros. A new file reads so where nothing was written; one that held old records
// is not used again meanwhile.
func (l *Log) CatchUp(to int64) {
	l.catchUp.Store(to)
	poke(l.maker.wake)
}

// catchesUp says that the log is not written as far as CatchUp said.
func (l *Log) catchesUp() bool { return l.written.Load() < l.catchUp.Load() }

// sparesZeros says that nothing is zeroed ahead for now.
func (l *Log) sparesZeros() bool { return l.catchesUp() || l.committer.sizes.large.Load() }

const (
	// pastFrom is how large a batch must be to go past the page cache.
	pastFrom = 1 << 20
	// pastPiece of it goes at a time. The disk may be other logs' too, whose syncs wait for what it has been given: with 16 MiB at a time they
	// waited six times as long, and the copy was not twice as fast.
	pastPiece = 1 << 20
)

// writePast writes what it can of a batch past the page cache, and returns what is left: its last page, which is written whole by the usual
// way, and the sync. Its first page may be in the page cache, from the batch before, and is written there.
func (c *committer) writePast(s *segment, b batch) (rest batch, err error) {
	first := min(s.start+pageEnd(b.from-s.start), b.to)
	last := max(first, s.start+(b.to-s.start)/pageBytes*pageBytes)
	for at := b.from; at < last && err == nil; {
		to := first
		if at >= first {
			to = min(at+pastPiece, last)
		}
		c.sent, c.done = c.sent[:0], c.done[:0]
		c.l.tail.pieces(at, to, func(offset int64, buf []byte) {
			c.add(disk.OpWrite, s, buf, offset)
			c.sent[len(c.sent)-1].Past = at >= first
		})
		err = c.submit()
		at = to
	}
	b.from = last
	return b, err
}
