package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ringmq/netpoll"
)

// ErrStopped is in errors of a run that its context ended before there was anything to report.
var ErrStopped = errors.New("stopped")

// stoppedBefore replaces the error of a step that ctx ended by one that says which step it was; format completes "stopped".
func stoppedBefore(ctx context.Context, err error, format string, a ...any) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w %s", ErrStopped, fmt.Sprintf(format, a...))
}

// stopped says how far a run came that ctx ended before its time; "" when ctx did not.
func (m *meter) stopped(ctx context.Context) string {
	took := m.ended.Sub(m.began)
	if ctx.Err() == nil || took >= m.length {
		return ""
	}
	return after("stopped", took, m.length)
}

// lost says that a run ended with its connections when there was something to report: that is no reason to throw it away.
func (m *meter) lost(err error) bool { return errors.Is(err, netpoll.ErrClosed) && !m.began.IsZero() }

// after is "stopped after 3.2 s of 10s", without its end where none was set.
func after(what string, took, whole time.Duration) string {
	s := fmt.Sprintf("%s after %.1f s", what, took.Seconds())
	if whole < longest {
		s += " of " + whole.String()
	}
	return s
}
