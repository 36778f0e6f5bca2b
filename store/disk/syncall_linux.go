package disk

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const (
	// Since Linux 5.8 syncfs tells that something could not be written back.
	syncfsMajor, syncfsMinor = 5, 8

	ext4Magic = 0xEF53
	xfsMagic  = 0x58465342
)

// SyncAll is syncfs(2) where it is known to promise as much. Overlays and network file systems pass over errors or caches below them.
func (f *osFile) SyncAll() error {
	if err := syncfsHolds(f.fd); err != nil {
		return err
	}
	if dropDatasync {
		return nil
	}
	if err := retry(func() error { return unix.Syncfs(f.fd) }, "syncfs", f.Name()); err != nil {
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // a filter of system calls
			return fmt.Errorf("%w: %w", ErrNoSyncAll, err)
		}
		return err
	}
	return f.flushDevice()
}

// syncfsHolds returns an error where syncfs cannot be relied upon.
func syncfsHolds(fd int) error {
	release, err := kernelRelease()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoSyncAll, err)
	}
	var major, minor int
	if n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 || major < syncfsMajor || major == syncfsMajor && minor < syncfsMinor {
		return fmt.Errorf("%w: kernel %s", ErrNoSyncAll, release)
	}
	var s unix.Statfs_t
	if err := unix.Fstatfs(fd, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrNoSyncAll, err)
	}
	if s.Type != ext4Magic && s.Type != xfsMagic {
		return fmt.Errorf("%w: file system of type %#x", ErrNoSyncAll, s.Type)
	}
	return nil
}

// flushDevice empties the device's cache: syncfs does not where XFS has nothing to log, and of ext4 without a journal not behind the last
// writes. The sync of any file does, and one without a name leaves nothing behind. f is a directory.
func (f *osFile) flushDevice() error {
	fd, err := unix.Open(f.Name(), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("%w: open a file without a name: %w", ErrNoSyncAll, err)
	}
	err = retry(func() error { return unix.Fsync(fd) }, "fsync", f.Name())
	return errors.Join(err, unix.Close(fd))
}
