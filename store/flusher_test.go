package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store/disk"
)

// spread appends a message to each of so many queues.
func spread(t *testing.T, s *Store, queues int) {
	t.Helper()
	for id := range queues {
		mustAppend(t, s, message("T", int32(id), fmt.Sprint("body ", id)))
	}
	settled(t, s)
}

// TestVeryManyQueuesWait: queues beyond the descriptors that are kept are not written every second, but when they are to become durable;
// few are.
func TestVeryManyQueuesWait(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	o.MaxOpenFiles, o.FlushIntervalMs = 4, time.Hour.Milliseconds()
	s := mustOpen(t, o)
	defer closeStore(t, s)
	f := flusher{s: s, syncedAt: time.Now(), indexAt: time.Now()}
	spread(t, s, 5)
	if f.round(); s.queues.Dirty() != 5 {
		t.Errorf("of 5 queues %d wait", s.queues.Dirty())
	}
	if err := f.sync(s.dispatch.lastPlace()); err != nil || s.queues.Dirty() != 0 {
		t.Errorf("%d queues wait behind a sync: %v", s.queues.Dirty(), err)
	}
	spread(t, s, 4)
	if f.round(); s.queues.Dirty() != 0 {
		t.Errorf("of 4 queues %d wait", s.queues.Dirty())
	}
}

func TestDue(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	o.SyncBytes, o.SyncIntervalMs, o.QueueBufferBytes, o.FlushIntervalMs = 1<<20, 10_000, 40*10, time.Hour.Milliseconds()
	s := mustOpen(t, o)
	defer closeStore(t, s)
	spread(t, s, 10)
	for _, c := range []struct {
		behind      int64
		since, took time.Duration
		puts        int64 // at the last sync; ten are there, and as many is what a start can keep in memory
		want        bool
	}{
		{behind: 1, since: time.Second, want: false},
		{behind: 1 << 20, since: time.Second, want: true},
		{behind: 1, since: 10 * time.Second, want: true},
		{behind: 1 << 20, since: 9 * time.Second, took: time.Second, puts: 1, want: false},
		{behind: 1 << 20, since: 10 * time.Second, took: time.Second, puts: 1, want: true},
		{behind: 1 << 20, since: time.Second, took: time.Second, want: true},
		{behind: 1, since: time.Second, took: time.Second, want: false},
		{behind: maxReplayBytes, since: time.Second, took: time.Second, puts: 10, want: true},
	} {
		f := flusher{s: s, syncTook: c.took, puts: c.puts}
		if got := f.due(c.behind, c.since); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestFailedSyncMovesNoCheckpoint: when the file system cannot say that all was written, the checkpoint stays for good, and the next
// start has everything from the log.
func TestFailedSyncMovesNoCheckpoint(t *testing.T) {
	for seed := range int64(20) {
		d := disk.NewFaulty()
		o := manner{syncFlush: true, whole: true}.options(d)
		o.FlushIntervalMs = time.Hour.Milliseconds()
		s := mustOpen(t, o)
		spread(t, s, 20)
		fl := flusher{s: s}
		if err := fl.sync(s.dispatch.lastPlace()); err != nil {
			t.Fatal(err)
		}
		fl.round()
		promised := s.checkpoint.current
		failing := true
		d.OnOp(func(op int, kind, _ string) {
			if kind == "syncall" && failing {
				failing = false
				d.FailAt(op, syscall.EIO)
			}
		})
		spread(t, s, 20)
		for range 2 {
			if err := fl.sync(s.dispatch.lastPlace()); !errors.Is(err, syscall.EIO) {
				t.Fatalf("sync: %v", err)
			}
			fl.round()
		}
		if s.checkpoint.current.ReplayFrom != promised.ReplayFrom || failing {
			t.Errorf("the checkpoint moved from %d to %d", promised.ReplayFrom, s.checkpoint.current.ReplayFrom)
		}
		d.Stop()
		_ = s.Close(context.Background())
		o.FS = d.Crash(rand.New(rand.NewSource(seed)))
		s = mustOpen(t, o)
		for id := range int32(20) {
			raw, _, err := s.Read(&Want{Topic: []byte("T"), QueueID: id, MaxMessages: 3}, nil)
			if got := bodies(t, raw); err != nil || len(got) != 2 {
				t.Errorf("seed %d: queue %d serves %q: %v", seed, id, got, err)
			}
		}
		closeStore(t, s)
	}
}

// TestFlusherRests: it ticks only while there is something to write, and what comes later is written as if it always did.
func TestFlusherRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, smallOptions(disk.NewMemory()))
		defer closeStore(t, s)
		rests := func() {
			t.Helper()
			time.Sleep(2*indexFlushInterval + time.Duration(s.o.SyncIntervalMs)*time.Millisecond)
			synctest.Wait()
			if !s.flushRest.on.Load() {
				t.Fatal("it ticks with nothing to do")
			}
		}
		rests()
		for range 2 {
			spread(t, s, 3)
			time.Sleep(2 * time.Duration(s.o.FlushIntervalMs) * time.Millisecond)
			synctest.Wait()
			if n := s.queues.Dirty(); n > 0 {
				t.Fatal(n, "queues are not written")
			}
			rests()
			if end := s.checkpoint.current.End; end != s.LogMax() {
				t.Errorf("the checkpoint stands at %d of %d", end, s.LogMax())
			}
		}
	})
}
