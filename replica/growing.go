package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringmq/store"
)

// How a slave's log grows by what its session has received.

// catchUp lets the store know that the master has much more than came so far.
func (s *session) catchUp(end int64) {
	if end-s.at >= s.f.o.CatchUpBytes {
		s.goal = end
		s.f.store.CatchUp(end)
	}
}

// catchesUp says that what is appended has been with the master for long, and more comes than the disk takes.
func (s *session) catchesUp() bool { return s.at < s.goal }

// drain appends what was received, as far as it is whole.
func (s *session) drain(ctx context.Context, final bool) error {
	done := 0
	for done < len(s.buf) {
		n, opaque := s.cut.cut(s.buf[done:], s.at, final)
		if n == 0 {
			break
		}
		if opaque && !s.ours {
			if end := foreignEnd(s.buf[done:], s.at); end > 0 {
				return refusedError(fmt.Sprintf("a segment of the master's ends at %d, and none of this slave's: mappedFileSizeCommitLog must be the same", end))
			}
		}
		if err := s.append(ctx, s.buf[done:done+n], opaque); err != nil {
			return err
		}
		done, s.at = done+n, s.at+int64(n)
	}
	if done > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[done:])]
		if !s.catchesUp() {
			s.f.store.CommitCopies()
		}
	}
	return nil
}

// append gives bytes to the store, and waits for room.
func (s *session) append(ctx context.Context, b []byte, opaque bool) error {
	st := s.f.store
	if opaque {
		s.f.logger.Error("the master's log is damaged here, or has a record that is too large for this slave; copied as it is",
			"from", s.at, "to", s.at+int64(len(b)))
		s.f.change(func(f *FollowerState) { f.DamagedBytes += int64(len(b)) })
		if tell := s.f.manner.opaque; tell != nil {
			if err := tell(s.at, s.at+int64(len(b))); err != nil {
				return refusedError(err.Error())
			}
		}
	}
	if s.catchesUp() {
		st.AwaitDispatch(ctx, s.at+int64(len(b)))
	}
	for {
		var err error
		if opaque {
			err = st.AppendOpaque(s.at, b)
		} else {
			err = st.AppendCopy(s.at, b)
		}
		switch {
		case err == nil:
			s.f.takes(s.addr)
			if s.fresh += len(b); s.fresh >= gatherBytes && s.catchesUp() {
				s.fresh = 0
				st.CommitCopies()
			}
			return nil
		case errors.Is(err, store.ErrFull):
			st.CommitCopies()
			room := make(chan struct{})
			st.Room(func() { close(room) })
			select {
			case <-room:
			case <-ctx.Done():
				return ctx.Err()
			}
		case errors.Is(err, store.ErrNotWritable) && st.Sendable().Err() == nil:
			st.CommitCopies()
			if s.f.manner.aside {
				return refusedError(fmt.Sprintf("nothing can be written here: %v", err))
			}
			s.f.refused(s.addr, err)
			if err := pause(ctx, spaceRetry); err != nil {
				return err
			}
		default:
			return ownLogError{err}
		}
	}
}

// pause waits; an error when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
