package commitlog

import (
	"math/rand"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringmq/store/record"
)

// TestCrashWhileARecycledSegmentIsZeroed: the machine stops when a segment that was given up is zeroed to be used again. What was
// acknowledged and not given up is there.
func TestCrashWhileARecycledSegmentIsZeroed(t *testing.T) {
	for nth := range int64(12) {
		fs, l := faultyLog(t, nil)
		var met atomic.Int64
		fs.OnOp(func(_ int, kind, name string) {
			// A file keeps the name by which it was opened: a spare is zeroed as the segment that it was.
			if start, ok := record.ParseFileName(filepath.Base(name)); ok && kind == "zero" && start < l.Min() && met.Add(1) == nth+1 {
				fs.Stop()
			}
		})
		acked := recycle(t, l, func() bool { return met.Load() > nth })
		if met.Load() <= nth {
			t.Fatalf("only %d recycled segments were zeroed", met.Load())
		}
		after, found, result, err := open(options(fs.Crash(rand.New(rand.NewSource(nth))), "/s"))
		if err != nil {
			t.Fatal(err)
		}
		for at, n := range acked {
			if got, ok := found[at]; at >= after.Min() && (!ok || got != n) {
				t.Fatalf("stopped at the %d. of them: message %d acknowledged at %d is gone (begins %d, ends %d, gaps %v)", nth+1, n, at, after.Min(), result.End, result.Gaps)
			}
		}
		if err := after.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// recycle sends messages and gives segments up, until the log fails, which it is about to where over says so. It returns what was durable.
func recycle(t *testing.T, l *Log, over func() bool) map[int64]int {
	acked := map[int64]int{}
	for n := range 2000 {
		start, end, err := put(l, n)
		if err != nil || l.Durable().Wait(t.Context(), end) != nil {
			return acked
		}
		acked[start] = n
		if len(l.Segments()) > 4 {
			if _, err := l.DeleteOldest(); err != nil {
				return acked
			}
		}
		// Where the maker is given no time, a segment is made anew when the log comes to it, and none is zeroed before.
		for deadline := time.Now().Add(patience); !prepared(l) && !over(); runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatal("no segment is prepared")
			}
		}
	}
	t.Fatalf("the log has not failed, segments %v", l.Segments())
	return nil
}

func prepared(l *Log) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next != nil
}

// TestAWriteThatEndsHalfWay: the log ends with it, and all that was durable before is found, whichever write it is.
func TestAWriteThatEndsHalfWay(t *testing.T) {
	for nth := range int64(40) {
		fs, l := faultyLog(t, nil)
		var writes atomic.Int64
		fs.OnOp(func(op int, kind, name string) {
			if _, ok := record.ParseFileName(filepath.Base(name)); ok && kind == "write" && writes.Add(1) == nth+1 {
				fs.ShortAt(op, syscall.EIO)
			}
		})
		acked := recycle(t, l, func() bool { return writes.Load() > nth })
		if _, _, err := put(l, 0); err == nil {
			t.Fatal("the log takes more")
		}
		after, found, result, err := open(options(fs.Crash(rand.New(rand.NewSource(nth))), "/s"))
		if err != nil {
			t.Fatal(err)
		}
		for at, n := range acked {
			if got, ok := found[at]; at >= after.Min() && (!ok || got != n) {
				t.Fatalf("the %d. write: message %d at %d is gone (begins %d, ends %d)", nth+1, n, at, after.Min(), result.End)
			}
		}
		if err := after.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
