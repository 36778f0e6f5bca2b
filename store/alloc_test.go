package store

import (
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"ringmq/store/disk"
)

// benchOptions are those of a real store, in memory or in a folder.
func benchOptions(f disk.FS, root string) Options {
	o := DefaultOptions(root)
	o.FS, o.Engine, o.SegmentBytes, o.MemoryBytes = f, "pwrite", 64<<20, 8<<30
	o.IndexEnabled, o.DisableRetention = false, true
	o.Retention.WarningRatio = 100 // however full the disk of the test is
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

func kilobyte(topic string) *Message {
	m := message(topic, 0, strings.Repeat("x", 1024), "UNIQ_KEY", "7F00000122D94E0E2F2A6DAEF39104F1", "TAGS", "TagA")
	m.BornHost = netip.MustParseAddrPort("10.0.0.1:4000")
	return m
}

// TestAllocations: a send and a hot pull of 32 messages allocate nothing.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	o := benchOptions(disk.OS(), t.TempDir())
	o.SyncFlush = false
	s := mustOpen(t, o)
	defer closeStore(t, s)
	m := kilobyte("T")
	for range 100 {
		mustAppend(t, s, m)
	}
	settled(t, s)
	if n := testing.AllocsPerRun(2000, func() {
		if _, err := s.Append(m); err != nil && !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Append allocates %v times", n)
	}
	settled(t, s)
	w := Want{Topic: []byte("T"), MaxMessages: 32, Offset: s.MaxOffset([]byte("T"), 0) - 100, Match: func(code int64) bool { return code == 2598919 }}
	dst := make([]byte, 0, 256<<10)
	if n := testing.AllocsPerRun(1000, func() {
		if _, f, ok := s.ReadHot(&w, dst); !ok || f.Messages != 32 {
			t.Fatal(f, ok)
		}
	}); n != 0 {
		t.Errorf("ReadHot allocates %v times", n)
	}
}

func benchAppend(b *testing.B, o Options) {
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	m := kilobyte("T")
	b.SetBytes(1024)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for {
			_, err := s.Append(m)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrFull) {
				b.Fatal(err)
			}
			waitRoom(s)
		}
	}
	settled(b, s)
}

// BenchmarkAppendAsync stores 1 KiB messages as fast as the log takes them; BenchmarkAppendSync with group commit.
func BenchmarkAppendAsync(b *testing.B) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	benchAppend(b, o)
}

func BenchmarkAppendSync(b *testing.B) {
	benchAppend(b, benchOptions(disk.OS(), b.TempDir()))
}

// BenchmarkReadHot pulls 32 messages of one queue among eight from memory.
func BenchmarkReadHot(b *testing.B) {
	o := benchOptions(disk.OS(), b.TempDir())
	o.SyncFlush = false
	s, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(b.Context())
	m := kilobyte("T")
	for i := range 4096 {
		m.QueueID = int32(i % 8)
		if _, err := s.Append(m); err != nil {
			b.Fatal(err)
		}
	}
	settled(b, s)
	dst := make([]byte, 0, 256<<10)
	w := Want{Topic: []byte("T"), MaxMessages: 32, Offset: 100}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, f, ok := s.ReadHot(&w, dst); !ok || f.Messages != 32 {
			b.Fatal(f, ok)
		}
	}
}

// TestWarmReadsAllocateNothing: not what is read from the page cache, in windows and alone, checked or not.
func TestWarmReadsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	o := benchOptions(disk.OS(), t.TempDir())
	o.SyncFlush, o.HotEntries = false, 16
	s := mustOpen(t, o)
	m := kilobyte("T")
	for i := range 2000 {
		if m.Topic = []byte("T"); i%20 != 0 {
			m.Topic = []byte("U")
		}
		mustAppend(t, s, m)
	}
	settled(t, s)
	closeStore(t, s)
	s = mustOpen(t, o)
	defer closeStore(t, s)
	dst := make([]byte, 0, 256<<10)
	for _, topic := range []string{"T", "U"} {
		budget := 0
		w := Want{Topic: []byte(topic), MaxMessages: 32, Warm: &budget}
		if _, _, err := s.Read(&w, nil); err != nil { // opens the queue's file
			t.Fatal(err)
		}
		s.windows.forget()
		if n := testing.AllocsPerRun(300, func() {
			budget = 1 << 20
			if _, f, ok := s.ReadHot(&w, dst); !ok || f.Messages != 32 || budget == 1<<20 {
				t.Fatal(f, ok, budget)
			}
		}); n != 0 {
			t.Errorf("%s: ReadHot allocates %v times", topic, n)
		}
	}
	if s.reads.warm.Load() == 0 || s.reads.cold.Load() != 0 {
		t.Error("read", s.reads.warm.Load(), "from the page cache and", s.reads.cold.Load(), "from the disk")
	}
}
