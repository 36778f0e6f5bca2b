package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"ringmq/store/disk"
)

const (
	// pieceBytes are copied between two looks at whether that is still wanted. The kernel copies them, and shares them where the file
	// system can.
	pieceBytes = 64 << 20
	// Of lseek(2): where the next data is, and where the next hole.
	seekData = 3
	seekHole = 4
)

// copy copies one file with its holes and makes its content durable.
func (r *restoring) copy(f copied) (err error) {
	from, err := os.Open(filepath.Join(r.From, f.name))
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	name := filepath.Join(r.To, f.name)
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := to.Truncate(info.Size()); err != nil {
		return err
	}
	if err := r.copyData(to, from, info.Size()); err != nil {
		return fmt.Errorf("copy %s: %w", f.name, err)
	}
	if f.whole && info.Size() > 0 {
		if err := allocate(name, info.Size()); err != nil {
			return err
		}
	}
	r.done += f.bytes
	return errors.Join(r.own(name), to.Sync())
}

// allocate takes the space of a segment's holes: a log is never short of space in the middle of one.
func allocate(name string, size int64) error {
	f, err := disk.OS().Open(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Allocate(0, size)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// copyData copies what of a file is no hole.
func (r *restoring) copyData(to, from *os.File, size int64) error {
	for at := int64(0); at < size; {
		begin, err := from.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return nil // nothing but a hole to the end
		}
		end := size
		if err != nil {
			begin = at // the file system does not tell
		} else if end, err = from.Seek(begin, seekHole); err != nil || end <= begin {
			end = size
		}
		for at = begin; at < end; {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			n, err := copyPiece(to, from, at, min(end-at, pieceBytes))
			if err != nil {
				return err
			}
			at += n
			r.Progress("copy", min(r.done+at, r.total), r.total)
		}
	}
	return nil
}

// copyPiece copies n bytes at a place of both.
func copyPiece(to, from *os.File, at, n int64) (int64, error) {
	if _, err := from.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	if _, err := to.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	done, err := io.CopyN(to, from, n)
	return done, err
}
