package commitlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// asideDir is where segments go that a start takes out of the log although they hold something: nobody can say whose it is, so that it is
// not for a start to destroy.
const asideDir = "aside"

// giveUp takes segments out of the log that lie behind its end, from the last one backwards: a crash in between must not leave a hole.
func (l *Log) giveUp(list []*segment) error {
	for i := len(list) - 1; i >= 0; i-- {
		s := list[i]
		name := filepath.Join(l.o.Dir, record.FileName(s.start))
		kept, err := l.mayHold(s)
		if err == nil && kept {
			err = l.setAside(name)
		}
		if err != nil {
			return fmt.Errorf("commit log: %s lies behind the log's end: %w", name, err)
		}
		if err := s.file.Close(); err != nil {
			return err
		}
		if kept {
			continue
		}
		if err := l.o.FS.Remove(name); err != nil {
			return err
		}
	}
	return l.o.FS.SyncDir(l.o.Dir)
}

// mayHold says whether a segment behind the log's end holds something that was not looked at for what it is. After an orderly end of ours it
// does not. What a crash of ours leaves lies so near to the log's end that all of it was searched; behind that a few places are looked at.
// Of a log that others wrote everything is.
func (l *Log) mayHold(s *segment) (bool, error) {
	m := l.mark
	if s.start < l.lastEnd || m.known && m.Clean && m.Durable == l.lastEnd {
		return false, nil
	}
	const places = 64
	at, step, n := int64(0), int64(windowBytes), int64(windowBytes)
	if m.known {
		at, n = max(0, max(m.Durable, l.lastEnd)+l.reach()-s.start), pageBytes
		step = max(l.o.SegmentBytes/places, n)
	}
	buf, zeros := make([]byte, n), make([]byte, n)
	for ; at < l.o.SegmentBytes; at += step {
		b := buf[:min(n, l.o.SegmentBytes-at)]
		if _, err := s.file.ReadExact(b, at, false); disk.IsUnreadable(err) {
			return true, nil
		} else if err != nil && err != io.EOF {
			return false, err
		}
		if !bytes.Equal(b, zeros[:len(b)]) {
			return true, nil
		}
	}
	return false, nil
}

// setAside moves a file of the log into a folder beside it, under a name that is not taken there.
func (l *Log) setAside(name string) error {
	err := l.moveTo(filepath.Join(l.o.StateDir, asideDir), name)
	if errors.Is(err, syscall.EXDEV) {
		err = l.moveTo(filepath.Join(l.o.Dir, innerDir, asideDir), name)
	}
	return err
}

func (l *Log) moveTo(dir, name string) error {
	if err := l.o.FS.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	to := filepath.Join(dir, filepath.Base(name))
	for n := 1; ; n++ {
		if _, err := l.o.FS.Stat(to); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return err
		}
		to = filepath.Join(dir, fmt.Sprintf("%s.%d", filepath.Base(name), n))
	}
	if err := l.o.FS.Rename(name, to); err != nil {
		return err
	}
	l.logger.Error("commit log: a segment behind the log's end holds something and was set aside", "segment", name, "kept", to)
	return errors.Join(l.o.FS.SyncDir(dir), l.o.FS.SyncDir(filepath.Dir(dir)))
}
