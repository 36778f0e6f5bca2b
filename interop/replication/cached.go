package main

import (
	"os"
	"path/filepath"

	"ringmq/store/disk"
)

// cachePiece is as much of a file as is read, or asked for, at a time.
const cachePiece = 1 << 20

// bringIn reads the files of a log, so that they are in the page cache. They are dropped from it before: a page that a broker has brought in is part
// of its control group's memory, which is too small for the log, and the kernel takes it away when that broker needs another. What is read here is
// part of this program's memory.
func bringIn(dir string) error {
	return eachFile(dir, func(f disk.File, size int64) error {
		if err := f.Sync(); err != nil { // pages that are not written are not dropped
			return err
		}
		if err := f.DropCached(0, size); err != nil {
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
	err = eachFile(dir, func(f disk.File, size int64) error {
		for at := int64(0); at < size; at += cachePiece {
			n := min(cachePiece, size-at)
			cached, known := f.Resident(at, n)
			if !known {
				return skipped("the kernel does not say what is in the page cache")
			}
			if bytes > 0 || cached < n {
				bytes += n
			}
		}
		return nil
	})
	return bytes, err
}

// eachFile opens the files of a directory one after the other.
func eachFile(dir string, do func(f disk.File, size int64) error) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		f, err := disk.OS().Open(name, os.O_RDWR, 0)
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
