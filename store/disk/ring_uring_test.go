//go:build uring

package disk

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
)

// TestRefusalsAreCounted: a kernel that takes nothing for a while is asked again, and that shows; nothing is done twice.
func TestRefusalsAreCounted(t *testing.T) {
	made, err := NewUringRing(8)
	if err != nil {
		t.Skip(err)
	}
	defer made.Close()
	r := made.(*uringRing)
	real, answers := r.take, []error{syscall.EAGAIN, syscall.EBUSY, syscall.EINTR}
	r.take = func() (uint, error) {
		if len(answers) == 0 {
			return real()
		}
		err := answers[0]
		answers = answers[1:]
		return 0, err
	}
	f, _ := scratch(t)
	op := &Op{Kind: OpWrite, File: f, Buf: arena(t, 4096)}
	runOps(t, r, op)
	if got := r.Counts(); op.Err != nil || op.N != 4096 || got != (RingCounts{Submitted: 1, Refused: 2}) {
		t.Error(op.N, op.Err, got)
	}
}

// countedSyncs is a file that counts how often it is synced by a call.
type countedSyncs struct {
	File
	n int
}

func (f *countedSyncs) Datasync() error {
	f.n++
	return f.File.Datasync()
}

// TestFinish: what becomes of a write of 4096 bytes and of the sync behind it, by what the kernel says of both. As many bytes as it says are in the
// file before.
func TestFinish(t *testing.T) {
	const (
		cancelled   = -int32(syscall.ECANCELED)
		interrupted = -int32(syscall.EINTR)
		refused     = -int32(syscall.EAGAIN)
		full        = -int32(syscall.ENOSPC)
		broken      = -int32(syscall.EIO)
	)
	type again struct{ write, sync bool }
	for _, c := range []struct {
		name        string
		ringing     bool
		readOnly    bool // calls cannot write
		write, sync int32
		n           int // bytes of the write that are done and in the file
		writeErr    error
		syncErr     error
		again       again
		syncs       int // by calls
	}{
		{name: "whole", write: 4096, n: 4096},
		{name: "half", write: 2048, sync: cancelled, n: 4096, again: again{true, true}, syncs: 1},
		{name: "nothing", write: 0, sync: cancelled, n: 4096, again: again{true, true}, syncs: 1},
		{name: "interrupted", write: interrupted, sync: cancelled, n: 4096, again: again{true, true}, syncs: 1},
		{name: "refused", write: refused, sync: cancelled, n: 4096, again: again{true, true}, syncs: 1},
		{name: "both cancelled", write: cancelled, sync: cancelled, n: 4096, again: again{true, true}, syncs: 1},
		{name: "sync interrupted", write: 4096, sync: interrupted, n: 4096, again: again{false, true}, syncs: 1},
		{name: "sync broken", write: 4096, sync: broken, n: 4096, syncErr: syscall.EIO},
		{name: "half, the rest fails", readOnly: true, write: 2048, sync: cancelled, n: 2048, writeErr: syscall.EBADF, syncErr: ErrLinked, again: again{true, false}},
		{name: "disk full", write: full, sync: cancelled, writeErr: syscall.ENOSPC, syncErr: ErrLinked},

		{name: "ringing whole", ringing: true, write: 4096, n: 4096},
		{name: "ringing half", ringing: true, write: 2048, sync: cancelled, n: 2048, writeErr: ErrUndone, syncErr: ErrUndone, again: again{true, true}},
		{name: "ringing half, synced", ringing: true, write: 2048, n: 2048, writeErr: ErrUndone, again: again{true, false}},
		{name: "ringing nothing", ringing: true, write: 0, sync: cancelled, writeErr: ErrUndone, syncErr: ErrUndone, again: again{true, true}},
		{name: "ringing interrupted", ringing: true, write: interrupted, sync: cancelled, writeErr: ErrUndone, syncErr: ErrUndone, again: again{true, true}},
		{name: "ringing refused", ringing: true, write: refused, sync: cancelled, writeErr: ErrUndone, syncErr: ErrUndone, again: again{true, true}},
		{name: "ringing sync refused", ringing: true, write: 4096, sync: refused, n: 4096, syncErr: ErrUndone, again: again{false, true}},
		{name: "ringing disk full", ringing: true, write: full, writeErr: syscall.ENOSPC},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, readOnly := scratch(t)
			counted := &countedSyncs{File: f}
			if c.readOnly {
				counted.File = readOnly
			}
			buf := numbered(t)
			if _, err := f.WriteAt(buf[:max(0, c.write)], 0); err != nil {
				t.Fatal(err)
			}
			w, d := &Op{Kind: OpWrite, File: counted, Buf: buf, Link: !c.ringing}, &Op{Kind: OpDatasync, File: counted}
			write, sync := uringSlot{op: w, ringing: c.ringing}, uringSlot{op: d, ringing: c.ringing}
			if !c.ringing {
				sync.before = w
			}
			got := again{write: write.finish(c.write)}
			got.sync = sync.finish(c.sync)
			if got != c.again || w.N != c.n || !errors.Is(w.Err, c.writeErr) || !errors.Is(d.Err, c.syncErr) {
				t.Errorf("done again %v, %d bytes, %v; sync: %v", got, w.N, w.Err, d.Err)
			}
			if counted.n != c.syncs {
				t.Errorf("synced by %d calls, not %d", counted.n, c.syncs)
			}
			if in, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(in, buf[:c.n]) {
				t.Errorf("%d bytes in the file, or others than those of the write: %v", len(in), err)
			}
		})
	}
}

// TestHalfAWrite: the kernel writes half, as it is told to, and the ring finds that less was written than the operation has.
func TestHalfAWrite(t *testing.T) {
	made, err := NewUringRing(8)
	if err != nil {
		t.Skip(err)
	}
	defer made.Close()
	r := made.(*uringRing)
	for i, ringing := range []bool{false, true} {
		f, _ := scratch(t)
		buf := numbered(t)
		op := &Op{Kind: OpWrite, File: f, Buf: buf}
		sqe, err := r.enter(op, uringSlot{op: op, ringing: ringing})
		if err != nil {
			t.Fatal(err)
		}
		sqe.Len = 2048
		r.given(1)
		if _, err := r.submit(1); err != nil {
			t.Fatal(err)
		}
		n, wrong := 4096, error(nil)
		if ringing {
			n, wrong = 2048, ErrUndone
		}
		if done, err := r.Wait(1, nil); err != nil || len(done) != 1 || op.N != n || !errors.Is(op.Err, wrong) {
			t.Fatal(ringing, len(done), err, op.N, op.Err)
		}
		if in, err := os.ReadFile(f.Name()); err != nil || !bytes.Equal(in, buf[:n]) {
			t.Error(ringing, len(in), err)
		}
		if got := r.Counts(); got != (RingCounts{Submitted: int64(i + 1), Redone: int64(i + 1)}) {
			t.Error(ringing, got)
		}
	}
}

// numbered is a block of 4096 bytes that differ from their neighbours.
func numbered(t testing.TB) []byte {
	buf := arena(t, 4096)
	for i := range buf {
		buf[i] = byte(i*7 + i>>8)
	}
	return buf
}
