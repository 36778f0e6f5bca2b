package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"syscall"
	"testing"

	"ringmq/store/disk"
)

// TestDeletionThatFails: a topic that could not be deleted goes on where it was, messages that come meanwhile are refused and not
// acknowledged into nothing, and the next try deletes it.
func TestDeletionThatFails(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	for range 10 {
		mustAppend(t, s, message("T", 0, "old"))
	}
	settled(t, s)
	meanwhile := 0
	f.OnOp(func(op int, kind, name string) {
		if !strings.Contains(name, gravesName) || meanwhile > 0 {
			return
		}
		for _, append := range []func() error{
			func() error { _, err := s.Append(message("T", 0, "meanwhile")); return err },
			func() error { _, err := s.Append(message("T", 1, "meanwhile")); return err },
		} {
			if err := append(); !errors.Is(err, ErrNotWritable) {
				t.Error("while the topic is deleted:", err)
			}
		}
		mustAppend(t, s, message("Other", 0, "meanwhile"))
		meanwhile++
		f.FailAt(op, syscall.ENOSPC)
	})
	if err := s.DeleteTopic("T"); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if p := mustAppend(t, s, message("T", 0, "new")); p.QueueOffset != 10 {
		t.Errorf("the queue goes on at %d", p.QueueOffset)
	}
	if p := mustAppend(t, s, message("T", 1, "new")); p.QueueOffset != 0 {
		t.Errorf("another queue begins at %d", p.QueueOffset)
	}
	settled(t, s)
	if raw, found, err := s.Read(&Want{Topic: []byte("T"), Offset: 9, MaxMessages: 32}, nil); err != nil || found.Max != 11 || fmt.Sprint(bodies(t, raw)) != "[old new]" {
		t.Error(found, bodies(t, raw), err)
	}
	if got := s.counters.total().messages; got != 13 {
		t.Error(got, "messages are counted")
	}
	if err := s.DeleteTopic("T"); err != nil || meanwhile != 1 {
		t.Fatal(err, meanwhile)
	}
	if p := mustAppend(t, s, message("T", 0, "anew")); p.QueueOffset != 0 {
		t.Errorf("the new topic begins at %d", p.QueueOffset)
	}
	settled(t, s)
	f.Stop()
	_ = s.Close(context.Background())
	o.FS = f.Crash(rand.New(rand.NewSource(1)))
	s = mustOpen(t, o)
	if raw, found, err := s.Read(&Want{Topic: []byte("T"), MaxMessages: 32}, nil); err != nil || found.Max != 1 || fmt.Sprint(bodies(t, raw)) != "[anew]" {
		t.Error("after a crash:", found, bodies(t, raw), err)
	}
	closeStore(t, s)
}
