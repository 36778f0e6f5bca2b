package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func eachRing(t testing.TB, test func(r Ring)) {
	rings := []Ring{NewPwriteRing(8)}
	if u, err := NewUringRing(8); err == nil {
		rings = append(rings, u)
	} else if !errors.Is(err, ErrNoUring) {
		t.Fatal(err)
	}
	for _, r := range rings {
		test(r)
		if err := r.Close(); err != nil {
			t.Error(r.Name(), err)
		}
	}
}

func arena(t testing.TB, n int) []byte {
	b, err := Arena(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Free)
	return b.Bytes()[:n]
}

// scratch is a file, and the same one opened so that writes to it fail.
func scratch(t testing.TB) (f, readOnly File) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "f")
	open := func(flags int) File {
		f, err := OS().Open(name, flags, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	return open(os.O_RDWR | os.O_CREATE), open(os.O_RDONLY)
}

func runOps(t testing.TB, r Ring, ops ...*Op) {
	t.Helper()
	if err := r.Submit(ops); err != nil {
		t.Fatal(err)
	}
	for done := []*Op(nil); len(done) < len(ops); {
		var err error
		if done, err = r.Wait(1, done); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryOperationAfterEveryOther: a reused slot of the ring must not remember what ran in it before.
func TestEveryOperationAfterEveryOther(t *testing.T) {
	eachRing(t, func(r Ring) {
		f, err := OS().Open(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		out, in := arena(t, 4096), arena(t, 4096)
		for i := range out {
			out[i] = byte(i * 7)
		}
		kinds := []OpKind{OpWrite, OpDatasync, OpRead}
		runOps(t, r, &Op{Kind: OpWrite, File: f, Buf: out})
		for round := range 40 { // more than the ring is deep, so that slots come round
			for _, k := range kinds {
				op := &Op{Kind: k, File: f}
				if k == OpWrite {
					op.Buf = out
				} else if k == OpRead {
					clear(in)
					op.Buf = in
				}
				runOps(t, r, op)
				if op.Err != nil || op.N != len(op.Buf) {
					t.Fatalf("%s round %d kind %d: %d %v", r.Name(), round, k, op.N, op.Err)
				}
				if k == OpRead && !bytes.Equal(in, out) {
					t.Fatalf("%s: other bytes came back", r.Name())
				}
			}
			kinds[0], kinds[1], kinds[2] = kinds[1], kinds[2], kinds[0]
			if round%3 == 0 {
				kinds[0], kinds[1] = kinds[1], kinds[0]
			}
		}
	})
}

// TestLinks: what is linked behind a failure is not done; what is linked behind a success is.
func TestLinks(t *testing.T) {
	eachRing(t, func(r Ring) {
		f, readOnly := scratch(t)
		buf := arena(t, 4096)
		good, sync := &Op{Kind: OpWrite, File: f, Buf: buf, Link: true}, &Op{Kind: OpDatasync, File: f}
		runOps(t, r, good, sync)
		if good.Err != nil || sync.Err != nil {
			t.Fatal(r.Name(), good.Err, sync.Err)
		}
		bad, behind, alone := &Op{Kind: OpWrite, File: readOnly, Buf: buf, Link: true}, &Op{Kind: OpDatasync, File: f}, &Op{Kind: OpDatasync, File: f}
		runOps(t, r, bad, behind, alone)
		if bad.Err == nil || !errors.Is(behind.Err, ErrLinked) || alone.Err != nil {
			t.Fatal(r.Name(), bad.Err, behind.Err, alone.Err)
		}
	})
}

// TestManyInFlight fills the ring and takes the results one by one.
func TestManyInFlight(t *testing.T) {
	eachRing(t, func(r Ring) {
		f, err := OS().Open(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		mem := arena(t, 8*4096)
		var ops []*Op
		for i := range 8 {
			b := mem[i*4096 : (i+1)*4096]
			for k := range b {
				b[k] = byte(i + 1)
			}
			ops = append(ops, &Op{Kind: OpWrite, File: f, Buf: b, Offset: int64(i) * 4096, Tag: uint64(i)})
		}
		runOps(t, r, ops...)
		for i := range 8 {
			one := make([]byte, 1)
			if _, err := f.ReadAt(one, int64(i)*4096+99); err != nil || one[0] != byte(i+1) {
				t.Fatal(r.Name(), i, one, err)
			}
		}
	})
}

func TestRingOverFaulty(t *testing.T) {
	d := NewFaulty()
	f := create(t, d, "/f")
	r, why, err := NewRing(EngineAuto, d, "/", "/", 8)
	if err != nil || r.Name() != EnginePwrite || why == "" {
		t.Fatal(r, why, err)
	}
	d.FailAt(d.Ops()+1, errors.New("no"))
	w, s := &Op{Kind: OpWrite, File: f, Buf: []byte("x"), Link: true}, &Op{Kind: OpDatasync, File: f}
	runOps(t, r, w, s)
	if w.Err == nil || !errors.Is(s.Err, ErrLinked) {
		t.Fatal(w.Err, s.Err)
	}
}

func TestAutoChoosesAndSaysWhy(t *testing.T) {
	r, why, err := NewRing(EngineAuto, OS(), t.TempDir(), t.TempDir(), 8)
	if err != nil || why == "" {
		t.Fatal(why, err)
	}
	t.Log(r.Name(), why)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := NewRing("nvme", OS(), t.TempDir(), t.TempDir(), 8); err == nil {
		t.Fatal("an unknown engine was accepted")
	}
}

func BenchmarkSyncedWrite16KiB(b *testing.B) {
	eachRing(b, func(r Ring) {
		b.Run(r.Name(), func(b *testing.B) {
			f, err := OS().Open(filepath.Join(b.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			if err := f.ZeroRange(0, 64<<20); err != nil {
				b.Fatal(err)
			}
			buf := arena(b, 16<<10)
			for i := 0; b.Loop(); i++ {
				if _, err := syncedWrite(r, f, buf, int64(i%4096)*(16<<10)); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// bells are the rings that can tell when they are done, and a bell for them.
func bells(t *testing.T, test func(r Ring, rope int, rung func() bool)) {
	eachRing(t, func(r Ring) {
		if !r.Rings() {
			return
		}
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(pair[0])
		defer unix.Close(pair[1])
		test(r, pair[1], func() bool {
			poll := []unix.PollFd{{Fd: int32(pair[0]), Events: unix.POLLIN}}
			for {
				n, err := unix.Poll(poll, 30_000)
				if err == unix.EINTR {
					continue
				}
				if n != 1 {
					return false
				}
				var b [1]byte
				n, err = unix.Read(pair[0], b[:])
				return n == 1 && err == nil
			}
		})
	})
}

// TestABellRingsOnceAllIsDone: for many batches, with the ring's slots coming round, every result is there when the bell rings.
func TestABellRingsOnceAllIsDone(t *testing.T) {
	bells(t, func(r Ring, rope int, rung func() bool) {
		f, err := OS().Open(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		buf, back := arena(t, 8192), make([]byte, 8192)
		for round := range 50 {
			for i := range buf {
				buf[i] = byte(round + i)
			}
			ops := []*Op{{Kind: OpWrite, File: f, Buf: buf[:5000]}, {Kind: OpWrite, File: f, Buf: buf[5000:], Offset: 5000}, {Kind: OpDatasync, File: f}}
			if err := r.SubmitRinging(ops, rope); err != nil {
				t.Fatal(err)
			}
			if !rung() {
				t.Fatal("round", round, "the bell was not heard")
			}
			done, err := r.Wait(0, nil)
			if err != nil || len(done) != len(ops) {
				t.Fatal("round", round, len(done), err)
			}
			for i, op := range ops {
				if op.Err != nil || op.N != len(op.Buf) {
					t.Fatal("round", round, i, op.N, op.Err)
				}
			}
			if _, err := f.ReadAt(back, 0); err != nil || !bytes.Equal(back, buf) {
				t.Fatal("round", round, "other bytes", err)
			}
			// A batch that is waited for in between finds nothing of the other's.
			runOps(t, r, &Op{Kind: OpWrite, File: f, Buf: buf[:100], Link: true}, &Op{Kind: OpDatasync, File: f})
		}
	})
}

// TestABellRingsAfterFailures: what is behind a failure is done all the same, and what came of each is told.
func TestABellRingsAfterFailures(t *testing.T) {
	bells(t, func(r Ring, rope int, rung func() bool) {
		f, readOnly := scratch(t)
		buf := arena(t, 4096)
		bad, good := &Op{Kind: OpWrite, File: readOnly, Buf: buf}, &Op{Kind: OpDatasync, File: f}
		if err := r.SubmitRinging([]*Op{bad, good}, rope); err != nil {
			t.Fatal(err)
		}
		if !rung() {
			t.Fatal("the bell was not heard")
		}
		if done, err := r.Wait(0, nil); err != nil || len(done) != 2 || !errors.Is(bad.Err, unix.EBADF) || good.Err != nil {
			t.Fatal(len(done), err, bad.Err, good.Err)
		}
		// A bell that cannot be rung spoils nothing.
		if err := r.SubmitRinging([]*Op{{Kind: OpWrite, File: f, Buf: buf}}, -1); err != nil {
			t.Fatal(err)
		}
		if err := r.Submit([]*Op{{Kind: OpDatasync, File: f}}); err != nil {
			t.Fatal(err)
		}
		for done := []*Op(nil); len(done) < 2; {
			var err error
			if done, err = r.Wait(1, done); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestCounts: what was given, what is under way, and what was done again, by whichever way operations go.
func TestCounts(t *testing.T) {
	eachRing(t, func(r Ring) {
		f, readOnly := scratch(t)
		buf := arena(t, 4096)
		ops := []*Op{{Kind: OpWrite, File: f, Buf: buf, Link: true}, {Kind: OpDatasync, File: f}}
		if err := r.Submit(ops); err != nil {
			t.Fatal(err)
		}
		if got := r.Counts(); got != (RingCounts{Submitted: 2, InFlight: 2}) {
			t.Error(r.Name(), "under way:", got)
		}
		if done, err := r.Wait(2, nil); err != nil || len(done) != 2 {
			t.Fatal(len(done), err)
		}
		// A fault of the disk is not one of the ring.
		runOps(t, r, &Op{Kind: OpWrite, File: readOnly, Buf: buf, Link: true}, &Op{Kind: OpDatasync, File: f})
		if got := r.Counts(); got != (RingCounts{Submitted: 4}) {
			t.Error(r.Name(), "all over:", got)
		}
		// The file ends in the midst of what is read: io_uring brings a part, and the rest is asked for by a call.
		runOps(t, r, &Op{Kind: OpRead, File: f, Buf: buf, Offset: 100})
		redone := int64(0)
		if r.Name() == "io_uring" {
			redone = 1
		}
		if got := r.Counts(); got != (RingCounts{Submitted: 5, Redone: redone}) {
			t.Error(r.Name(), "a part:", got)
		}
	})
	bells(t, func(r Ring, rope int, rung func() bool) {
		f, _ := scratch(t)
		for range 2 {
			if err := r.SubmitRinging([]*Op{{Kind: OpWrite, File: f, Buf: arena(t, 4096)}, {Kind: OpDatasync, File: f}}, rope); err != nil {
				t.Fatal(err)
			}
			if got := r.Counts(); got.InFlight != 2 || !rung() {
				t.Error("under way:", got)
			}
			if done, err := r.Wait(0, nil); err != nil || len(done) != 2 {
				t.Fatal(len(done), err)
			}
		}
		if got := r.Counts(); got != (RingCounts{Submitted: 4}) {
			t.Error("all over:", got)
		}
	})
}

// TestPast: a write past the page cache is the same write, with or without what it takes, and leaves nothing there where it can.
func TestPast(t *testing.T) {
	eachRing(t, func(r Ring) {
		for _, refuses := range []bool{false, true} {
			f, _ := scratch(t)
			const size = 64 << 10
			buf, in := arena(t, size), make([]byte, size)
			for i := range buf {
				buf[i] = byte(i / 3)
			}
			if err := errors.Join(f.Allocate(0, size), f.Sync()); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
				t.Fatal(err)
			}
			f.(*osFile).can.noDirect.Store(refuses)
			ops := []*Op{ // aligned, and in each of three ways not
				{Kind: OpWrite, File: f, Buf: buf[:16384], Past: true, Link: true},
				{Kind: OpWrite, File: f, Buf: buf[16384:16484], Offset: 16384, Past: true, Link: true},
				{Kind: OpWrite, File: f, Buf: buf[16484:20580], Offset: 16484, Past: true, Link: true},
				{Kind: OpWrite, File: f, Buf: buf[20580:], Offset: 20580, Past: true, Link: true},
				{Kind: OpDatasync, File: f},
			}
			runOps(t, r, ops...)
			for i, op := range ops {
				if op.Err != nil || op.N != len(op.Buf) {
					t.Fatalf("%s %d: %d %v", r.Name(), i, op.N, op.Err)
				}
			}
			if _, err := f.ReadAt(in, 0); err != nil || !bytes.Equal(in, buf) {
				t.Fatalf("%s: other bytes came back: %v", r.Name(), err)
			}
		}
		f, _ := scratch(t)
		buf := arena(t, 1<<20)
		op := &Op{Kind: OpWrite, File: f, Buf: buf, Past: true}
		runOps(t, r, op, &Op{Kind: OpDatasync, File: f})
		if can := &f.(*osFile).can; op.Err != nil || can.noDirect.Load() {
			t.Skipf("%s: %v, the file system has no writes past the page cache: %v", r.Name(), op.Err, can.noDirect.Load())
		}
		if n, known := f.Resident(0, 1<<20); known && n > 0 {
			t.Errorf("%s: %d bytes are in the page cache", r.Name(), n)
		}
	})
}
