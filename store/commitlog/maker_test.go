package commitlog

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// twoDisks is a file system whose log lies on a device of its own.
type twoDisks struct{ disk.FS }

func (f twoDisks) Rename(from, to string) error {
	if strings.HasPrefix(from, "/s/commitlog/") != strings.HasPrefix(to, "/s/commitlog/") {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: syscall.EXDEV}
	}
	return f.FS.Rename(from, to)
}

// TestLogOnItsOwnDisk: a log whose folder lies on another file system than the rest of the store begins, rolls, gives up old
// segments and is opened again.
func TestLogOnItsOwnDisk(t *testing.T) {
	o := options(twoDisks{disk.NewMemory()}, "/s")
	makeDirs(t, o)
	n := 0
	for range 2 {
		l, got, _, err := open(o)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) < n && l.Min() == 0 {
			t.Fatalf("%d of %d records are there", len(got), n)
		}
		for from := n; n < from+80; {
			_, end, err := put(l, n)
			if err != nil {
				t.Fatal(err)
			}
			n++
			if err := l.Visible().Wait(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if freed, err := l.DeleteOldest(); err != nil || freed == 0 {
				t.Fatal(freed, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := o.FS.ReadDir(o.StateDir); err != nil || len(entries) != 1 {
		t.Errorf("%v %v", entries, err)
	}
	if entries, err := o.FS.ReadDir(o.Dir + "/" + innerDir); err != nil || len(entries) != 0 {
		t.Errorf("%v %v", entries, err)
	}
}

// TestSegmentsExpireWhileOneIsZeroedAgain: the segment that expires while the one before it is prepared to be used again, and while it
// is given its new name, must not take its place, or the maker would zero a segment that is written already.
func TestSegmentsExpireWhileOneIsZeroedAgain(t *testing.T) {
	for _, moment := range []string{"zero", "rename"} {
		t.Run(moment, func(t *testing.T) { expireAt(t, moment) })
	}
}

func expireAt(t *testing.T, moment string) {
	fs, l := faultyLog(t, nil)
	var expired, inside atomic.Int64
	fs.OnOp(func(_ int, kind, name string) {
		base := filepath.Base(name)
		// A file keeps the name by which it was opened: a spare is zeroed as the segment that it was.
		start, segment := record.ParseFileName(base)
		if kind != moment || kind == "zero" && (!segment || start >= l.Min()) || kind == "rename" && base != spareName {
			return
		}
		if !inside.CompareAndSwap(0, 1) {
			return
		}
		if freed, err := l.DeleteOldest(); err != nil {
			t.Error(err)
		} else if freed > 0 {
			expired.Add(1)
		}
		inside.Store(0)
	})
	starts := map[int64]int{}
	for n := range 400 {
		start, end, err := put(l, n)
		if err != nil {
			t.Fatal(err)
		}
		starts[start] = n
		if err := l.Visible().Wait(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		for !prepared(l) {
			runtime.Gosched()
		}
		if n > 50 && len(l.Segments()) > 4 {
			if _, err := l.DeleteOldest(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if expired.Load() == 0 {
		t.Fatal("no segment expired at that moment, nothing is shown")
	}
	fs.OnOp(nil)
	l, found, result, err := open(options(fs, "/s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(t.Context())
	if len(result.Gaps) != 0 {
		t.Errorf("gaps %v", result.Gaps)
	}
	for start, n := range starts {
		if got, ok := found[start]; start >= l.Min() && (!ok || got != n) {
			t.Errorf("message %d at %d is not there", n, start)
		}
	}
}

// TestSegmentThatCannotBeRemoved: it stays, and so do those behind it, until it can be; the log is opened again at any time.
func TestSegmentThatCannotBeRemoved(t *testing.T) {
	fs, l := faultyLog(t, func(o *Options) { o.Spares = 0 })
	for n := range 200 {
		if _, _, err := put(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Visible().Wait(t.Context(), l.Max()); err != nil {
		t.Fatal(err)
	}
	refuse := func(op int, kind, _ string) {
		if kind == "remove" {
			fs.FailAt(op, syscall.EPERM)
		}
	}
	fs.OnOp(refuse)
	for range 3 {
		if freed, err := l.DeleteOldest(); !errors.Is(err, syscall.EPERM) || freed != 0 || l.Min() != 0 {
			t.Fatal(freed, err, l.Min())
		}
	}
	if err := l.ReadAt(0, make([]byte, 100)); err != nil {
		t.Error(err)
	}
	fs.OnOp(nil)
	for want := range int64(3) {
		if freed, err := l.DeleteOldest(); err != nil || freed == 0 || l.Min() != (want+1)*4096 {
			t.Fatal(freed, err, l.Min())
		}
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, _, result, err := open(options(fs, "/s"))
	if err != nil || len(result.Gaps) != 0 {
		t.Fatal(err, result.Gaps)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
