package disk

import (
	"errors"
	"io"
	"io/fs"
)

// FS is a file system with explicit durability: data survives a power cut after Datasync or Sync of its file, a name
// (created, renamed or removed) after SyncDir of its directory, and either after SyncAll. All methods may be called by any goroutine.
type FS interface {
	// Open opens a file; flag is made of os.O_RDONLY, os.O_RDWR, os.O_CREATE, os.O_EXCL and os.O_TRUNC.
	Open(name string, flag int, perm fs.FileMode) (File, error)
	// WriteInto writes b at off into a file that is there, in passing: nothing is opened for longer.
	WriteInto(name string, b []byte, off int64) error
	Rename(from, to string) error
	Remove(name string) error
	RemoveAll(name string) error
	MkdirAll(name string, perm fs.FileMode) error
	// ReadDir lists a directory by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	SyncDir(name string) error
	Space(name string) (Space, error)
	// Lock takes the exclusive lock of a file, created if need be, against every other holder in this process and in
	// others, the reference broker included. It does not wait: ErrLocked.
	Lock(name string) (io.Closer, error)
}

// File is one open file. ReadAt and WriteAt may run side by side.
type File interface {
	io.ReaderAt
	io.WriterAt
	// ReadNow reads what can be had without waiting for the disk: the bytes from off on that are in memory. Fewer than b holds
	// come with ErrWouldWait, or io.EOF at the end of the file. It starts no read of its own, or one that it does not wait for.
	ReadNow(b []byte, off int64) (int, error)
	// ReadExact is ReadAt for readers here and there: only the pages that b lies in are read, and nothing behind them because somebody
	// may want it next. once: pages that it has to bring into the page cache do not stay there, where the kernel can
	// do that; those that were there before do.
	ReadExact(b []byte, off int64, once bool) (int, error)
	// Resident asks the kernel how many bytes of [off, off+n) are in the page cache, in whole pages and at most n. known is false
	// where it does not tell. The answer may be old when it arrives.
	Resident(off, n int64) (bytes int64, known bool)
	// DropCached takes the pages that [off, off+n) lies in out of the page cache, so that they are next read from the disk. Those that are not written
	// back stay, and so may others that somebody uses: it is what the kernel is asked for.
	DropCached(off, n int64) error
	Size() (int64, error)
	Truncate(size int64) error
	// Allocate reserves space for [off, off+n) and extends the file to it. What was not written reads as zeros.
	Allocate(off, n int64) error
	// ZeroRange writes zeros over [off, off+n), past the page cache where the file system allows it. The caller paces it.
	ZeroRange(off, n int64) error
	// SyncRange starts writing [off, off+n) back without waiting; it promises no durability.
	SyncRange(off, n int64) error
	Datasync() error
	Sync() error
	// SyncAll, of a directory, makes durable what was written to any file of the file system that it lies on, and all names there. It fails too when the system could not write something back since the file was opened, whoever wrote that.
	// ErrNoSyncAll, and nothing promised, where the kernel or the file system promises less.
	SyncAll() error
	Close() error
	Name() string
}

// Space of the file system that holds a directory.
type Space struct {
	TotalBytes  int64 // what is used, and FreeBytes
	FreeBytes   int64 // what an ordinary process may still take
	TotalInodes int64 // 0: the file system makes them as they are needed, and FreeInodes means nothing
	FreeInodes  int64
}

// Errors of this package.
var (
	ErrLocked  = errors.New("disk: locked by another process")
	ErrCrashed = errors.New("disk: crashed")
	ErrNoUring = errors.New("disk: no io_uring")
	ErrUndone  = errors.New("disk: the operation was not done in full, and may be done again")
	ErrLinked  = errors.New("disk: the operation this one was linked to failed")
	// ErrNoSyncAll: files and directories have to be synced one by one.
	ErrNoSyncAll = errors.New("disk: no sync of a whole file system that can be relied upon")
	// ErrWouldWait: not all of it is in memory.
	ErrWouldWait = errors.New("disk: the read would have to wait for the disk")
)
