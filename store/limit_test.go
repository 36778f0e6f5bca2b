package store

import (
	"syscall"
	"testing"
)

// TestQueueFilesLeaveRoom: queue files take at most a quarter of the descriptors, and those are raised as far as may be.
func TestQueueFilesLeaveRoom(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) }()
	if before.Max < 1000 {
		t.Skipf("only %d files may be open", before.Max)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 500, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	want := int(min(4096, before.Max/4))
	if o := DefaultOptions("/store"); o.MaxOpenFiles != want {
		t.Errorf("%d queue files of %d", o.MaxOpenFiles, before.Max)
	}
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil || now.Cur != before.Max {
		t.Errorf("limit %d of %d: %v", now.Cur, now.Max, err)
	}
}
