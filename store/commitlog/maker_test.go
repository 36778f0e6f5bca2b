package commitlog

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ringmq/store/disk"
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
