package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand"
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

// TestOneBitInTheGraves: no flipped bit in the file of deleted topics takes messages of a topic that was made again, nor does any keep the
// store closed: where the file is not believed it is kept. One of version 1 is read, and has a checksum from then on.
func TestOneBitInTheGraves(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	for i := range 20 {
		mustAppend(t, s, message("X", 0, fmt.Sprint("old ", i)))
	}
	settled(t, s)
	if err := s.DeleteTopic("X"); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		mustAppend(t, s, message("X", 0, fmt.Sprint("new ", i)))
	}
	settled(t, s)
	closeStore(t, s)
	const name = "/store/ringmq/" + gravesName
	b, err := readWhole(f, name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	graves, err := ParseGraves(b)
	if err != nil || len(graves) != 1 {
		t.Fatalf("%s is %v, %v", b, graves, err)
	}
	first, _ := json.Marshal(map[string]any{"formatVersion": 1, "topics": graves})
	for _, text := range [][]byte{first, b} {
		if err := writeWhole(f, name, text); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, o)
		if _, ends := s.Graves(); !maps.Equal(ends, graves) {
			t.Errorf("%s is %v, want %v", text, ends, graves)
		}
		closeStore(t, s)
		if again, _ := readWhole(f, name, 1<<20); !bytes.Equal(again, b) {
			t.Errorf("%s became %s", text, again)
		}
	}
	for bit := range int64(len(b)) * 8 {
		bad := bytes.Clone(b)
		bad[bit/8] ^= 1 << (bit % 8)
		if got, err := ParseGraves(bad); err == nil && !maps.Equal(got, graves) || err != nil && !errors.Is(err, errGravesDamaged) {
			t.Errorf("%s is %v, %v", bad, got, err)
		}
	}
	digit := int64(bytes.LastIndexByte(b, ':') + 1)
	if err := f.FlipBit(name, digit, 2); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, o)
	defer closeStore(t, s)
	if got := served(t, s)[at{"X", 0}]; len(got) != 30 {
		t.Errorf("%d of 30 acknowledged messages are left", len(got))
	}
	if _, err := f.Stat(name + ".unreadable"); err != nil {
		t.Error(err)
	}
}
