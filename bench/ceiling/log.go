package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"ringmq/store/disk"
)

// log is a buffer that many append to and one goroutine writes to a file, through the engine that a broker would take there. Two buffers take
// turns: one gathers while the other is written.
type log struct {
	fs   disk.FS
	file disk.File
	ring disk.Ring
	size int64
	room int // bytes of a buffer; no more is taken until it is written
	sync bool

	mu      sync.Mutex
	more    *sync.Cond // told when there is something to write, or stopped
	gather  []byte
	end     int64 // of what was appended, counted from the start
	stopped bool

	durable atomic.Int64 // what was written, and synced if asked for
}

const (
	roomBytes = 32 << 20
	zeroBytes = 1 << 20
)

// openLog makes the file and writes zeros to all of it, so that a commit changes no metadata. The ring is the log's, unless there is an error.
func openLog(name string, size int64, room int, synced bool, ring disk.Ring) (*log, error) {
	if size < int64(2*room) {
		return nil, fmt.Errorf("a file of %d bytes is too small, it must have %d", size, 2*room)
	}
	fs := disk.OS()
	f, err := fs.Open(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l := &log{fs: fs, file: f, ring: ring, size: size, room: room, sync: synced, gather: make([]byte, 0, room)}
	l.more = sync.NewCond(&l.mu)
	zeros := make([]byte, zeroBytes)
	for at := int64(0); at < size && err == nil; at += zeroBytes {
		_, err = f.WriteAt(zeros[:min(zeroBytes, size-at)], at)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		_ = f.Close()
		_ = fs.Remove(name)
		return nil, err
	}
	return l, nil
}

func (l *log) remove() {
	_ = l.ring.Close()
	_ = l.file.Close()
	_ = l.fs.Remove(l.file.Name())
}

// append adds the parts of a message and returns the end that durable must reach before it may be acknowledged. When ok is
// false there is no room, and end is what durable must reach before there is.
func (l *log) append(parts ...[]byte) (end int64, ok bool) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.gather) > 0 && len(l.gather)+n > l.room {
		return l.end, false
	}
	if len(l.gather) == 0 {
		l.more.Signal()
	}
	for _, p := range parts {
		l.gather = append(l.gather, p...)
	}
	l.end += int64(n)
	return l.end, true
}

// stop has commit return once everything is written.
func (l *log) stop() {
	l.mu.Lock()
	l.stopped = true
	l.more.Signal()
	l.mu.Unlock()
}

// commit writes what gathers until stop, or until a write fails, and calls done after every write. One goroutine.
func (l *log) commit(done func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	spare := make([]byte, 0, l.room)
	for at := int64(0); ; {
		l.mu.Lock()
		for len(l.gather) == 0 && !l.stopped {
			l.more.Wait()
		}
		batch, end := l.gather, l.end
		l.gather = spare[:0]
		l.mu.Unlock()
		if len(batch) == 0 {
			return nil
		}
		if at+int64(len(batch)) > l.size {
			at = 0
		}
		if err := l.write(batch, at); err != nil {
			return err
		}
		at += int64(len(batch))
		l.durable.Store(end)
		spare = batch
		done()
	}
}

// write is one commit: a write, and a sync behind it if one was asked for.
func (l *log) write(batch []byte, at int64) error {
	ops := []*disk.Op{{Kind: disk.OpWrite, File: l.file, Buf: batch, Offset: at, Link: l.sync}}
	if l.sync {
		ops = append(ops, &disk.Op{Kind: disk.OpDatasync, File: l.file})
	}
	if err := l.ring.Submit(ops); err != nil {
		return err
	}
	done, err := l.ring.Wait(len(ops), nil)
	for _, op := range done {
		err = errors.Join(err, op.Err)
	}
	return err
}
