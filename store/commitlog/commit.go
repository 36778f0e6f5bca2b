package commitlog

import (
	"runtime"
	"time"

	"ringmq/store/disk"
)

// committer owns the ring: it takes what has gathered, writes it, syncs it if anyone waits for that, and advances the
// watermarks once. What arrives meanwhile is the next batch.
type committer struct {
	l    *Log
	ops  []disk.Op
	sent []*disk.Op
	done []*disk.Op
}

// maxPieces of a batch: it stays within one segment and may wrap once round the tail, and a sync follows.
const maxPieces = 3

func (l *Log) runCommitter() {
	defer l.done.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := &committer{l: l, ops: make([]disk.Op, maxPieces), sent: make([]*disk.Op, 0, maxPieces), done: make([]*disk.Op, 0, maxPieces)}
	for {
		select {
		case <-l.work:
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
	from := l.written.Load()
	l.mu.Lock()
	if l.failed != nil {
		l.mu.Unlock()
		return false
	}
	to, after := l.published, l.published
	rolls := len(l.rolls) > 0 && l.rolls[0].from <= to
	if rolls {
		to, after = l.rolls[0].from, l.rolls[0].to
	}
	l.mu.Unlock()
	if from >= to {
		return false
	}
	if !l.boundUnsynced(to) {
		return false
	}
	l.zero.await(to)
	if err := c.write(from, to); err != nil {
		l.fail(err)
		return false
	}
	if rolls {
		l.mu.Lock()
		l.rolls = append(l.rolls[:0], l.rolls[1:]...)
		l.mu.Unlock()
	}
	l.written.advance(after)
	if l.o.SyncFlush {
		l.durable.advance(after)
	} else if after-l.durable.Load() > l.o.UnsyncedBytes/2 {
		poke(l.syncNow)
	}
	// Only after the advance: whoever found no room before it has left word by now, or sees it.
	l.mu.Lock()
	waiting := len(l.room) > 0
	l.mu.Unlock()
	if waiting {
		l.tellRoom()
	}
	return true
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

// write brings [from, to), which lies in one segment, to the file.
func (c *committer) write(from, to int64) error {
	l := c.l
	s := l.segmentAt(from)
	c.sent, c.done = c.sent[:0], c.done[:0]
	l.tail.pieces(from, to, func(offset int64, b []byte) {
		op := &c.ops[len(c.sent)]
		*op = disk.Op{Kind: disk.OpWrite, File: s.file, Buf: b, Offset: offset - s.start, Link: true}
		c.sent = append(c.sent, op)
	})
	if l.o.SyncFlush {
		op := &c.ops[len(c.sent)]
		*op = disk.Op{Kind: disk.OpDatasync, File: s.file}
		c.sent = append(c.sent, op)
	}
	c.sent[len(c.sent)-1].Link = false
	if err := l.o.Ring.Submit(c.sent); err != nil {
		return err
	}
	for len(c.done) < len(c.sent) {
		var err error
		if c.done, err = l.o.Ring.Wait(len(c.sent)-len(c.done), c.done); err != nil {
			return err
		}
	}
	for _, op := range c.sent {
		if op.Err != nil {
			return op.Err
		}
	}
	return nil
}

// flushInterval is how long ASYNC_FLUSH leaves written records unsynced, as flushIntervalCommitLog of stock.
const flushInterval = 500 * time.Millisecond

// runSyncer makes written records durable in the background, under ASYNC_FLUSH.
func (l *Log) runSyncer() {
	defer l.done.Done()
	tick := time.NewTicker(flushInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
		case <-l.syncNow:
		}
		if to := l.written.Load(); to > l.durable.Load() {
			if err := l.syncTo(to); err != nil {
				return
			}
		}
	}
}

// syncTo syncs the segments between durable and an offset that is written.
func (l *Log) syncTo(to int64) error {
	from := l.durable.Load()
	for _, s := range *l.segments.Load() {
		if s.start+l.o.SegmentBytes <= from || s.start >= to || !s.acquire() {
			continue
		}
		err := s.file.Datasync()
		s.release()
		if err != nil {
			l.fail(err)
			return err
		}
	}
	l.durable.advance(to)
	return nil
}
