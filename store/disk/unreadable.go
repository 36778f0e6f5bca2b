package disk

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"
)

// IsUnreadable says whether a read failed because the disk cannot give back what was written to that place. Other places can be read.
func IsUnreadable(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENODATA) || errors.Is(err, syscall.EILSEQ)
}

// BadPages is a file system of which some pages of files cannot be read, until they are written over as a whole: as the kernel has it where the
// disk has lost a sector. For tests.
type BadPages struct {
	FS
	mu    sync.Mutex
	bad   map[string]map[int64]bool // by file, the pages' numbers
	reads int
}

const badPageBytes = 4096

// Lose makes the page that a byte of a file lies in unreadable.
func (d *BadPages) Lose(name string, at int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bad == nil {
		d.bad = map[string]map[int64]bool{}
	}
	if d.bad[name] == nil {
		d.bad[name] = map[int64]bool{}
	}
	d.bad[name][at/badPageBytes] = true
}

// Lost is how many pages cannot be read.
func (d *BadPages) Lost() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pages := range d.bad {
		n += len(pages)
	}
	return n
}

// Failed is how many reads have failed so far.
func (d *BadPages) Failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.reads
}

// Open implements FS.
func (d *BadPages) Open(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := d.FS.Open(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &badFile{File: f, d: d, name: name}, nil
}

type badFile struct {
	File
	d    *BadPages
	name string
}

func (f *badFile) check(n int, off int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	pages := f.d.bad[f.name]
	if len(pages) == 0 || n == 0 {
		return nil
	}
	for p := off / badPageBytes; p <= (off+int64(n)-1)/badPageBytes; p++ {
		if pages[p] {
			f.d.reads++
			return &fs.PathError{Op: "read", Path: f.name, Err: syscall.EIO}
		}
	}
	return nil
}

func (f *badFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.check(len(b), off); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}

func (f *badFile) ReadExact(b []byte, off int64, once bool) (int, error) {
	if err := f.check(len(b), off); err != nil {
		return 0, err
	}
	return f.File.ReadExact(b, off, once)
}

// ReadNow finds nothing of such a page in memory.
func (f *badFile) ReadNow(b []byte, off int64) (int, error) {
	if f.check(len(b), off) != nil {
		return 0, ErrWouldWait
	}
	return f.File.ReadNow(b, off)
}

// WriteAt needs what is in a page that it does not write all of.
func (f *badFile) WriteAt(b []byte, off int64) (int, error) {
	end := off + int64(len(b))
	first, last := (off+badPageBytes-1)/badPageBytes, end/badPageBytes // whole pages
	for _, edge := range [][2]int64{{off, min(first*badPageBytes, end)}, {max(last*badPageBytes, off), end}} {
		if err := f.check(int(max(0, edge[1]-edge[0])), edge[0]); err != nil {
			return 0, err
		}
	}
	f.written(first, last)
	return f.File.WriteAt(b, off)
}

func (f *badFile) ZeroRange(off, n int64) error {
	f.written((off+badPageBytes-1)/badPageBytes, (off+n)/badPageBytes)
	return f.File.ZeroRange(off, n)
}

func (f *badFile) written(first, last int64) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	for p := range f.d.bad[f.name] {
		if first <= p && p < last {
			delete(f.d.bad[f.name], p)
		}
	}
}
