package store

import (
	"context"
	"errors"
	"testing"

	"ringmq/store/disk"
)

// TestCloseWith: the last thing is done under the lock, when all is durable, and its error is that of Close.
func TestCloseWith(t *testing.T) {
	o := smallOptions(disk.NewFaulty())
	s := mustOpen(t, o)
	mustAppend(t, s, message("T", 0, "x"))
	why := errors.New("why")
	err := s.CloseWith(context.Background(), func() error {
		if _, err := takeLock(o.FS, o.Root); !errors.Is(err, ErrLocked) {
			t.Error("it is not locked:", err)
		}
		return why
	})
	if !errors.Is(err, why) {
		t.Error(err)
	}
	s = mustOpen(t, o)
	if s.recovered.crashed {
		t.Error("it was not closed in order")
	}
	closeStore(t, s)
}
