package commitlog

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store/disk"
)

// committer brings what was published to the file: it takes what has gathered, writes it, syncs it if anyone waits for that, and
// advances the watermarks once. What arrives meanwhile is the next batch; one batch is under way at a time.
//
// Two kinds of callers drive it. Its own goroutine, for appends of any goroutine, writes and waits. An event loop, where the
// ring rings, starts a batch and goes on with its sockets; the bell, or any loop that comes by, finishes the batch and starts
// the next one. The goroutine gives the next batch to the ring as well, once a loop hears bells: it only fills in.
//
//	written <= at
type committer struct {
	l *Log

	mu      sync.Mutex // never held while the disk works
	at      int64      // end of what was taken so far
	batch   batch      // under way
	state   batchState
	owed    error       // why a batch that was handed over cannot be written; nil: it can
	bell    int         // that was given last; NoBell while none is known to be heard
	unheard *time.Timer // lookAfter is due; armed while the ring had a batch since the last look
	armed   bool
	found   int64 // from where on the batch lay that was over and not collected at the last look; -1: none

	history history
	sizes   batchSize
	ways    [Ways]atomic.Int64 // batches that are over, by the way they went; others read them without the lock

	// The ring and these belong to whoever moved the state away from idle; to the holder of mu while it is ringing.
	ops  []disk.Op
	sent []*disk.Op
	done []*disk.Op
	page *disk.Buffer // the last page of a batch, filled up with zeros
}

// batch is [from, to) of the log, within one segment. When it is written, the log is written up to after: a segment's rest
// behind its blank goes with it. asked is when it was first asked for.
type batch struct {
	from, to, after, asked int64
	way                    Way
}

type batchState uint8

const (
	idle    batchState = iota
	writing            // the goroutine has the batch
	ringing            // the ring has it and will ring
	handed             // a loop has it no more: the goroutine shall write it, for that may take a while
)

const (
	// maxPieces of a batch: it stays within one segment and may wrap once round the tail; its last page and a sync follow.
	maxPieces = 4
	pageBytes = 4096
)

// bellInterval is how long a batch may lie finished when its bell was not heard.
const bellInterval = time.Second

func newCommitter(l *Log) (*committer, error) {
	page, err := disk.Arena(pageBytes)
	if err != nil {
		return nil, fmt.Errorf("commit log: %w", err)
	}
	return &committer{l: l, ops: make([]disk.Op, maxPieces), sent: make([]*disk.Op, 0, maxPieces), done: make([]*disk.Op, 0, maxPieces), page: page, bell: NoBell, found: -1, unheard: stopped(), history: newHistory()}, nil
}

// stopped is a timer that is not armed.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// Commit has what was published committed soon, by the committer's goroutine.
func (l *Log) Commit() {
	l.asked.now()
	poke(l.work)
}

func (c *committer) run() {
	l := c.l
	defer l.done.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer c.unheard.Stop()
	for {
		select {
		case <-l.work:
		case <-c.unheard.C:
			c.lookAfter()
		case <-l.stop:
			return
		}
		for c.commit() {
			continue
		}
	}
}

// commit writes one batch and reports whether there may be more.
func (c *committer) commit() bool {
	l := c.l
	c.mu.Lock()
	switch c.state {
	case writing, ringing:
		c.mu.Unlock()
		return false
	case idle:
		if !c.take() {
			c.mu.Unlock()
			return false
		}
	}
	b, err := c.batch, c.owed
	c.state = writing
	c.mu.Unlock()
	if err == nil {
		if !l.boundUnsynced(b.to) {
			return false
		}
		l.zero.await(b.to + pageBytes)
		c.began()
		err = c.write(b)
	}
	return c.end(b, err)
}

// end is that of a batch that was written, or not; false for one that was not.
func (c *committer) end(b batch, err error) bool {
	if err != nil {
		// Before another batch can be taken: none must follow one that failed.
		c.l.fail(err)
	}
	c.mu.Lock()
	c.state = idle
	if err == nil {
		c.ended(b)
	}
	if err == nil && c.bell != NoBell {
		c.ring()
	}
	c.mu.Unlock()
	if err == nil {
		c.l.passed(b)
	}
	return err == nil
}

// ended notes that the disk has done with a batch. Under mu.
func (c *committer) ended(b batch) {
	c.history.note(b, time.Now())
	c.ways[b.way].Add(1)
	if c.sizes.note(b.to - b.from) {
		poke(c.l.maker.wake) // it zeroes, or does not
	}
}

// began notes that the batch goes to the disk now.
func (c *committer) began() {
	c.mu.Lock()
	c.history.began = time.Now()
	c.mu.Unlock()
}

// take makes what was published since the last batch the next one; false if there is nothing. Under mu, when idle.
func (c *committer) take() bool {
	l := c.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return false
	}
	for len(l.rolls) > 0 && l.rolls[0].to <= c.at { // of a segment that was full to its last byte, and is written
		l.rolls = append(l.rolls[:0], l.rolls[1:]...)
	}
	// Also where there turns out to be nothing: the next batch is not waited for since then.
	b := batch{from: c.at, to: l.published, after: l.published, asked: l.asked.take()}
	rolls := len(l.rolls) > 0 && l.rolls[0].from <= b.to
	if rolls {
		b.to, b.after = l.rolls[0].from, l.rolls[0].to
	}
	if b.from >= b.to {
		return false
	}
	if rolls {
		l.rolls = append(l.rolls[:0], l.rolls[1:]...)
	}
	c.batch, c.at, c.owed = b, b.after, nil
	l.asked.under.Add(1)
	return true
}

// passed tells that a batch is written, and synced where that is asked for.
func (l *Log) passed(b batch) {
	l.written.advance(b.after)
	if l.o.SyncFlush {
		l.durable.advance(b.after)
	} else if b.after-l.durable.Load() > l.o.UnsyncedBytes/2 {
		poke(l.syncNow)
	}
	l.confirmed.follow(b.after)
	l.announced.advance(b.after)
	if to := l.catchUp.Load(); b.from < to && to <= b.after {
		poke(l.maker.wake) // which has waited for that
	}
	l.asked.under.Add(-1)
	if l.o.Committed != nil && b.asked != 0 {
		l.o.Committed(l.asked.waited(b.asked), b.to-b.from)
	}
	// Only after the advance: whoever found no room before it has left word by now, or sees it.
	l.mu.Lock()
	waiting := len(l.room) > 0
	l.mu.Unlock()
	if waiting {
		l.tellRoom()
	}
}

// boundUnsynced has a write up to an offset wait until the syncer is near enough: recovery relies on the bound. false: the log
// has failed or is closing.
func (l *Log) boundUnsynced(to int64) bool {
	if l.o.SyncFlush || to-l.durable.Load() <= l.o.UnsyncedBytes {
		return true
	}
	poke(l.syncNow)
	return l.durable.Wait(l.ctx, to-l.o.UnsyncedBytes) == nil
}

// prepare makes the operations that bring a batch to its segment's file; none for nothing that wants no sync. The last page is written whole: of a page that is written in part
// the kernel would read the rest first, which is zeros, and have the batch wait for it.
func (c *committer) prepare(s *segment, b batch) {
	l := c.l
	c.sent, c.done = c.sent[:0], c.done[:0]
	last := max(b.from, s.start+(b.to-s.start)/pageBytes*pageBytes)
	l.tail.pieces(b.from, last, func(offset int64, buf []byte) { c.add(disk.OpWrite, s, buf, offset) })
	if last < b.to {
		n := 0
		page := c.page.Bytes()
		l.tail.pieces(last, b.to, func(_ int64, buf []byte) { n += copy(page[n:], buf) })
		end := min(pageEnd(b.to-s.start), l.o.SegmentBytes)
		whole := page[:end-(last-s.start)]
		clear(whole[n:])
		c.add(disk.OpWrite, s, whole, last)
	}
	if l.o.SyncFlush {
		c.add(disk.OpDatasync, s, nil, s.start)
	}
}

// add makes the next operation, on a segment at an offset of the log.
func (c *committer) add(kind disk.OpKind, s *segment, buf []byte, offset int64) {
	op := &c.ops[len(c.sent)]
	*op = disk.Op{Kind: kind, File: s.file, Buf: buf, Offset: offset - s.start, Link: true}
	c.sent = append(c.sent, op)
}

// pageEnd is the end of the page in which the byte before n lies.
func pageEnd(n int64) int64 { return (n + pageBytes - 1) / pageBytes * pageBytes }

// write brings a batch to the file and waits for it.
func (c *committer) write(b batch) (err error) {
	s := c.l.segmentAt(b.from)
	if b.to-b.from >= pastFrom && c.l.catchesUp() {
		if b, err = c.writePast(s, b); err != nil {
			return err
		}
	}
	c.prepare(s, b)
	return c.submit()
}

// submit gives the ring what was made ready, and waits for it.
func (c *committer) submit() error {
	if len(c.sent) == 0 {
		return nil
	}
	c.sent[len(c.sent)-1].Link = false
	if err := c.l.o.Ring.Submit(c.sent); err != nil {
		return err
	}
	return c.await()
}

// await waits for the operations that are with the ring.
func (c *committer) await() error {
	for len(c.done) < len(c.sent) {
		var err error
		if c.done, err = c.l.o.Ring.Wait(len(c.sent)-len(c.done), c.done); err != nil {
			return err
		}
	}
	return c.outcome()
}

// outcome is what went wrong with the operations that are over. That one was undone counts least: it can be done again, but a
// sync that failed must not be.
func (c *committer) outcome() (err error) {
	for _, op := range c.sent {
		if op.Err != nil && (err == nil || errors.Is(err, disk.ErrUndone)) {
			err = op.Err
		}
	}
	return err
}
