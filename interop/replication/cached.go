package main

import (
	"errors"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cachePiece is as much of a file as is read, or asked for, at a time.
const cachePiece = 1 << 20

// bringIn reads the files of a log, so that they are in the page cache. They are dropped from it before: a page that a broker has brought in is part
// of its control group's memory, which is too small for the log, and the kernel takes it away when that broker needs another. What is read here is
// part of this program's memory.
func bringIn(dir string) error {
	return eachFile(dir, func(f *os.File, size int64) error {
		if err := f.Sync(); err != nil { // pages that are not written are not dropped
			return err
		}
		if err := unix.Fadvise(int(f.Fd()), 0, size, unix.FADV_DONTNEED); err != nil {
			return err
		}
		piece := make([]byte, cachePiece)
		for at := int64(0); at < size; at += cachePiece {
			if _, err := f.ReadAt(piece[:min(cachePiece, size-at)], at); err != nil {
				return err
			}
		}
		return nil
	})
}

// behindAbsent counts the bytes of a log's files from the first piece on that is not wholly in the page cache.
func behindAbsent(dir string) (bytes int64, err error) {
	err = eachFile(dir, func(f *os.File, size int64) error {
		for at := int64(0); at < size; at += cachePiece {
			n := min(cachePiece, size-at)
			whole, err := cached(f, at, int(n))
			if err != nil {
				return err
			}
			if bytes > 0 || !whole {
				bytes += n
			}
		}
		return nil
	})
	return bytes, err
}

// cached asks the kernel, by a mapping that is not touched, whether all of [at, at+n) is in the page cache.
func cached(f *os.File, at int64, n int) (whole bool, err error) {
	m, err := unix.Mmap(int(f.Fd()), at, n, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, unix.Munmap(m)) }()
	pages := make([]byte, (n+os.Getpagesize()-1)/os.Getpagesize())
	if _, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(n), uintptr(unsafe.Pointer(&pages[0]))); errno != 0 {
		return false, errno
	}
	for _, p := range pages {
		if p&1 == 0 {
			return false, nil
		}
	}
	return true, nil
}

// eachFile opens the files of a directory one after the other.
func eachFile(dir string, do func(f *os.File, size int64) error) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		err = do(f, info.Size())
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
