package disk

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
)

// TestSyncsBesideTheCollector: syncs of many goroutines come back with their own outcome while stacks are moved and shrunk, more of them
// waiting than the scheduler has shares.
func TestSyncsBesideTheCollector(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	var all sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := range 50 {
				if _, err := f.WriteAt([]byte{byte(i)}, int64(i)); err != nil {
					t.Error(err)
				}
				if err := fdatasync(fd); err != nil {
					t.Errorf("sync %d: %v", i, err)
				}
				if err := fdatasync(-1); !errors.Is(err, syscall.EBADF) {
					t.Errorf("sync of no file: %v", err)
				}
				if grow(i) != i {
					t.Error("the stack was not kept")
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			runtime.GC()
		}
	}
}

// grow returns n by way of a stack of some KiB for each.
func grow(n int) int {
	var pad [1 << 10]byte
	pad[n] = 1
	if n == 0 {
		return int(pad[0]) - 1
	}
	return grow(n-1) + int(pad[n])
}
