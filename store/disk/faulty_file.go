package disk

import (
	"errors"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"sort"
	"syscall"
)

const (
	flagCreate = os.O_CREATE
	flagExcl   = os.O_EXCL
	flagTrunc  = os.O_TRUNC

	pageBytes   = 4096
	sectorBytes = 512
)

type page = [pageBytes]byte

// inode is a file's content, twice: as the process sees it and as the platter has it. Absent pages are zeros.
type inode struct {
	dir        bool
	size       int64
	pages      map[int64]*page
	stableSize int64
	stable     map[int64]*page
	dirty      map[int64]bool // pages that differ from stable; a failed sync empties it, as Linux marks pages clean
	failures   int            // syncs that failed
}

func (n *inode) page(i int64, write bool) *page {
	p := n.pages[i]
	if !write {
		return p
	}
	if n.pages == nil {
		n.pages, n.stable, n.dirty = map[int64]*page{}, map[int64]*page{}, map[int64]bool{}
	}
	if p == nil {
		p = new(page)
		n.pages[i] = p
	}
	n.dirty[i] = true
	return p
}

func (n *inode) write(b []byte, off int64) {
	if len(b) == 0 {
		return
	}
	n.size = max(n.size, off+int64(len(b)))
	for len(b) > 0 {
		at := off % pageBytes
		done := copy(n.page(off/pageBytes, true)[at:], b)
		b, off = b[done:], off+int64(done)
	}
}

// zero forgets whole pages, so that zeroing costs nothing.
func (n *inode) zero(off, count int64) {
	n.size = max(n.size, off+count)
	for count > 0 {
		at := off % pageBytes
		part := min(count, pageBytes-at)
		if i := off / pageBytes; n.pages[i] != nil {
			clear(n.page(i, true)[at : at+part])
		}
		off, count = off+part, count-part
	}
}

func (n *inode) read(b []byte, off int64) int {
	b = b[:max(0, min(int64(len(b)), n.size-off))]
	for done := 0; done < len(b); {
		at := (off + int64(done)) % pageBytes
		part := min(len(b)-done, int(pageBytes-at))
		if p := n.page((off+int64(done))/pageBytes, false); p != nil {
			copy(b[done:done+part], p[at:])
		} else {
			clear(b[done : done+part])
		}
		done += part
	}
	return len(b)
}

func (n *inode) truncate(size int64) {
	if size < n.size {
		for i := range n.pages {
			if i*pageBytes >= size {
				*n.page(i, true) = page{}
			}
		}
		if at := size % pageBytes; at != 0 && n.pages[size/pageBytes] != nil {
			clear(n.page(size/pageBytes, true)[at:])
		}
	}
	n.size = size
}

func (n *inode) sync() {
	for i := range n.dirty {
		p := *n.pages[i]
		n.stable[i] = &p
	}
	clear(n.dirty)
	n.stableSize = n.size
}

// reread makes pages that are not dirty what the platter has.
func (n *inode) reread(first, end int64) {
	for i := range n.pages {
		if i >= first && i < end && !n.dirty[i] {
			n.pages[i] = new(page)
			if p := n.stable[i]; p != nil {
				*n.pages[i] = *p
			}
		}
	}
}

func (n *inode) flip(off int64, bit uint) {
	for _, pages := range []map[int64]*page{n.pages, n.stable} {
		if p := pages[off/pageBytes]; p != nil {
			p[off%pageBytes] ^= 1 << bit
		}
	}
}

// afterCrash returns what the platter holds: synced pages, and of the dirty ones each sector new or old at random. A page that
// a failed sync marked clean keeps its old content.
func (n *inode) afterCrash(rng *rand.Rand) *inode {
	after := &inode{dir: n.dir, size: n.stableSize}
	if n.dir {
		return after
	}
	if n.size != n.stableSize && rng.Intn(2) == 0 {
		after.size = n.size
	}
	after.pages, after.stable, after.dirty = map[int64]*page{}, map[int64]*page{}, map[int64]bool{}
	for i, p := range n.stable {
		q := *p
		after.pages[i] = &q
	}
	dirty := make([]int64, 0, len(n.dirty))
	for i := range n.dirty {
		dirty = append(dirty, i)
	}
	sort.Slice(dirty, func(a, b int) bool { return dirty[a] < dirty[b] })
	// Three kinds of luck: all of it reached the platter, none, or each sector by itself.
	luck := rng.Intn(3)
	for _, i := range dirty {
		q := after.pages[i]
		if q == nil {
			q = new(page)
			after.pages[i] = q
		}
		for s := 0; s < pageBytes; s += sectorBytes {
			if luck == 0 || luck == 2 && rng.Intn(2) == 0 {
				copy(q[s:s+sectorBytes], n.pages[i][s:])
			}
		}
	}
	after.truncate(after.size)
	for i, p := range after.pages {
		if i*pageBytes >= after.size {
			delete(after.pages, i)
			continue
		}
		q := *p
		after.stable[i] = &q
	}
	clear(after.dirty)
	after.stableSize = after.size
	return after
}

// memFile is one open file of a Faulty.
type memFile struct {
	d    *Faulty
	n    *inode
	name string
	told int // of the failures, how many a sync of this one has told of, or were told before it was opened
}

// open is a file on an inode. mu is held.
func (d *Faulty) open(n *inode, name string) *memFile {
	return &memFile{d: d, n: n, name: name, told: n.failures}
}

func (f *memFile) Name() string { return f.name }
func (f *memFile) Close() error { return nil }

func (f *memFile) read(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return 0, ErrCrashed
	}
	n := f.n.read(b, off)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.d.begin("write", f.name); err != nil {
		return 0, err
	}
	defer f.d.mu.Unlock()
	failure := f.d.short
	if failure != nil {
		b, failure = b[:len(b)/2], &fs.PathError{Op: "write", Path: f.name, Err: failure}
	}
	if err := f.grow(off + int64(len(b))); err != nil {
		return 0, err
	}
	f.n.write(b, off)
	return len(b), failure
}

// grow takes the space that a file's new end needs.
func (f *memFile) grow(end int64) error {
	more := end - f.n.size
	if more <= 0 || f.d.free < 0 {
		return nil
	}
	if more > f.d.free {
		return &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	f.d.free -= more
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return 0, ErrCrashed
	}
	return f.n.size, nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.d.begin("truncate", f.name); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	f.n.truncate(size)
	return nil
}

func (f *memFile) Allocate(off, n int64) error {
	if err := f.d.begin("allocate", f.name); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	if err := f.grow(off + n); err != nil {
		return err
	}
	f.n.size = max(f.n.size, off+n)
	return nil
}

func (f *memFile) ZeroRange(off, n int64) error {
	if err := f.d.begin("zero", f.name); err != nil {
		return err
	}
	defer f.d.mu.Unlock()
	if err := f.grow(off + n); err != nil {
		return err
	}
	f.n.zero(off, n)
	return nil
}

func (f *memFile) SyncRange(int64, int64) error { return nil }

func (f *memFile) Datasync() error { return f.sync("datasync") }
func (f *memFile) Sync() error     { return f.sync("sync") }

// SyncAll implements File.
func (f *memFile) SyncAll() error {
	if err := f.d.begin("syncall", f.name); err != nil {
		f.d.mu.Lock()
		defer f.d.mu.Unlock()
		for _, n := range f.d.names {
			if !f.d.crashed && !errors.Is(err, ErrNoSyncAll) {
				clear(n.dirty)
			}
		}
		return err
	}
	defer f.d.mu.Unlock()
	for _, n := range f.d.names {
		n.sync()
	}
	for _, c := range f.d.pending {
		c.apply(f.d.stable)
	}
	f.d.pending = nil
	return nil
}

func (f *memFile) sync(kind string) error {
	if err := f.d.begin(kind, f.name); err != nil {
		f.d.mu.Lock()
		defer f.d.mu.Unlock()
		if !f.d.crashed {
			clear(f.n.dirty)
			f.n.failures++
			f.told = f.n.failures
		}
		return err
	}
	defer f.d.mu.Unlock()
	if f.d.lies {
		clear(f.n.dirty)
		return nil
	}
	f.n.sync()
	if f.told < f.n.failures {
		f.told = f.n.failures
		return &fs.PathError{Op: kind, Path: f.name, Err: syscall.EIO}
	}
	return nil
}
