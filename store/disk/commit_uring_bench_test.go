//go:build uring

package disk

import (
	"errors"
	"syscall"
	"testing"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
)

// BenchmarkCommitRegistered is BenchmarkCommitLinked with the file and the buffer registered before.
func BenchmarkCommitRegistered(b *testing.B) {
	benchCommit(b, func(b *testing.B, f *osFile, buf []byte) func(off int64) error {
		ring := giouring.NewRing()
		if err := ring.QueueInit(8, 0); err != nil {
			b.Skip(err)
		}
		b.Cleanup(ring.QueueExit)
		if _, err := ring.RegisterFiles([]int{f.fd}); err != nil {
			b.Skip(err)
		}
		if _, err := ring.RegisterBuffers([]syscall.Iovec{{Base: &buf[0], Len: uint64(len(buf))}}); err != nil {
			b.Skip(err)
		}
		return func(off int64) error {
			w := ring.GetSQE()
			*w = giouring.SubmissionQueueEntry{}
			w.PrepareWriteFixed(0, uintptr(unsafe.Pointer(&buf[0])), uint32(len(buf)), uint64(off), 0)
			w.Flags = giouring.SqeFixedFile | giouring.SqeIOLink
			w.UserData = uint64(len(buf)) // what it is to return
			s := ring.GetSQE()
			*s = giouring.SubmissionQueueEntry{}
			s.PrepareFsync(0, giouring.FsyncDatasync)
			s.Flags = giouring.SqeFixedFile
			for {
				if n, err := ring.Submit(); err == nil && n == 2 {
					break
				} else if !errors.Is(err, syscall.EINTR) {
					return errors.Join(errQueueFull, err)
				}
			}
			return errors.Join(completed(ring), completed(ring))
		}
	})
}

// completed waits for an operation whose user data is the result that it must have.
func completed(ring *giouring.Ring) error {
	for {
		cqe, err := ring.WaitCQE()
		if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.EAGAIN) {
			continue
		}
		if err != nil {
			return err
		}
		res, want := cqe.Res, int32(cqe.UserData)
		ring.CQESeen(cqe)
		if res < 0 {
			return syscall.Errno(-res)
		}
		if res != want {
			return errors.New("done in part")
		}
		return nil
	}
}
