package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Where segments are recycled they are small, and few are kept: a round fills several of them. They are larger where producers are not held
// up by the disk: what is needed at once is a new file, an old one would have to be zeroed first.
const (
	wholeSegmentBytes = 8 << 20
	asyncSegmentBytes = 512 << 10
	syncSegmentBytes  = 128 << 10
	keptSegments      = 8
)

// reuseLimit is how much longer a round may go on until it has seen a segment that is used again.
const reuseLimit = 2 * time.Second

// firstSegment is the log offset at which the log in a folder begins.
func firstSegment(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range entries { // in the order of their names
		if start, ok := segmentStart(e); ok {
			return start, nil
		}
	}
	return 0, fmt.Errorf("no segment in %s", dir)
}

func segmentStart(e os.DirEntry) (int64, bool) {
	if e.IsDir() || len(e.Name()) != 20 {
		return 0, false
	}
	start, err := strconv.ParseInt(e.Name(), 10, 64)
	return start, err == nil
}

// watcher counts the segments that had another name before. It keeps every file open that it has seen, so that an inode number that
// comes again is the same file and not a new one that got the number of one that is gone.
type watcher struct {
	dir    string
	names  map[string]bool
	files  map[uint64]*os.File
	reused int
	again  chan struct{} // closed when a segment was used again
	stop   chan struct{}
	done   sync.WaitGroup
}

func watch(dir string) *watcher {
	w := &watcher{dir: dir, names: map[string]bool{}, files: map[uint64]*os.File{}, again: make(chan struct{}), stop: make(chan struct{})}
	w.done.Go(func() {
		for {
			w.look()
			select {
			case <-w.stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return w
}

// look opens what is new. A segment that goes while it looks is no concern of it.
func (w *watcher) look() {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if _, ok := segmentStart(e); !ok || w.names[e.Name()] {
			continue
		}
		f, err := os.Open(filepath.Join(w.dir, e.Name()))
		if err != nil {
			continue
		}
		info, err := f.Stat()
		if err != nil {
			_ = f.Close()
			continue
		}
		w.names[e.Name()] = true
		inode := info.Sys().(*syscall.Stat_t).Ino
		if w.files[inode] != nil {
			if w.reused++; w.reused == 1 {
				close(w.again)
			}
			_ = f.Close()
			continue
		}
		w.files[inode] = f
	}
}

// end lets go of the files and returns how many segments were old ones.
func (w *watcher) end() int {
	close(w.stop)
	w.done.Wait()
	for _, f := range w.files {
		_ = f.Close()
	}
	return w.reused
}
