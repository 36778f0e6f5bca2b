package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	rwfDontCache = 0x80 // since 6.14; x/sys does not know it yet
	sysCachestat = 451  // since 6.5, the same number on every architecture
)

// abilities are what the kernel or the file system of one open file was found not to do.
type abilities struct {
	noNow    atomic.Bool // reads that do not wait
	noOnce   atomic.Bool // reads that leave nothing in the page cache
	noStat   atomic.Bool // cachestat
	noMapped atomic.Bool // mincore
	noDirect atomic.Bool // writes past the page cache
}

// ReadNow implements File. Through the ordinary descriptor it may come upon the mark of a page that was read ahead, and have the
// kernel read on; so it takes the one that does not, if there is one.
func (f *osFile) ReadNow(b []byte, off int64) (int, error) {
	fd, got := f.fd, 0
	if exact := f.exact.Load(); exact != nil {
		fd = int(exact.Fd())
	}
	for got < len(b) && !f.can.noNow.Load() {
		n, errno := preadv2(fd, b[got:], off+int64(got), unix.RWF_NOWAIT)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return got, ErrWouldWait
		case refused(errno):
			f.can.noNow.Store(true)
		case errno != 0:
			return got, &fs.PathError{Op: "read", Path: f.Name(), Err: errno}
		case n == 0:
			return got, io.EOF
		}
		got += n
	}
	if got < len(b) {
		return got, ErrWouldWait
	}
	return got, nil
}

// ReadExact implements File.
func (f *osFile) ReadExact(b []byte, off int64, once bool) (int, error) {
	from, got := f.exactFile(), 0
	for once && got < len(b) && !f.can.noOnce.Load() {
		n, errno := preadv2(int(from.Fd()), b[got:], off+int64(got), rwfDontCache)
		switch {
		case errno == unix.EINTR:
		case refused(errno):
			f.can.noOnce.Store(true)
		case errno != 0:
			return got, &fs.PathError{Op: "read", Path: f.Name(), Err: errno}
		case n == 0:
			return got, io.EOF
		}
		got += n
	}
	if got == len(b) {
		return got, nil
	}
	n, err := from.ReadAt(b[got:], off+int64(got))
	return got + n, err
}

// exactFile is a descriptor of its own on which the kernel does not read ahead. Where there can be none it is the file's.
func (f *osFile) exactFile() *os.File {
	if exact := f.exact.Load(); exact != nil {
		return exact
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if exact := f.exact.Load(); exact != nil {
		return exact
	}
	if f.closed {
		return f.File
	}
	// By descriptor, since the file may have been renamed.
	exact, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.fd), os.O_RDONLY, 0)
	if err != nil {
		return f.File
	}
	_ = unix.Fadvise(int(exact.Fd()), 0, 0, unix.FADV_RANDOM) // without it more is read than was asked for
	f.exact.Store(exact)
	return exact
}

// refused says that a kernel or a file system does not know a call or its flags, or that a filter forbids it.
func refused(errno syscall.Errno) bool {
	return errno == unix.EOPNOTSUPP || errno == unix.ENOSYS || errno == unix.EINVAL || errno == unix.EPERM
}

// Refused says that an error means as much: it would come again every time.
func Refused(err error) bool {
	errno := syscall.Errno(0)
	return errors.Is(err, ErrNoUring) || errors.As(err, &errno) && refused(errno)
}

func preadv2(fd int, b []byte, off int64, flags uintptr) (int, syscall.Errno) {
	v := unix.Iovec{Base: &b[0]}
	v.SetLen(len(b))
	// The offset goes in two halves of the machine's word, of which the higher one matters where words are short.
	n, _, errno := unix.Syscall6(unix.SYS_PREADV2, uintptr(fd), uintptr(unsafe.Pointer(&v)), 1, uintptr(off), uintptr(uint64(off)>>32), flags)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// DropCached implements File. Pages that are given in part the kernel would keep.
func (f *osFile) DropCached(off, n int64) error {
	page := int64(os.Getpagesize())
	first, end := off-off%page, (off+n+page-1)/page*page
	return retry(func() error { return unix.Fadvise(f.fd, first, end-first, unix.FADV_DONTNEED) }, "fadvise", f.Name())
}

// Resident implements File.
func (f *osFile) Resident(off, n int64) (bytes int64, known bool) {
	if n <= 0 {
		return 0, true
	}
	page := int64(os.Getpagesize())
	first := off - off%page
	pages, known := f.cached(first, off+n-first)
	return min(pages*page, n), known
}

// cached counts the pages of [off, off+n) in the page cache; off begins a page.
func (f *osFile) cached(off, n int64) (pages int64, known bool) {
	if !f.can.noStat.Load() {
		window := struct{ off, n uint64 }{uint64(off), uint64(n)}
		var stat struct{ cached, dirty, writeback, evicted, recentlyEvicted uint64 }
		_, _, errno := unix.Syscall6(sysCachestat, uintptr(f.fd), uintptr(unsafe.Pointer(&window)), uintptr(unsafe.Pointer(&stat)), 0, 0, 0)
		if errno == 0 {
			return int64(stat.cached), true
		}
		if refused(errno) {
			f.can.noStat.Store(true)
		}
	}
	if f.can.noMapped.Load() {
		return 0, false
	}
	pages, err := f.mincore(off, n)
	if Refused(err) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EACCES) {
		f.can.noMapped.Store(true)
	}
	return pages, err == nil
}

// mincore counts pages through a mapping of the range that is never touched.
func (f *osFile) mincore(off, n int64) (pages int64, err error) {
	m, err := unix.Mmap(f.fd, off, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return 0, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	page := int64(os.Getpagesize())
	there := make([]byte, (n+page-1)/page)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(n), uintptr(unsafe.Pointer(&there[0])))
	if err := unix.Munmap(m); err != nil || errno != 0 {
		return 0, errors.Join(err, fmt.Errorf("mincore: %w", errno))
	}
	for _, p := range there {
		pages += int64(p & 1)
	}
	return pages, nil
}
