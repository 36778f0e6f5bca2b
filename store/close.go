package store

import (
	"context"
	"errors"
	"fmt"
)

// Close refuses new messages, makes everything stored durable, lets the dispatcher come to its end, writes queues, index
// and checkpoint, removes the abort file and releases the lock. When ctx ends first, or anything fails, the abort file
// stays and the next start looks at the log again. Calls after the first return what it returned.
func (s *Store) Close(ctx context.Context) error {
	s.closeOnce.Do(func() {
		if err := s.close(ctx); err != nil {
			s.closeErr = fmt.Errorf("close store %s: %w", s.o.Root, err)
		}
	})
	return s.closeErr
}

func (s *Store) close(ctx context.Context) error {
	s.closing.Store(true)
	s.stopAll()
	s.background.Wait()
	// Not Visible: records that wait for copies may wait for ever. The next start takes them for what this store has.
	err := s.log.Local().Wait(ctx, s.log.Max())
	s.dispatch.end()
	if behind := s.DispatchBehindBytes(); err == nil && behind > 0 {
		err = fmt.Errorf("%d bytes of the log have not reached their queues", behind)
	}
	err = errors.Join(err, s.queues.Flush(), s.queues.Sync(), s.batches.sync())
	if s.index != nil {
		err = errors.Join(err, s.index.Flush())
	}
	// The log's own Close syncs what is not durable yet; the checkpoint speaks of it only afterwards.
	err = errors.Join(err, s.log.Close(ctx))
	if last := s.dispatch.lastPlace(); err == nil && last.to > 0 {
		err = s.moveCheckpoint(last)
	}
	if err == nil {
		err = s.saveEnds(s.queueEnds())
	}
	if s.index != nil {
		err = errors.Join(err, s.index.Close())
	}
	err = errors.Join(err, s.queues.Close(), s.batches.close(), s.ring.Close())
	if err == nil {
		err = removeAbort(s.fs, s.o.Root)
	}
	return errors.Join(err, s.lock.Close())
}
