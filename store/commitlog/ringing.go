package commitlog

import (
	"errors"
	"time"

	"ringmq/store/disk"
)

// NoBell stands for a bell that nobody hears.
const NoBell = -1

// Rings says that event loops may commit: CommitRinging returns at once and a bell tells when the log is written.
func (l *Log) Rings() bool { return l.o.Ring.Rings() }

// CommitRinging starts the commit of what was published, unless a batch is under way: then that one's end starts it. A batch
// that is over it ends itself. bell, a stream socket, gets a byte when a batch is over that this call or the end of another
// started, and who hears it calls Collect; it stays open while the log is. Any goroutine; no I/O is waited for. What watches the
// watermarks may run inside. Only where Rings.
func (l *Log) CommitRinging(bell int) {
	c := l.committer
	l.asked.now()
	c.mu.Lock()
	c.bell = bell
	if c.state == idle {
		c.ring()
		c.mu.Unlock()
		return
	}
	c.collect()
}

// Collect ends the batch that a bell rang for, and starts the next. It does nothing when the batch is not over, and so may be
// called at any time. Any goroutine; no I/O is waited for. What watches the watermarks may run inside.
func (l *Log) Collect() {
	l.committer.mu.Lock()
	l.committer.collect()
}

// collect is Collect. Under mu, which it gives back.
func (c *committer) collect() {
	if c.state != ringing || !c.over() {
		c.mu.Unlock()
		return
	}
	b := c.batch
	if err := c.outcome(); err != nil {
		if errors.Is(err, disk.ErrUndone) {
			err = nil
		}
		c.handOver(err)
		c.mu.Unlock()
		return
	}
	c.state = idle
	// The disk goes on while it is told what it has done.
	c.ended(b)
	c.ring()
	c.mu.Unlock()
	c.l.passed(b)
}

// ring gives the next batch to the ring, if there is one. Under mu, when idle.
func (c *committer) ring() {
	if !c.take() {
		return
	}
	l := c.l
	if c.bell == NoBell || !l.zero.clear(c.batch.to+pageBytes) || !l.o.SyncFlush && c.batch.to-l.durable.Load() > l.o.UnsyncedBytes {
		c.handOver(nil)
		return
	}
	c.prepare(l.segmentAt(c.batch.from), c.batch)
	c.history.began = time.Now()
	switch err := l.o.Ring.SubmitRinging(c.sent, c.bell); {
	case errors.Is(err, disk.ErrUndone):
		c.handOver(nil)
	case err != nil:
		c.handOver(err)
	default:
		c.state, c.batch.way = ringing, Rung
		if !c.armed {
			c.lookSoon()
		}
	}
}

// lookAfter collects a batch that has lain finished since the last look: its bell was not heard, and the goroutine goes on alone
// until a loop comes by.
func (c *committer) lookAfter() {
	c.mu.Lock()
	c.armed = false
	if c.state != ringing {
		c.found = -1
		c.mu.Unlock()
		return
	}
	c.lookSoon()
	if !c.over() {
		c.found = -1
		c.mu.Unlock()
		return
	}
	if c.found != c.batch.from {
		c.found = c.batch.from
		c.mu.Unlock()
		return
	}
	c.bell = NoBell
	c.collect()
}

// lookSoon has lookAfter called: a batch that the ring has is looked after until it has ended. Under mu.
func (c *committer) lookSoon() {
	c.armed = true
	c.unheard.Reset(bellInterval)
}

// over reports that the ring has given all operations back. Under mu, while ringing.
func (c *committer) over() bool {
	if len(c.done) == len(c.sent) {
		return true
	}
	var err error
	if c.done, err = c.l.o.Ring.Wait(0, c.done); err != nil {
		c.handOver(err)
		return false
	}
	return len(c.done) == len(c.sent)
}

// handOver leaves the batch to the goroutine: to write it, or to end the log with what is owed. Under mu.
func (c *committer) handOver(owed error) {
	c.state, c.owed, c.batch.way = handed, owed, HandedOver
	poke(c.l.work)
}

// reclaim ends the batch that is with the ring by waiting for it: at the end nobody may be left who hears bells.
func (c *committer) reclaim() {
	c.mu.Lock()
	c.bell = NoBell
	if c.state != ringing {
		c.mu.Unlock()
		return
	}
	c.state = writing
	b := c.batch
	c.mu.Unlock()
	err := c.await()
	if errors.Is(err, disk.ErrUndone) {
		err = c.write(b)
	}
	c.end(b, err)
	c.l.Commit()
}
