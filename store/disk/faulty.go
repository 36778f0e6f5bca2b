package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

// Faulty is an in-memory file system that can crash. After a crash surely survives only what was synced: file contents by
// Datasync or Sync, names by SyncDir. Every unsynced 512-byte sector is kept, lost or left as it was, at random; of the
// unsynced changes of names a random prefix survives, as a journal would have it.
//
// Every operation that changes something is counted, from 1; tests make the n-th fail, stop the machine at it, or block in it.
type Faulty struct {
	mu      sync.Mutex
	names   map[string]*inode // live
	stable  map[string]*inode // what a crash surely leaves, plus a prefix of pending
	pending []change          // changes of names not yet durable, oldest first
	locks   map[string]bool
	ops     int
	crashAt int
	failAt  map[int]error
	shortAt map[int]error
	short   error // of the operation that holds mu
	crashed bool
	hook    func(op int, kind, name string)
	free    int64 // bytes the file system still has; -1: no end
	lies    bool  // see Lie

	cold   func(name string, off, n int64) bool
	onRead func(name string, off int64, n int)
	noRead error // of reads that may wait
}

// change of names: to nil is a removal; a rename is two bindings that survive together.
type change struct {
	bind []binding
}

type binding struct {
	name string
	to   *inode
}

// NewFaulty returns an empty file system.
func NewFaulty() *Faulty {
	root := &inode{dir: true}
	return &Faulty{
		names: map[string]*inode{"/": root}, stable: map[string]*inode{"/": root},
		locks: map[string]bool{}, failAt: map[int]error{}, shortAt: map[int]error{}, free: -1,
	}
}

// NewMemory returns an in-memory file system for tests that want no faults.
func NewMemory() FS { return NewFaulty() }

// Crash returns the file system as the next start finds it. The old one is dead.
func (d *Faulty) Crash(rng *rand.Rand) *Faulty {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashed = true
	survivors := map[string]*inode{}
	for name, n := range d.stable {
		survivors[name] = n
	}
	for _, c := range d.pending[:rng.Intn(len(d.pending)+1)] {
		c.apply(survivors)
	}
	after := NewFaulty()
	names := make([]string, 0, len(survivors))
	for name := range survivors {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		after.names[name] = survivors[name].afterCrash(rng)
		after.stable[name] = after.names[name]
	}
	return after
}

func (c change) apply(names map[string]*inode) {
	for _, b := range c.bind {
		if b.to == nil {
			delete(names, b.name)
		} else {
			names[b.name] = b.to
		}
	}
}

// begin counts an operation and says whether it may go on. It is called without the lock and returns with it held unless it
// returns an error.
func (d *Faulty) begin(kind, name string) error {
	d.mu.Lock()
	if d.crashed {
		d.mu.Unlock()
		return ErrCrashed
	}
	d.ops++
	op, hook := d.ops, d.hook
	if hook != nil {
		d.mu.Unlock()
		hook(op, kind, name)
		d.mu.Lock()
	}
	if d.crashed || d.crashAt != 0 && op >= d.crashAt {
		d.crashed = true
		d.mu.Unlock()
		return ErrCrashed
	}
	if err := d.failAt[op]; err != nil {
		d.mu.Unlock()
		return &fs.PathError{Op: kind, Path: name, Err: err}
	}
	d.short = d.shortAt[op]
	return nil
}

func clean(name string) string { return filepath.Join("/", name) }

func notExist(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// commit applies a change of names and remembers it until its directory is synced.
func (d *Faulty) commit(bind ...binding) {
	c := change{bind: bind}
	c.apply(d.names)
	d.pending = append(d.pending, c)
}

// Open implements FS. Creating a file counts as an operation.
func (d *Faulty) Open(name string, flag int, _ fs.FileMode) (File, error) {
	path := clean(name)
	d.mu.Lock()
	n, crashed := d.names[path], d.crashed
	var f *memFile
	if n != nil {
		f = d.open(n, name)
	}
	d.mu.Unlock()
	switch {
	case crashed:
		return nil, ErrCrashed
	case n != nil && n.dir:
		return f, nil
	case n != nil && flag&flagExcl != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case n == nil && flag&flagCreate == 0:
		return nil, notExist("open", name)
	case n == nil:
		if err := d.begin("open", name); err != nil {
			return nil, err
		}
		defer d.mu.Unlock()
		if parent := d.names[filepath.Dir(path)]; parent == nil || !parent.dir {
			return nil, notExist("open", name)
		}
		n = &inode{}
		d.commit(binding{path, n})
		f = d.open(n, name)
	case flag&flagTrunc != 0:
		return f, f.Truncate(0)
	}
	return f, nil
}

// WriteInto implements FS.
func (d *Faulty) WriteInto(name string, b []byte, off int64) error {
	f, err := d.Open(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, off)
	return errors.Join(err, f.Close())
}

// Rename implements FS. Directories are renamed with all below them.
func (d *Faulty) Rename(from, to string) error {
	if err := d.begin("rename", from); err != nil {
		return err
	}
	defer d.mu.Unlock()
	a, b := clean(from), clean(to)
	n := d.names[a]
	if n == nil {
		return notExist("rename", from)
	}
	if parent := d.names[filepath.Dir(b)]; parent == nil || !parent.dir {
		return notExist("rename", to)
	}
	bind := []binding{{a, nil}, {b, n}}
	for name, below := range d.names {
		if rest, ok := strings.CutPrefix(name, a+"/"); ok {
			bind = append(bind, binding{name, nil}, binding{b + "/" + rest, below})
		}
	}
	d.commit(bind...)
	return nil
}

// Remove implements FS.
func (d *Faulty) Remove(name string) error {
	if err := d.begin("remove", name); err != nil {
		return err
	}
	defer d.mu.Unlock()
	path := clean(name)
	if d.names[path] == nil {
		return notExist("remove", name)
	}
	for other := range d.names {
		if strings.HasPrefix(other, path+"/") {
			return &fs.PathError{Op: "remove", Path: name, Err: fmt.Errorf("directory not empty")}
		}
	}
	d.commit(binding{path, nil})
	return nil
}

// RemoveAll implements FS.
func (d *Faulty) RemoveAll(name string) error {
	if err := d.begin("remove", name); err != nil {
		return err
	}
	defer d.mu.Unlock()
	path := clean(name)
	var bind []binding
	for other := range d.names {
		if other == path || strings.HasPrefix(other, path+"/") {
			bind = append(bind, binding{other, nil})
		}
	}
	if len(bind) > 0 {
		d.commit(bind...)
	}
	return nil
}

// MkdirAll implements FS.
func (d *Faulty) MkdirAll(name string, _ fs.FileMode) error {
	path := clean(name)
	d.mu.Lock()
	n, crashed := d.names[path], d.crashed
	d.mu.Unlock()
	if crashed {
		return ErrCrashed
	}
	if n != nil && n.dir {
		return nil
	}
	if err := d.begin("mkdir", name); err != nil {
		return err
	}
	defer d.mu.Unlock()
	var missing []string
	for p := path; d.names[p] == nil; p = filepath.Dir(p) {
		missing = append(missing, p)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		d.commit(binding{missing[i], &inode{dir: true}})
	}
	return nil
}

// SyncDir implements FS: the directory's names become durable, and with them every older change, as in a journal.
func (d *Faulty) SyncDir(name string) error {
	if err := d.begin("syncdir", name); err != nil {
		return err
	}
	defer d.mu.Unlock()
	path := clean(name)
	if n := d.names[path]; n == nil || !n.dir {
		return notExist("syncdir", name)
	}
	upTo := 0
	for i, c := range d.pending {
		for _, b := range c.bind {
			if filepath.Dir(b.name) == path {
				upTo = i + 1
			}
		}
	}
	for _, c := range d.pending[:upTo] {
		c.apply(d.stable)
	}
	d.pending = append([]change(nil), d.pending[upTo:]...)
	return nil
}

// Space implements FS.
func (d *Faulty) Space(string) (Space, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const total = 1 << 40
	free := d.free
	if free < 0 {
		free = total / 2
	}
	return Space{TotalBytes: total, FreeBytes: free, TotalInodes: 1 << 20, FreeInodes: 1 << 20}, nil
}

// Lock implements FS. Locks die with the machine.
func (d *Faulty) Lock(name string) (io.Closer, error) {
	f, err := d.Open(name, flagCreate, 0)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locks[clean(name)] {
		return nil, fmt.Errorf("%w: %s", ErrLocked, name)
	}
	d.locks[clean(name)] = true
	return &memLock{d: d, name: clean(name), f: f}, nil
}

type memLock struct {
	d    *Faulty
	name string
	f    File
}

func (l *memLock) Close() error {
	l.d.mu.Lock()
	delete(l.d.locks, l.name)
	l.d.mu.Unlock()
	return l.f.Close()
}
