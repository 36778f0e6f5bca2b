package bench

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// pageCacheFile empties the machine's page cache of clean pages when 1 is written to it.
const pageCacheFile = "/proc/sys/vm/drop_caches"

// mayDropPages says early whether dropPages will be allowed.
func mayDropPages(name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return dropError(err)
	}
	return f.Close()
}

// dropPages writes everything dirty to the disks and has the kernel forget its page cache: reads come from the disk then.
func dropPages(name string) error {
	syscall.Sync()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return dropError(err)
	}
	_, err = f.WriteString("1\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return dropError(err)
	}
	return nil
}

func dropError(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("dropping the page cache needs root: %w", err)
	}
	return fmt.Errorf("dropping the page cache: %w", err)
}
