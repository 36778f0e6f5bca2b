package store

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringmq/store/disk"
)

// TestGraveBehindTheLog: a topic that was deleted while records before it never reached the disk, and created again after a
// crash, keeps its new messages: its grave does not reach behind the end of the log.
func TestGraveBehindTheLog(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	mustAppend(t, s, message("X", 0, "old"))
	settled(t, s)
	var armed atomic.Bool
	f.OnOp(func(op int, kind, name string) {
		if kind == "write" && strings.Contains(name, "/commitlog/") && armed.CompareAndSwap(true, false) {
			f.FailAt(op, syscall.EIO)
		}
	})
	armed.Store(true)
	last := mustAppend(t, s, message("Other", 0, strings.Repeat("o", 8000)))
	if err := s.Visible().Wait(t.Context(), last.End); err == nil {
		t.Fatal("the write did not fail")
	}
	if err := s.DeleteTopic("X"); err != nil {
		t.Fatal(err)
	}
	reopened := func() {
		f.Stop()
		_ = s.Close(context.Background())
		f = f.Crash(rand.New(rand.NewSource(1)))
		o.FS = f
		s = mustOpen(t, o)
	}
	reopened()
	for i := range 5 {
		if p := mustAppend(t, s, message("X", 0, fmt.Sprint("new", i))); p.QueueOffset != int64(i) || p.PhysicalOffset > last.End {
			t.Fatalf("%+v", p)
		}
	}
	for range 2 {
		settled(t, s)
		if got := served(t, s)[at{"X", 0}]; len(got) != 5 {
			t.Fatalf("%d of 5 messages are there", len(got))
		}
		reopened()
	}
	closeStore(t, s)
}

// TestGraveWaitsForTheDisk: under ASYNC_FLUSH a topic is deleted only when what was stored before is on disk.
func TestGraveWaitsForTheDisk(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	o.SyncFlush = false
	s := mustOpen(t, o)
	mustAppend(t, s, message("X", 0, "old"))
	p := mustAppend(t, s, message("Other", 0, "o"))
	if err := s.DeleteTopic("X"); err != nil {
		t.Fatal(err)
	}
	if d := s.Durable().Load(); d < p.End {
		t.Errorf("deleted at %d with %d on disk", p.End, d)
	}
	closeStore(t, s)
}

// TestOwnFilesOfAnotherRelease: what this one cannot read and must not pass over keeps the store closed, and says why.
func TestOwnFilesOfAnotherRelease(t *testing.T) {
	for name, text := range map[string]string{gravesName: `{"formatVersion":2,"topics":{"T":1}}`, cutName: `{"formatVersion":2,"at":0}`} {
		d := disk.NewMemory()
		o := smallOptions(d)
		if err := openStore(t, o).Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		f, err := d.Open(o.Root+"/ringmq/"+name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte(text), 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if s, err := Open(o); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "format version 2") {
			if err == nil {
				_ = s.Close(t.Context())
			}
			t.Errorf("%s: %v", name, err)
		}
	}
}
