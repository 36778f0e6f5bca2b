package store

import (
	"context"
	"errors"
	"fmt"
)

// Close refuses new messages, makes everything stored durable, lets the dispatcher come to its end, writes queues, index
// and checkpoint, removes the abort file and releases the lock. When ctx ends first, or anything fails, the abort file
// stays and the next start looks at the log again. ctx bounds the wait for what has been appended, not calls of the disk that are under way: see
// commitlog.Log.Close. Calls after the first return what it returned.
func (s *Store) Close(ctx context.Context) error { return s.CloseWith(ctx, nil) }

// CloseWith is Close with a last thing to do once everything is durable and before the lock is released, so that nobody else can have changed
// anything meanwhile. It is not done where something failed; its error is Close's. nil: there is none.
func (s *Store) CloseWith(ctx context.Context, last func() error) error {
	s.closeOnce.Do(func() {
		if err := s.close(ctx, last); err != nil {
			s.closeErr = fmt.Errorf("close store %s: %w", s.o.Root, err)
		}
	})
	return s.closeErr
}

func (s *Store) close(ctx context.Context, last func() error) error {
	s.closing.Store(true)
	s.stopAll()
	s.background.Wait()
	s.closeReads()
	// Not Visible: records that wait for copies may wait for ever. The next start takes them for what this store has.
	err := s.log.Announced().Wait(ctx, s.log.Max())
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
	if err == nil && last != nil {
		err = last()
	}
	return errors.Join(err, s.lock.Close())
}

// closeReads gives up what reads share, if it was made. Reads that come later use ordinary calls.
func (s *Store) closeReads() {
	if s.cold.free != nil {
		s.cold.close()
	}
	s.windows.close()
}
