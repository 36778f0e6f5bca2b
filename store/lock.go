package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"ringmq/store/disk"
)

// Two files at the root tell processes about each other. "lock" is locked as Java's FileChannel does it, so that a stock
// broker and ours exclude each other. "abort" holds the process id while a store is open: its existence at a start means
// that the last run did not end in order.
const (
	lockName  = "lock"
	abortName = "abort"
)

func takeLock(f disk.FS, root string) (io.Closer, error) {
	name := root + "/" + lockName
	// The text comes before the lock: closing a descriptor of a locked file may give the lock away.
	if _, err := f.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if err := writeWhole(f, name, []byte("lock")); err != nil {
			return nil, fmt.Errorf("create lock file: %w", err)
		}
	}
	l, err := f.Lock(name)
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrLocked, name)
	}
	if err != nil {
		return nil, fmt.Errorf("lock store: %w", err)
	}
	return l, nil
}

// markAbort leaves the abort file, durable before anything else changes, and says whether it was there already.
func markAbort(f disk.FS, root string) (crashed bool, err error) {
	name := root + "/" + abortName
	if _, err := f.Stat(name); err == nil {
		crashed = true
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("look for abort file: %w", err)
	}
	if err := writeWhole(f, name, []byte(strconv.Itoa(os.Getpid()))); err != nil {
		return crashed, fmt.Errorf("write abort file: %w", err)
	}
	if err := f.SyncDir(root); err != nil {
		return crashed, fmt.Errorf("write abort file: %w", err)
	}
	return crashed, nil
}

func removeAbort(f disk.FS, root string) error {
	if err := f.Remove(root + "/" + abortName); err != nil {
		return fmt.Errorf("remove abort file: %w", err)
	}
	return f.SyncDir(root)
}
