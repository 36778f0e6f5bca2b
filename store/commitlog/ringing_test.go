package commitlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringmq/store/disk"
)

// handRing is a ring whose ringing batches are done when the test says so.
type handRing struct {
	disk.Ring // for batches that are waited for
	worker    disk.Ring

	mu       sync.Mutex
	with     []*disk.Op // the kernel's
	finished []*disk.Op
	bell     int
	more     sync.Cond
	onSubmit func() // nil: the test finishes batches by hand
}

func newHandRing() *handRing {
	r := &handRing{Ring: disk.NewPwriteRing(8), worker: disk.NewPwriteRing(8)}
	r.more.L = &r.mu
	return r
}

func (r *handRing) Rings() bool { return true }

func (r *handRing) SubmitRinging(ops []*disk.Op, bell int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.with)+len(r.finished) > 0 {
		panic("a batch is under way")
	}
	r.with, r.bell = append([]*disk.Op(nil), ops...), bell
	if r.onSubmit != nil {
		go r.onSubmit()
	}
	return nil
}

func (r *handRing) Wait(least int, done []*disk.Op) ([]*disk.Op, error) {
	r.mu.Lock()
	for least > 0 && len(r.finished) == 0 && len(r.with) > 0 {
		r.more.Wait()
	}
	done = append(done, r.finished...)
	r.finished = nil
	r.mu.Unlock()
	if least == 0 {
		return done, nil
	}
	return r.Ring.Wait(least, done)
}

// finish does what the kernel has, but gives the i-th operation the i-th error, if that is one, instead of doing it. A write that
// comes back undone has written half of its bytes.
func (r *handRing) finish(errs ...error) {
	r.mu.Lock()
	with := r.with
	r.mu.Unlock()
	for i, op := range with {
		if i < len(errs) && errs[i] != nil {
			op.N, op.Err = 0, errs[i]
			if op.Kind == disk.OpWrite && errors.Is(errs[i], disk.ErrUndone) {
				op.N, _ = op.File.WriteAt(op.Buf[:len(op.Buf)/2], op.Offset)
			}
			continue
		}
		op.Link = false
		if err := r.worker.Submit([]*disk.Op{op}); err != nil {
			panic(err)
		}
		if _, err := r.worker.Wait(1, nil); err != nil {
			panic(err)
		}
	}
	r.mu.Lock()
	r.with, r.finished = nil, with
	r.more.Broadcast()
	r.mu.Unlock()
}

// held is how many operations the kernel has.
func (r *handRing) held() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.with)
}

// commit has what was published committed, by a bell where the ring has any.
func commit(l *Log) {
	if l.Rings() {
		l.CommitRinging(testBell)
		return
	}
	l.Commit()
}

const testBell = 7

func ringingLog(t *testing.T, change func(*Options)) (*handRing, *Log) {
	r := newHandRing()
	_, l := faultyLog(t, func(o *Options) {
		o.Ring = r
		if change != nil {
			change(o)
		}
	})
	return r, l
}

func mustPut(t *testing.T, l *Log, n int) (end int64) {
	t.Helper()
	_, end, err := put(l, n)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// TestALoopCommits: a batch is with the ring while the next gathers, and its bell moves both on.
func TestALoopCommits(t *testing.T) {
	r, l := ringingLog(t, nil)
	first := mustPut(t, l, 0)
	if r.held() != 2 || r.bell != testBell {
		t.Fatal(r.held(), "operations, bell", r.bell)
	}
	second := mustPut(t, l, 1)
	third := mustPut(t, l, 2)
	l.Collect() // rung by mistake
	if l.Durable().Load() != 0 || l.Written().Load() != 0 {
		t.Fatal("passed before it was done")
	}
	r.finish()
	l.Collect()
	if got := l.Durable().Load(); got != first {
		t.Fatal(got, first, second)
	}
	if r.held() != 2 {
		t.Fatal("what gathered was not started")
	}
	r.finish()
	l.Collect()
	if got := l.Durable().Load(); got != third || l.Written().Load() != third {
		t.Fatal(got, third)
	}
	if r.held() != 0 {
		t.Fatal("a batch of nothing")
	}
	if n := l.Ways(); n != [Ways]int64{Rung: 2} {
		t.Fatal("ways:", n)
	}
}

// TestARingingBatchFails: whatever fails, the log ends there, no later batch is written, and the watermarks stay.
func TestARingingBatchFails(t *testing.T) {
	for name, errs := range map[string][]error{
		"write": {syscall.EIO}, "sync": {nil, syscall.EIO}, "both": {disk.ErrUndone, syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			r, l := ringingLog(t, nil)
			end := mustPut(t, l, 0)
			mustPut(t, l, 1)
			r.finish(errs...)
			l.Collect()
			if err := l.Durable().Wait(t.Context(), end); !errors.Is(err, ErrFailed) || !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
			if _, _, err := put(l, 2); !errors.Is(err, ErrFailed) {
				t.Fatal(err)
			}
			if l.Durable().Load() != 0 || r.held() != 0 {
				t.Fatal(l.Durable().Load(), r.held())
			}
		})
	}
}

// TestAnUndoneBatchIsDoneAgain: a short write, or one that was interrupted, is made good where it may take its time. What is told to be
// durable then survives the end of power, at once and with the batch behind it.
func TestAnUndoneBatchIsDoneAgain(t *testing.T) {
	for name, errs := range map[string][]error{"write": {disk.ErrUndone}, "sync": {nil, disk.ErrUndone}} {
		for batches := 1; batches <= 2; batches++ {
			t.Run(fmt.Sprintf("%s, power ends behind %d", name, batches), func(t *testing.T) { undone(t, errs, batches) })
		}
	}
}

func undone(t *testing.T, errs []error, batches int) {
	r := newHandRing()
	fs, l := faultyLog(t, func(o *Options) { o.Ring = r })
	end := mustPut(t, l, 0)
	last := mustPut(t, l, 1)
	r.finish(errs...)
	l.Collect()
	if err := l.Durable().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	// The goroutine gives what has gathered to the ring; no loop has to come by.
	for r.held() == 0 {
		runtime.Gosched()
	}
	if batches == 1 {
		defer r.finish() // nobody else does, and the end of the log waits for it
	} else {
		r.finish()
		l.Collect()
		if err := l.Durable().Wait(t.Context(), last); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.Ways(); n[HandedOver] != 1 || n[Rung] != int64(batches-1) {
		t.Fatal("ways:", n)
	}
	for seed := range int64(20) { // what is not synced survives by luck
		after, found, _, err := open(options(fs.Crash(rand.New(rand.NewSource(seed))), "/s"))
		if err != nil {
			t.Fatal(err)
		}
		for n := range batches {
			if !slices.Contains(slices.Collect(maps.Values(found)), n) {
				t.Fatalf("message %d was told to be durable and is gone; seed %d", n, seed)
			}
		}
		if err := after.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestABellThatNobodyHears: the goroutine finds the finished batch by itself, and takes over what comes next.
func TestABellThatNobodyHears(t *testing.T) {
	r, l := ringingLog(t, nil)
	mustPut(t, l, 0)
	last := mustPut(t, l, 1)
	r.finish()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Durable().Wait(ctx, last); err != nil {
		t.Fatal(err)
	}
}

// TestCloseWhileRinging: what was published is durable after Close, though nobody hears bells any more.
func TestCloseWhileRinging(t *testing.T) {
	r, l := ringingLog(t, nil)
	mustPut(t, l, 0)
	last := mustPut(t, l, 1)
	closed := make(chan error, 1)
	go func() { closed <- l.Close(context.Background()) }()
	r.finish()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if got := l.Durable().Load(); got != last {
		t.Fatal(got, last)
	}
}

// TestLoopsAndOthersCommit: appends of loops and of goroutines end up in one log, over rolls, whoever commits them.
func TestLoopsAndOthersCommit(t *testing.T) {
	for _, flush := range []bool{true, false} {
		r := newHandRing()
		o := options(disk.OS(), t.TempDir())
		o.Ring, o.SyncFlush = r, flush
		makeDirs(t, o)
		l, _, _, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		r.onSubmit = func() {
			r.finish()
			l.Collect()
		}
		const each = 300
		var all sync.WaitGroup
		for w := range 4 {
			all.Go(func() {
				var end int64
				for i := range each {
					_, at, err := put(l, w*each+i)
					if err != nil {
						t.Error(err)
						return
					}
					if end = at; w%2 == 0 {
						l.Commit()
					}
					if i%50 == 0 {
						_ = l.Durable().Wait(t.Context(), end)
					}
				}
			})
		}
		all.Wait()
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		o.Ring = disk.NewPwriteRing(8)
		l, found, _, err := open(o)
		if err != nil || len(found) != 4*each {
			t.Fatal(len(found), err)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLoopsCommitWithTheHostsRing is the same with what the host has.
func TestLoopsCommitWithTheHostsRing(t *testing.T) {
	ring, err := disk.NewUringRing(16)
	if err != nil {
		t.Skip(err)
	}
	if !ring.Rings() {
		t.Skip("the kernel has no bells")
	}
	bell := newTestBell(t)
	o := options(disk.OS(), t.TempDir())
	o.Ring, o.SegmentBytes = ring, 64<<10
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	go bell.listen(func() { l.Collect() })
	const n, looks = 2000, 20
	var end int64
	late := 0
	for i := range n {
		r := message(i)
		slot, err := reserve(l, r.Size(true))
		if err != nil {
			t.Fatal(err)
		}
		fill(l, slot, &r)
		l.CommitRinging(bell.rope)
		end = slot.Offset + int64(len(slot.Buf))
		if i%(n/looks) == 0 {
			// A commit that its bell ends takes no bellInterval, unless the disk does.
			began := time.Now()
			if err := l.Durable().Wait(t.Context(), end); err != nil {
				t.Fatal(err)
			}
			if time.Since(began) > bellInterval/2 {
				late++
			}
		}
	}
	if late > looks/2 {
		t.Errorf("%d of %d commits took as if nobody heard bells", late, looks)
	}
	if err := l.Durable().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := ring.Close(); err != nil {
		t.Fatal(err)
	}
	bell.close()
	o.Ring = disk.NewPwriteRing(8)
	l, found, _, err := open(o)
	if err != nil || len(found) != n {
		t.Fatal(len(found), err)
	}
	if err := l.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
}
