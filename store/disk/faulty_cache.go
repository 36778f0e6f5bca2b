package disk

import "io/fs"

// SetCold says which parts of files are not in the page cache; nil: everything is there. fn must not use the Faulty.
func (d *Faulty) SetCold(fn func(name string, off, n int64) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cold = fn
}

// OnRead calls fn before each read that may wait, without any lock held: fn may block to have a slow disk.
func (d *Faulty) OnRead(fn func(name string, off int64, n int)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onRead = fn
}

// FailReads has reads that may wait fail with err, also those that OnRead keeps waiting; nil: they do not.
func (d *Faulty) FailReads(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noRead = err
}

func (f *memFile) ReadAt(b []byte, off int64) (int, error) {
	f.d.mu.Lock()
	hook := f.d.onRead
	f.d.mu.Unlock()
	if hook != nil {
		hook(f.name, off, len(b))
	}
	f.d.mu.Lock()
	err := f.d.noRead
	f.d.mu.Unlock()
	if err != nil {
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	}
	return f.read(b, off)
}

// ReadExact implements File. What is cold is the test's to say, before and after.
func (f *memFile) ReadExact(b []byte, off int64, _ bool) (int, error) { return f.ReadAt(b, off) }

// ReadNow implements File: all of b, or nothing where a part of it is cold.
func (f *memFile) ReadNow(b []byte, off int64) (int, error) {
	if there, _ := f.Resident(off, int64(len(b))); there < int64(len(b)) {
		return 0, ErrWouldWait
	}
	return f.read(b, off)
}

// DropCached implements File.
func (f *memFile) DropCached(off, n int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return ErrCrashed
	}
	f.n.reread(off/pageBytes, (off+n+pageBytes-1)/pageBytes)
	return nil
}

// Resident implements File: all of a range, or nothing where a part of it is cold.
func (f *memFile) Resident(off, n int64) (bytes int64, known bool) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.cold != nil && f.d.cold(f.name, off, n) {
		return 0, true
	}
	return n, true
}
