//go:build uring

package broker

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestJourneysWithIOUring runs what the other tests do with pwrite over the engine that rings: loops commit by themselves.
func TestJourneysWithIOUring(t *testing.T) {
	var params [120]byte
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 2, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		t.Skip("io_uring is forbidden here: ", errno)
	}
	_ = unix.Close(int(fd))
	for _, flush := range []string{"SYNC_FLUSH", "ASYNC_FLUSH"} {
		t.Run(flush, func(t *testing.T) { journey(t, "diskEngine=io_uring", "flushDiskType="+flush) })
	}
}
