//go:build uring && go1.26 && !go1.27

package disk

import (
	"syscall"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/unix"
)

// Go's scheduler is told of a call that it will take long, as of its own waits, instead of finding out (docs/adr/0016-waits-that-are-announced.md).
// The two are no part of Go's interface: other releases than those above take waits_other.go.

//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

// fdatasync is unix.Fdatasync whose thread gives its share of the scheduler away before it waits. Any goroutine.
func fdatasync(fd int) error {
	if errno := datasync(uintptr(fd)); errno != 0 {
		return errno
	}
	return nil
}

// datasync is the call. Between the two nothing may need more stack or touch Go's heap, as in syscall.Syscall.
//
//go:nosplit
//go:norace
func datasync(fd uintptr) syscall.Errno {
	entersyscallblock()
	_, _, errno := syscall.RawSyscall(unix.SYS_FDATASYNC, fd, 0, 0)
	exitsyscall()
	return errno
}
