package store

import (
	"sync"
	"sync/atomic"

	"ringmq/store/commitlog"
	"ringmq/store/disk"
)

// Queues lie interleaved in the log: what has to be read from the file for one of them is soon wanted by the others. So the file is
// read in windows, and the newest windows are kept.

const (
	// windowBytes is how much of the log a window holds: what 27 messages of a kilobyte of one queue among eight lie in.
	windowBytes = 256 << 10
	// windowCount of them are kept: 16 MiB. Readers of one topic that are not further apart than that read everything once.
	windowCount = 64
	// windowWaste bounds what is read for nothing: a window is read when at least one byte in so many of it was asked for, by one
	// pull or by several. A read of a window costs as much of the processor as some twenty reads of a kilobyte.
	windowWaste = 12
	// pastWindows is how many windows are remembered after they are gone: a GiB of log.
	pastWindows = 4096
)

// window is a piece of the log as its file has it. It begins at a multiple of windowBytes in its segment, and its bytes do not change
// while somebody holds it.
type window struct {
	start int64
	n     int // bytes from start on that are here
	b     []byte
	// checked has a bit for each byte at which a record begins that was found to be whole; nil where nothing needs a check.
	checked []atomic.Uint64

	// under windows.mu
	there   bool
	loading bool // its one holder reads it
	refs    int
	used    int64
}

// past is what is remembered of a window.
type past struct {
	start  int64
	wanted int32 // bytes asked for while it was not there
	read   bool  // from the disk, not long ago
}

// windows are those of a store. Any goroutine.
type windows struct {
	log     *commitlog.Log
	segment int64

	mu     sync.Mutex
	loaded sync.Cond // a window is not loading any more
	mem    *disk.Buffer
	all    []window // made when the first one is needed
	at     map[int64]*window
	past   []past
	clock  int64
	closed bool
}

func (c *windows) init(log *commitlog.Log, segment int64) {
	c.log, c.segment, c.at = log, segment, map[int64]*window{}
	c.loaded.L = &c.mu
}

// bounds is the stretch of the log that the window with an offset covers.
func (c *windows) bounds(offset int64) (from, to int64) {
	begin := offset - offset%c.segment
	from = begin + (offset-begin)/windowBytes*windowBytes
	return from, min(from+windowBytes, begin+c.segment)
}

// take holds the window that begins at from, if it has `need` bytes; otherwise it is nil, and loading says whether it is being read.
func (c *windows) take(from int64, need int) (w *window, loading bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w = c.at[from]
	switch {
	case w == nil:
		return nil, false
	case w.loading:
		return nil, true
	case w.n < need:
		return nil, false
	}
	c.hold(w)
	return w, false
}

// await is take after whoever reads it is done.
func (c *windows) await(from int64, need int) *window {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.at[from]
	for w != nil && w.loading {
		c.loaded.Wait()
		w = c.at[from]
	}
	if w == nil || w.n < need {
		return nil
	}
	c.hold(w)
	return w
}

func (c *windows) hold(w *window) {
	c.clock++
	w.refs++
	w.used = c.clock
}

// worth notes that so many bytes of the window [from, to) are asked for, and says whether it should be read whole.
func (c *windows) worth(from, to int64, bytes int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.remember(from)
	p.wanted = min(p.wanted+int32(bytes), windowBytes)
	return int64(p.wanted)*windowWaste >= to-from
}

// fromDisk notes that a window comes from the disk, and says whether it did before: whoever wants it again is not served by what is
// kept here.
func (c *windows) fromDisk(from int64) (again bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.remember(from)
	again, p.read = p.read, true
	return again
}

func (c *windows) remember(from int64) *past {
	if c.past == nil {
		c.past = make([]past, pastWindows)
	}
	p := &c.past[from/windowBytes%pastWindows]
	if p.start != from {
		*p = past{start: from}
	}
	return p
}

// claim gives the caller a window to read [from, ...) into, in place of the one that was used least lately. nil: another has it, or
// all are in use. The caller holds it, and calls done.
func (c *windows) claim(from int64) *window {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.all == nil && !c.make() {
		return nil
	}
	w := c.at[from]
	if w == nil {
		w = c.oldest()
	}
	if w == nil || w.refs > 0 {
		return nil
	}
	if w.there {
		delete(c.at, w.start)
	}
	c.at[from] = w
	w.start, w.n, w.there, w.loading = from, 0, true, true
	if w.checked == nil && !c.log.Verified(from, windowBytes) {
		w.checked = make([]atomic.Uint64, windowBytes/64)
	}
	for i := range w.checked { // what it held before has nothing to say of what it holds now
		w.checked[i].Store(0)
	}
	c.hold(w)
	return w
}

// oldest is the window that nobody holds and that was used least lately.
func (c *windows) oldest() (w *window) {
	for i := range c.all {
		if o := &c.all[i]; o.refs == 0 && (w == nil || o.used < w.used) {
			w = o
		}
	}
	return w
}

func (c *windows) make() bool {
	mem, err := disk.Arena(windowCount * windowBytes)
	if err != nil {
		return false
	}
	c.mem, c.all = mem, make([]window, windowCount)
	for i := range c.all {
		c.all[i].b = mem.Bytes()[i*windowBytes : (i+1)*windowBytes]
	}
	return true
}

// done says that a claimed window has its first n bytes; 0: it could not be read, and is not held any more.
func (c *windows) done(w *window, n int) {
	c.mu.Lock()
	w.n, w.loading = n, false
	if n == 0 {
		if w.there {
			delete(c.at, w.start)
		}
		w.there, w.used = false, 0
		w.refs--
		c.free()
	}
	c.mu.Unlock()
	c.loaded.Broadcast()
}

// drop gives up the windows that hold some of [from, to), of which the file has other bytes now. Who holds one keeps what it saw.
func (c *windows) drop(from, to int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		if w := &c.all[i]; w.there && w.start < to && from < w.start+windowBytes {
			delete(c.at, w.start)
			w.there, w.used = false, 0
		}
	}
}

// release gives a window back.
func (c *windows) release(w *window) {
	c.mu.Lock()
	w.refs--
	c.free()
	c.mu.Unlock()
}

// close forgets all windows. The memory stays while somebody still reads in it.
func (c *windows) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	clear(c.at)
	c.free()
}

// free gives the memory back when no window is needed any more. mu is held.
func (c *windows) free() {
	if !c.closed || c.mem == nil {
		return
	}
	for i := range c.all {
		if c.all[i].refs > 0 {
			return
		}
	}
	c.mem.Free()
	c.mem, c.all = nil, nil
}

// wasChecked says whether the record at an offset in the window was found to be whole.
func (w *window) wasChecked(offset int64) bool {
	i := offset - w.start
	return w.checked != nil && w.checked[i/64].Load()>>(i%64)&1 != 0
}

// noteChecked notes that it was.
func (w *window) noteChecked(offset int64) {
	if i := offset - w.start; w.checked != nil {
		w.checked[i/64].Or(1 << (i % 64))
	}
}
