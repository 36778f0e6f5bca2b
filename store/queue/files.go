package queue

import (
	"container/list"
	"os"
	"sync"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// fileKey names a file: the one of q that begins at byte start of its queue.
type fileKey struct {
	q     *Queue
	start int64
}

func (k fileKey) path() string {
	return k.q.dirOf() + "/" + record.FileName(k.start)
}

// handle is an open file. refs and gone belong to the cache's lock.
type handle struct {
	key  fileKey
	file disk.File
	refs int
	gone bool // out of the table: the last release closes it
	elem *list.Element
}

// cache holds open at most max files, but for those in use.
type cache struct {
	fs  disk.FS
	max int

	mu     sync.Mutex
	byKey  map[fileKey]*handle
	recent list.List // of *handle, the most recently used in front
}

func (c *cache) init(fs disk.FS, max int) {
	c.fs, c.max, c.byKey = fs, max, map[fileKey]*handle{}
}

// open returns a file, to be released. No lock is held while the kernel opens it.
func (c *cache) open(key fileKey) (*handle, error) {
	if h := c.find(key); h != nil {
		return h, nil
	}
	file, err := c.fs.Open(key.path(), os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	return c.enter(key, file, false), nil
}

// find returns a file that is open, to be released, or nil.
func (c *cache) find(key fileKey) *handle {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.byKey[key]
	if h != nil {
		h.refs++
		c.recent.MoveToFront(h.elem)
	}
	return h
}

// create makes an empty file. A descriptor that a reader may have left of an older file of that name is not used.
func (c *cache) create(key fileKey) (*handle, error) {
	file, err := c.fs.Open(key.path(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	return c.enter(key, file, true), nil
}

// enter puts a file just opened into the table. If another descriptor of it is there, one of the two has to go.
func (c *cache) enter(key fileKey, file disk.File, replace bool) *handle {
	var idle []disk.File
	c.mu.Lock()
	h := c.byKey[key]
	if h != nil && !replace { // someone else was quicker
		h.refs++
		c.mu.Unlock()
		_ = file.Close()
		return h
	}
	if h != nil {
		if f := c.takeOut(h); f != nil {
			idle = append(idle, f)
		}
	}
	h = &handle{key: key, file: file, refs: 1}
	h.elem = c.recent.PushFront(h)
	c.byKey[key] = h
	for c.recent.Len() > c.max {
		if f := c.takeOut(c.recent.Back().Value.(*handle)); f != nil {
			idle = append(idle, f)
		}
	}
	c.mu.Unlock()
	for _, f := range idle {
		_ = f.Close() // nothing rests in a descriptor: writes are in the page cache, and Sync opens the file again
	}
	return h
}

// takeOut removes h from the table and returns its file if nobody uses it. c.mu is held.
func (c *cache) takeOut(h *handle) disk.File {
	delete(c.byKey, h.key)
	c.recent.Remove(h.elem)
	h.gone = true
	if h.refs > 0 {
		return nil
	}
	return h.file
}

func (c *cache) release(h *handle) {
	c.mu.Lock()
	h.refs--
	last := h.gone && h.refs == 0
	c.mu.Unlock()
	if last {
		_ = h.file.Close()
	}
}

// drop forgets a file that is about to be removed.
func (c *cache) drop(key fileKey) {
	c.mu.Lock()
	var f disk.File
	if h := c.byKey[key]; h != nil {
		f = c.takeOut(h)
	}
	c.mu.Unlock()
	if f != nil {
		_ = f.Close()
	}
}

func (c *cache) close() error {
	c.mu.Lock()
	var idle []disk.File
	for _, h := range c.byKey {
		if f := c.takeOut(h); f != nil {
			idle = append(idle, f)
		}
	}
	c.mu.Unlock()
	var first error
	for _, f := range idle {
		if err := f.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
