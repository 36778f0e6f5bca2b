//go:build uring

package disk

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
)

// uringRing keeps a slot for every operation in flight; the slot's number travels through the kernel as user data.
type uringRing struct {
	ring   *giouring.Ring
	slots  []uringSlot
	free   []uint32
	flying int
}

type uringSlot struct {
	op *Op
	// the slot of the operation this one is linked behind, or none: its fate decides what a cancellation means
	before *Op
}

// NewUringRing returns the io_uring engine, or ErrNoUring with the kernel's reason where it is forbidden.
func NewUringRing(depth int) (Ring, error) {
	ring := giouring.NewRing()
	if err := ring.QueueInit(uint32(depth), 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoUring, err)
	}
	r := &uringRing{ring: ring, slots: make([]uringSlot, depth), free: make([]uint32, 0, depth)}
	for i := depth - 1; i >= 0; i-- {
		r.free = append(r.free, uint32(i))
	}
	return r, nil
}

func (r *uringRing) Submit(ops []*Op) error {
	if len(ops) > len(r.free) {
		panic("disk: more operations in flight than the ring is deep")
	}
	var before *Op
	for _, op := range ops {
		op.N, op.Err = 0, nil
		sqe := r.ring.GetSQE()
		if sqe == nil {
			return errors.New("disk: io_uring submission queue is full")
		}
		// giouring leaves fields of an earlier operation in a reused entry.
		*sqe = giouring.SubmissionQueueEntry{}
		r.prepare(sqe, op)
		slot := r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
		r.slots[slot] = uringSlot{op: op, before: before}
		sqe.UserData = uint64(slot)
		before = nil
		if op.Link {
			sqe.Flags |= giouring.SqeIOLink
			before = op
		}
		r.flying++
	}
	for {
		_, err := r.ring.Submit()
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EAGAIN) {
			return fmt.Errorf("disk: io_uring submit: %w", err)
		}
	}
}

func (r *uringRing) prepare(sqe *giouring.SubmissionQueueEntry, op *Op) {
	f, ok := op.File.(*osFile)
	if !ok {
		panic("disk: io_uring works with files of the host only")
	}
	addr := uintptr(0)
	if len(op.Buf) > 0 {
		addr = uintptr(unsafe.Pointer(&op.Buf[0]))
	}
	switch op.Kind {
	case OpWrite:
		sqe.PrepareWrite(f.fd, addr, uint32(len(op.Buf)), uint64(op.Offset))
	case OpRead:
		sqe.PrepareRead(f.fd, addr, uint32(len(op.Buf)), uint64(op.Offset))
	case OpDatasync:
		if dropDatasync {
			sqe.PrepareNop()
		} else {
			sqe.PrepareFsync(f.fd, giouring.FsyncDatasync)
		}
	}
}

func (r *uringRing) Wait(least int, done []*Op) ([]*Op, error) {
	least = min(least, r.flying)
	for got := 0; ; got++ {
		cqe, err := r.ring.PeekCQE()
		if cqe == nil || err != nil {
			if got >= least {
				return done, nil
			}
			cqe, err = r.ring.WaitCQE()
			if errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.EAGAIN) {
				got--
				continue
			}
			if err != nil {
				return done, fmt.Errorf("disk: io_uring wait: %w", err)
			}
		}
		slot, res := uint32(cqe.UserData), cqe.Res
		r.ring.CQESeen(cqe)
		s := r.slots[slot]
		r.slots[slot] = uringSlot{}
		r.free = append(r.free, slot)
		r.flying--
		s.finish(res)
		done = append(done, s.op)
	}
}

// finish turns the kernel's result into the operation's. A short transfer is completed here by ordinary calls; the kernel
// cancels what was linked behind it, which is then done here too.
func (s *uringSlot) finish(res int32) {
	op := s.op
	switch {
	case res == -int32(syscall.ECANCELED) && s.before != nil:
		if s.before.Err != nil {
			op.Err = ErrLinked
			return
		}
		op.perform()
	case res == -int32(syscall.EINTR) || res == -int32(syscall.EAGAIN):
		op.perform()
	case res < 0:
		op.Err = syscall.Errno(-res)
	case op.Kind != OpDatasync:
		op.N = int(res)
		if op.N < len(op.Buf) {
			op.perform()
		}
		if op.Err == nil && op.N < len(op.Buf) {
			op.Err = io.ErrShortWrite
		}
	}
}

func (r *uringRing) Depth() int   { return len(r.slots) }
func (r *uringRing) Name() string { return "io_uring" }

// Close waits for what is in flight, so that the kernel holds no buffer of the caller's any more.
func (r *uringRing) Close() error {
	_, err := r.Wait(r.flying, nil)
	r.ring.QueueExit()
	return err
}
