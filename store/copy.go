package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringmq/store/commitlog"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// Region is a pinned range of the log: see Store.Region.
type Region = commitlog.Region

// Region pins up to maxBytes of the log from an offset on, for copying: never beyond Sendable, and not over the end of a segment. It
// has no bytes where nothing is there yet. Release it. ErrGone when the log begins behind the offset or ends before it. Any goroutine,
// no I/O.
func (s *Store) Region(from int64, maxBytes int) (Region, error) {
	r, err := s.log.Region(from, maxBytes)
	if errors.Is(err, commitlog.ErrGone) {
		err = ErrGone
	}
	return r, err
}

// SegmentBytes is the size of the log's files.
func (s *Store) SegmentBytes() int64 { return s.o.SegmentBytes }

// MaxRecordBytes bounds what a record in the log can have.
func (s *Store) MaxRecordBytes() int { return s.maxRecordBytes() }

// CopyBytes is the most that AppendCopy takes at once.
func (s *Store) CopyBytes() int { return s.log.CopyBytes() }

// AppendCopy appends bytes of a master's log at exactly this one's end (LogMax), as they are: whole records, or what follows the last
// one of a segment, in pieces if need be, and all of one segment. They are not looked at beyond their sizes; they go through the same
// buffer and the same commits as messages do. It does not wait: ErrFull, to be tried again after Room; ErrNotEnd; ErrMalformed where the
// bytes are not whole; ErrTooLarge beyond CopyBytes; ErrNotWritable. One goroutine at a time, and no messages of one's own beside it.
// CommitCopies has them written.
func (s *Store) AppendCopy(offset int64, b []byte) error {
	storedMs, blankTo, err := s.measureCopy(offset, b)
	if err != nil {
		return err
	}
	if err := s.appendCopy(offset, b, storedMs); err != nil {
		return err
	}
	s.blankTo = blankTo
	return nil
}

// CatchUp says that copies of everything before an offset are about to be appended, as fast as can be: they go past the page cache in
// large pieces. 0: nothing is caught up with. Any goroutine.
func (s *Store) CatchUp(to int64) { s.log.CatchUp(to) }

// AwaitDispatch waits until the queues know of what an append that ends at an offset pushes out of memory, so that it need not be read
// back from the disk; not for long where that does not come on. The goroutine that appends copies.
func (s *Store) AwaitDispatch(ctx context.Context, end int64) {
	d, want := s.dispatch, end-int64(s.o.TailBytes)
	if d.at.Load() >= want {
		return
	}
	timer := time.NewTimer(dispatchPatience)
	defer timer.Stop()
	for d.at.Load() < want {
		select {
		case <-d.moved:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

const dispatchPatience = 100 * time.Millisecond

// CommitCopies has what was copied committed soon, by another goroutine. Any goroutine.
func (s *Store) CommitCopies() { s.log.Commit() }

// AppendOpaque is AppendCopy for bytes that are not known to be whole, unharmed records, because they are damaged on the master: they are
// kept as they are. Once the dispatcher comes by, what is a record among them all the same has its entry, and the rest is on the list of gaps.
func (s *Store) AppendOpaque(offset int64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	end := offset + int64(len(b))
	s.log.Doubt(offset, end)
	err := s.appendCopy(offset, b, 0)
	if err != nil {
		// Other bytes may come to lie there, and each new attempt would add to a list that is bounded.
		s.log.Trust(offset, end)
	}
	return err
}

func (s *Store) appendCopy(offset int64, b []byte, storedMs int64) error {
	if s.closing.Load() {
		return ErrClosed
	}
	if len(b) == 0 {
		return nil
	}
	// Said before: a batch that is under way may take the bytes along at once, and the dispatcher must know them for copies, or queue
	// offsets would not go on behind them.
	was := s.copied.Swap(offset + int64(len(b)))
	err := s.log.AppendCopy(offset, b, storedMs)
	if err == nil {
		return nil
	}
	s.copied.Store(was)
	if errors.Is(err, commitlog.ErrNotEnd) {
		return fmt.Errorf("%w: %w", ErrNotEnd, err)
	}
	return s.refusal(err)
}

// measureCopy walks over the sizes of copied records: the store timestamp of the last one, 0 where there is none, and where a blank, if they end in one, ends.
func (s *Store) measureCopy(offset int64, b []byte) (storedMs, blankTo int64, err error) {
	blankTo = s.blankTo
	end := offset - offset%s.o.SegmentBytes + s.o.SegmentBytes
	for at := offset; len(b) > 0; {
		if at < blankTo {
			n := min(int64(len(b)), blankTo-at)
			at, b = at+n, b[n:]
			continue
		}
		size, what := record.Look(b, end-at, int64(len(b)))
		switch what {
		case record.Blank:
			blankTo = end
		case record.Neither:
			return 0, 0, fmt.Errorf("copy at %d: %w", at, ErrMalformed)
		default:
			storedMs = record.StoreTimestamp(b)
			at, b = at+size, b[size:]
		}
	}
	return storedMs, blankTo, nil
}

// raiseCounter lets the queue offsets go on behind a copied record's, for the day this store takes messages itself. Until all copies
// are in their queues it takes none: see Writable.
func (s *Store) raiseCounter(e entry, physical int64) {
	if physical < s.copied.Load() {
		s.counters.set(e.topic, e.id, e.offset+int64(e.count))
	}
}

// Rebase gives up the whole log and goes on at start, where a segment begins, at or behind LogMax: for a slave whose master has nothing
// older. Queues keep how far they were, without a record. Everything must be in its queue, ErrBusy otherwise, and nobody may append. It
// waits for the disk.
func (s *Store) Rebase(start int64) (err error) {
	s.cleaning.Lock()
	defer s.cleaning.Unlock()
	if !s.dispatch.do(func() { err = s.rebase(start) }) {
		return ErrClosed
	}
	return err
}

// rebase is Rebase on the dispatcher's goroutine.
func (s *Store) rebase(start int64) error {
	d, end := s.dispatch, s.log.Max()
	if d.at.Load() < end {
		return ErrBusy
	}
	low := s.log.Min()
	if err := s.log.Rebase(start); errors.Is(err, commitlog.ErrBusy) {
		return ErrBusy
	} else if err != nil {
		return err
	}
	s.logger.Warn("the log was given up: it goes on where the master's begins", "from", low, "to", end, "begins", start)
	s.blankTo = 0
	d.at.Store(start)
	d.latest, d.segmentEnd, d.blankTo, d.scan = place{}, 0, 0, s.newScanner()
	d.mu.Lock()
	d.last = place{}
	d.mu.Unlock()
	s.queues.Each(func(q *queue.Queue) { q.Leap() })
	return s.follow()
}
