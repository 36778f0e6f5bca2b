package commitlog

import "time"

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

// syncTo syncs the segments between durable and an offset that is written. One at a time: the kernel tells a failure once, to whoever
// syncs first, and the other must hear of it.
func (l *Log) syncTo(to int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if err := l.Err(); err != nil {
		return err
	}
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
