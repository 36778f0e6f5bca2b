package queue

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"ringmq/store/disk"
)

// whole is the file system under the queues. To sync it once costs a fraction of syncing thousands of files one by one.
type whole struct {
	from    int // files and folders that are worth it
	useless bool
	opened  atomic.Bool

	mu sync.Mutex
	// dir has been open since before the first write to a file of this Set, so that no failure to write one back can have been
	// told to others only.
	dir disk.File
}

// watch opens the folder of the queues, which is there. It comes before any write to a file below.
func (w *whole) watch(s *Set) error {
	if w.opened.Load() {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir != nil {
		return nil
	}
	dir, err := s.fs.Open(s.dir, os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("open consume queues: %w", err)
	}
	w.dir = dir
	w.opened.Store(true)
	return nil
}

// sync makes all files and names durable; false, and nothing done, where they are few or the file system cannot. Under syncMu.
func (w *whole) sync(s *Set, count int) (done bool, err error) {
	if count < w.from || w.useless || !w.opened.Load() {
		return false, nil
	}
	err = w.dir.SyncAll()
	if errors.Is(err, disk.ErrNoSyncAll) {
		w.useless = true
		s.logger.Info("consume queue files are synced one by one", "why", err)
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("sync consume queues: %w", err)
	}
	return true, nil
}

func (w *whole) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir == nil {
		return nil
	}
	return w.dir.Close()
}
