package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// OS is the host's file system.
func OS() FS { return osFS{} }

type osFS struct{}

func (osFS) Open(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f, fd: int(f.Fd())}, nil
}

func (osFS) WriteInto(name string, b []byte, off int64) (err error) {
	var fd int
	if err := retry(func() (err error) {
		fd, err = unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		return err
	}, "open", name); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	for len(b) > 0 {
		n := 0
		if err := retry(func() (err error) {
			n, err = unix.Pwrite(fd, b, off)
			return err
		}, "write", name); err != nil {
			return err
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}

func (osFS) Rename(from, to string) error               { return os.Rename(from, to) }
func (osFS) Remove(name string) error                   { return os.Remove(name) }
func (osFS) RemoveAll(name string) error                { return os.RemoveAll(name) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }

// MkdirAll tries first what is mostly enough: one call for a folder in one that is there.
func (osFS) MkdirAll(name string, perm fs.FileMode) error {
	if os.Mkdir(name, perm) == nil {
		return nil
	}
	return os.MkdirAll(name, perm)
}

func (osFS) SyncDir(name string) error {
	if dropSyncDir {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}

func (osFS) Space(name string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(name, &s); err != nil {
		return Space{}, fmt.Errorf("statfs %s: %w", name, err)
	}
	block := int64(s.Bsize)
	// What is kept for root is neither used nor free, to us, as to df and to stock.
	return Space{TotalBytes: int64(s.Blocks-s.Bfree+s.Bavail) * block, FreeBytes: int64(s.Bavail) * block, TotalInodes: int64(s.Files), FreeInodes: int64(s.Ffree)}, nil
}

// Lock takes byte 0, as Java's FileChannel does. An open-file-description lock conflicts with the classic locks of other
// processes and, unlike them, also with a second open within this one.
func (osFS) Lock(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: 1}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, name)
		}
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return f, nil
}

type osFile struct {
	*os.File
	fd  int
	can abilities

	mu     sync.Mutex
	direct atomic.Pointer[os.File] // a second descriptor that passes the page cache; opened at first use
	zeros  *Buffer                 // for zeroing, whose turns mu gives
	exact  atomic.Pointer[os.File] // a third one, for reads without reading ahead; opened at first use
	closed bool
}

func (f *osFile) Size() (int64, error) {
	i, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return i.Size(), nil
}

func (f *osFile) Allocate(off, n int64) error {
	return retry(func() error { return unix.Fallocate(f.fd, 0, off, n) }, "fallocate", f.Name())
}

func (f *osFile) Datasync() error {
	if dropDatasync {
		return nil
	}
	return retry(func() error { return fdatasync(f.fd) }, "fdatasync", f.Name())
}

func (f *osFile) Sync() error {
	if dropDatasync {
		return nil
	}
	return f.File.Sync()
}

func (f *osFile) SyncRange(off, n int64) error {
	return retry(func() error { return unix.SyncFileRange(f.fd, off, n, unix.SYNC_FILE_RANGE_WRITE) }, "sync_file_range", f.Name())
}

const (
	zeroChunk   = 1 << 20
	directAlign = 4096
)

// ZeroRange writes whole aligned blocks directly and the ragged ends through the page cache.
func (f *osFile) ZeroRange(off, n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.zeros == nil {
		b, err := Arena(zeroChunk)
		if err != nil {
			return err
		}
		f.zeros = b
	}
	direct := f.openDirect()
	for n > 0 {
		to, part := f.File, min(n, zeroChunk)
		if ragged := off % directAlign; ragged != 0 {
			part = min(part, directAlign-ragged)
		} else if direct != nil && part >= directAlign {
			to, part = direct, part-part%directAlign
		}
		if _, err := to.WriteAt(f.zeros.Bytes()[:part], off); err != nil {
			if to == direct && errors.Is(err, unix.EINVAL) {
				f.can.noDirect.Store(true)
				direct = nil
				continue
			}
			return err
		}
		off, n = off+part, n-part
	}
	return nil
}

// directFile is a descriptor that passes the page cache, nil where there can be none.
func (f *osFile) directFile() *os.File {
	if f.can.noDirect.Load() {
		return nil
	}
	if direct := f.direct.Load(); direct != nil {
		return direct
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.openDirect()
}

// openDirect is directFile with mu held.
func (f *osFile) openDirect() *os.File {
	if direct := f.direct.Load(); direct != nil || f.closed || f.can.noDirect.Load() {
		return direct
	}
	// By descriptor, since the file may have been renamed.
	direct, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.fd), os.O_WRONLY|unix.O_DIRECT, 0)
	if err != nil {
		f.can.noDirect.Store(true)
		return nil
	}
	f.direct.Store(direct)
	return direct
}

// aligned says that a write can pass the page cache.
func aligned(b []byte, off int64) bool {
	return len(b) > 0 && (uintptr(unsafe.Pointer(&b[0]))|uintptr(len(b))|uintptr(off))%directAlign == 0
}

// writePast is WriteAt past the page cache where that can be, through it otherwise.
func (f *osFile) writePast(b []byte, off int64) (n int, err error) {
	direct := f.directFile()
	if direct == nil || !aligned(b, off) {
		return f.WriteAt(b, off)
	}
	if n, err = direct.WriteAt(b, off); errors.Is(err, unix.EINVAL) {
		f.can.noDirect.Store(true)
		k, err := f.WriteAt(b[n:], off+int64(n))
		return n + k, err
	}
	return n, err
}

func (f *osFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.zeros != nil {
		f.zeros.Free()
		f.zeros = nil
	}
	f.closed = true
	if direct := f.direct.Swap(nil); direct != nil {
		_ = direct.Close()
	}
	if exact := f.exact.Swap(nil); exact != nil {
		_ = exact.Close()
	}
	return f.File.Close()
}

func retry(call func() error, what, name string) error {
	for {
		err := call()
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return &fs.PathError{Op: what, Path: name, Err: err}
		}
	}
}
