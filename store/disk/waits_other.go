//go:build !(uring && go1.26 && !go1.27)

package disk

import "golang.org/x/sys/unix"

func fdatasync(fd int) error { return unix.Fdatasync(fd) }
