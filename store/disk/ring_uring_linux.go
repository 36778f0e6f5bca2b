//go:build uring

package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"syscall"
	"time"
	"unsafe"

	"github.com/pawelgaczynski/giouring"
	"golang.org/x/sys/unix"
)

// uringRing keeps a slot for every operation in flight; the slot's number travels through the kernel as user data.
type uringRing struct {
	ring   *giouring.Ring
	take   func() (uint, error) // the kernel takes what was entered; ring.Submit
	slots  []uringSlot
	free   []uint32
	flying int
	chime  *Buffer // the byte that goes into a bell
	rings  bool
	dead   bool // the kernel refused entries: it may never give all of them back

	finished []*Op // without the kernel
	counters ringCounters
}

// bellSlot is the user data of a bell's entry, which has no slot: only a failure of it is ever reported.
const bellSlot = math.MaxUint64

type uringSlot struct {
	op *Op
	// the operation this one is linked behind, nil for none: its fate decides what a cancellation means
	before  *Op
	ringing bool
}

// NewUringRing returns the io_uring engine, or ErrNoUring with the kernel's reason where it is forbidden.
func NewUringRing(depth int) (Ring, error) {
	ring := giouring.NewRing()
	if err := ring.QueueInit(uint32(depth), 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoUring, err)
	}
	r := &uringRing{ring: ring, take: ring.Submit, slots: make([]uringSlot, depth), free: make([]uint32, 0, depth)}
	for i := depth - 1; i >= 0; i-- {
		r.free = append(r.free, uint32(i))
	}
	chime, err := Arena(1)
	if err != nil {
		ring.QueueExit()
		return nil, err
	}
	r.chime = chime
	r.rings = r.tryBell() == nil
	return r, nil
}

func (r *uringRing) Rings() bool { return r.rings }

// tryBell rings a bell once. Kernels before 5.17 cannot, and what may be sent is also a matter of who forbids what.
func (r *uringRing) tryBell() error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := r.SubmitRinging(nil, pair[1]); err != nil {
		return err
	}
	poll := []unix.PollFd{{Fd: int32(pair[0]), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, tryBellMs); n != 1 {
		return errors.Join(errors.New("disk: no bell"), err)
	}
	return nil
}

// tryBellMs is how long a bell may take that nothing is done before.
const tryBellMs = 50

func (r *uringRing) Submit(ops []*Op) error {
	var before *Op
	for _, op := range ops {
		sqe, err := r.enter(op, uringSlot{op: op, before: before})
		if err != nil {
			return err
		}
		before = nil
		if op.Link {
			sqe.Flags |= giouring.SqeIOLink
			before = op
		}
	}
	r.given(len(ops))
	whole, err := r.submit(len(ops))
	if err != nil || whole {
		return err
	}
	return r.again(ops)
}

// SubmitRinging links hard: what is behind a failure is done all the same, the bell above all. The first operation is the kernel's
// worker's from the start, or a write would copy on the caller's time.
func (r *uringRing) SubmitRinging(ops []*Op, bell int) error {
	for i, op := range ops {
		sqe, err := r.enter(op, uringSlot{op: op, ringing: true})
		if err != nil {
			return err
		}
		sqe.Flags |= giouring.SqeIOHardlink
		if i == 0 {
			sqe.Flags |= giouring.SqeAsync
		}
	}
	sqe := r.ring.GetSQE()
	if sqe == nil {
		return errQueueFull
	}
	*sqe = giouring.SubmissionQueueEntry{}
	sqe.PrepareSend(bell, uintptr(unsafe.Pointer(&r.chime.Bytes()[0])), 1, syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL)
	sqe.UserData = bellSlot
	sqe.Flags |= giouring.SqeCQESkipSuccess
	r.given(len(ops))
	whole, err := r.submit(len(ops) + 1)
	if err != nil || whole {
		return err
	}
	if _, err := r.Wait(r.flying, nil); err != nil {
		return err
	}
	r.counters.redone.Add(int64(len(ops)))
	return ErrUndone
}

var errQueueFull = errors.New("disk: io_uring submission queue is full")

// enter gives an operation its slot and its entry in the submission queue.
func (r *uringRing) enter(op *Op, as uringSlot) (*giouring.SubmissionQueueEntry, error) {
	if len(r.free) == 0 {
		panic("disk: more operations in flight than the ring is deep")
	}
	op.N, op.Err = 0, nil
	sqe := r.ring.GetSQE()
	if sqe == nil {
		return nil, errQueueFull
	}
	// giouring leaves fields of an earlier operation in a reused entry.
	*sqe = giouring.SubmissionQueueEntry{}
	r.prepare(sqe, op)
	slot := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	r.slots[slot] = as
	sqe.UserData = uint64(slot)
	r.flying++
	return sqe, nil
}

// given counts operations that have slots.
func (r *uringRing) given(n int) {
	r.counters.submitted.Add(int64(n))
	r.counters.inFlight.Store(int64(r.flying))
}

// submit has the kernel take so many entries. whole says that it took them at once: a chain that it took in parts is several.
func (r *uringRing) submit(entries int) (whole bool, err error) {
	whole = true
	for tries := 0; entries > 0; {
		n, err := r.take()
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EBUSY), err == nil && n == 0:
			// It is out of memory. That passes, or it does not.
			r.counters.refused.Add(1)
			if tries++; tries > submitTries {
				r.dead = true
				return false, fmt.Errorf("disk: io_uring takes no operations: %w", cmp.Or(err, error(syscall.EAGAIN)))
			}
			time.Sleep(time.Millisecond)
		case err != nil:
			r.dead = true
			return false, fmt.Errorf("disk: io_uring submit: %w", err)
		default:
			if entries -= int(n); entries > 0 {
				whole = false
			}
		}
	}
	return whole, nil
}

const submitTries = 1000

// again does operations by ordinary calls, in their order, whose chain was broken: once the kernel has given all of them back.
func (r *uringRing) again(ops []*Op) error {
	if _, err := r.Wait(r.flying, nil); err != nil {
		return err
	}
	performAll(ops)
	r.counters.redone.Add(int64(len(ops)))
	r.finished = append(r.finished, ops...)
	r.counters.inFlight.Store(int64(len(r.finished)))
	return nil
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
		fd := f.fd
		if op.Past && aligned(op.Buf, op.Offset) {
			if direct := f.directFile(); direct != nil {
				fd = int(direct.Fd())
			}
		}
		sqe.PrepareWrite(fd, addr, uint32(len(op.Buf)), uint64(op.Offset))
	case OpRead:
		fd := f.fd
		if op.Exact {
			fd = int(f.exactFile().Fd())
		}
		sqe.PrepareRead(fd, addr, uint32(len(op.Buf)), uint64(op.Offset))
		if op.Once && !f.can.noOnce.Load() {
			sqe.OpcodeFlags = rwfDontCache
		}
	case OpDatasync:
		if dropDatasync {
			sqe.PrepareNop()
		} else {
			sqe.PrepareFsync(f.fd, giouring.FsyncDatasync)
		}
	}
}

func (r *uringRing) Wait(least int, done []*Op) ([]*Op, error) {
	before := len(done)
	done, err := r.collect(least, done)
	if len(done) > before { // who looks while nothing is over touches nothing that others read
		r.counters.inFlight.Store(int64(r.flying))
	}
	return done, err
}

func (r *uringRing) collect(least int, done []*Op) ([]*Op, error) {
	done = append(done, r.finished...)
	least = min(least-len(r.finished), r.flying)
	r.finished = r.finished[:0]
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
		data, res := cqe.UserData, cqe.Res
		r.ring.CQESeen(cqe)
		if data == bellSlot {
			got--
			continue // who waits for the bell looks from time to time
		}
		slot := uint32(data)
		s := r.slots[slot]
		r.slots[slot] = uringSlot{}
		r.free = append(r.free, slot)
		r.flying--
		if s.finish(res) {
			r.counters.redone.Add(1)
		}
		done = append(done, s.op)
	}
}

// finish turns the kernel's result into the operation's. A short transfer is completed here by ordinary calls; the kernel
// cancels what was linked behind it, which is then done here too. redone says that something was, or has to be by the caller.
func (s *uringSlot) finish(res int32) (redone bool) {
	op := s.op
	undone := res == -int32(syscall.EINTR) || res == -int32(syscall.EAGAIN) || res == -int32(syscall.ECANCELED) ||
		res >= 0 && op.Kind != OpDatasync && int(res) < len(op.Buf)
	switch {
	case s.ringing && undone:
		op.N, op.Err = max(0, int(res)), ErrUndone
		return true
	case res == -int32(syscall.ECANCELED) && s.before != nil:
		if s.before.Err != nil {
			op.Err = ErrLinked
			return false
		}
		op.perform()
		return true
	case res == -int32(syscall.EINTR) || res == -int32(syscall.EAGAIN) || res == -int32(syscall.ECANCELED):
		// Cancelled without a failure before it: the kernel had no thread for it.
		op.perform()
		return true
	case res < 0 && (op.Once || op.Past) && refused(syscall.Errno(-res)):
		op.perform() // which finds out for all later ones
		return true
	case res < 0:
		op.Err = syscall.Errno(-res)
	case op.Kind != OpDatasync:
		op.N = int(res)
		if op.N < len(op.Buf) {
			op.perform()
			redone = true
		}
		if op.Err == nil && op.N < len(op.Buf) {
			op.Err = io.ErrShortWrite
		}
	}
	return redone
}

func (r *uringRing) Depth() int         { return len(r.slots) }
func (r *uringRing) Name() string       { return "io_uring" }
func (r *uringRing) Counts() RingCounts { return r.counters.counts() }

// Close waits for what is in flight, so that the kernel holds no buffer of the caller's any more.
func (r *uringRing) Close() error {
	var err error
	if !r.dead {
		_, err = r.Wait(r.flying, nil)
	}
	r.ring.QueueExit()
	r.chime.Free()
	return err
}
