package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringmq/store/disk"
)

// TestFailedSync: the first failed sync ends writing for good; nothing that was not durable is acknowledged; reads go on;
// the abort file stays.
func TestFailedSync(t *testing.T) {
	f := disk.NewFaulty()
	s := mustOpen(t, smallOptions(f))
	mustAppend(t, s, message("T", 0, "stored"))
	settled(t, s)
	var armed atomic.Bool
	f.OnOp(func(op int, kind, name string) {
		if kind == "datasync" && strings.Contains(name, "/commitlog/") && armed.CompareAndSwap(true, false) {
			f.FailAt(op, syscall.EIO)
		}
	})
	armed.Store(true)
	p := mustAppend(t, s, message("T", 0, "lost"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Visible().Wait(ctx, p.End); err == nil || ctx.Err() != nil {
		t.Fatalf("waiting for a record whose sync failed: %v", err)
	}
	if err := s.Writable(); !errors.Is(err, ErrNotWritable) {
		t.Errorf("writable: %v", err)
	}
	if _, err := s.Append(message("T", 0, "later")); !errors.Is(err, ErrNotWritable) {
		t.Errorf("append: %v", err)
	}
	raw, found, err := s.Read(&Want{Topic: []byte("T"), MaxMessages: 32}, nil)
	if err != nil || found.Max != 1 || fmt.Sprint(bodies(t, raw)) != "[stored]" {
		t.Errorf("read: %v %v %v", bodies(t, raw), found, err)
	}
	if err := s.Close(context.Background()); err == nil {
		t.Error("a failed log was closed as if it were whole")
	}
	if _, err := f.Stat("/store/abort"); err != nil {
		t.Errorf("abort file: %v", err)
	}
}

// TestFlippedBit: one flipped bit costs one message, in the middle of a file that no start reads again; it is reported.
func TestFlippedBit(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	var hit Placed
	for i := range 200 {
		p := mustAppend(t, s, message("T", 0, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000))))
		if i == 50 {
			hit = p
		}
	}
	settled(t, s)
	closeStore(t, s)
	name := fmt.Sprintf("/store/commitlog/%020d", hit.PhysicalOffset/o.SegmentBytes*o.SegmentBytes)
	if err := f.FlipBit(name, hit.PhysicalOffset%o.SegmentBytes+500, 3); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, o)
	defer closeStore(t, s)
	if got := served(t, s)[at{"T", 0}]; len(got) != 199 || got[50] != nil {
		t.Errorf("%d messages are served, the damaged one: %v", len(got), got[50] != nil)
	}
	if g := s.Gaps(); len(g) != 1 || g[0].From != hit.PhysicalOffset || g[0].Kind != "rot" {
		t.Errorf("gaps: %v", g)
	}
	if _, err := s.MessageByOffset(hit.PhysicalOffset, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("by offset: %v", err)
	}
}

// TestFlippedQueueOffset: a queue offset that a flipped bit made impossible costs that message, not the start, nor a queue
// full of blanks.
func TestFlippedQueueOffset(t *testing.T) {
	for name, place := range map[string]struct{ at, bit int64 }{"sign": {20, 7}, "huge": {22, 0}, "thousand": {26, 2}} {
		f := disk.NewFaulty()
		o := smallOptions(f)
		o.AppendPropCRC = false
		s := mustOpen(t, o)
		var hit Placed
		for i := range 40 {
			p := mustAppend(t, s, message("T", 0, fmt.Sprint(i)))
			if i == 20 {
				hit = p
			}
		}
		settled(t, s)
		closeStore(t, s)
		if err := f.FlipBit("/store/commitlog/00000000000000000000", hit.PhysicalOffset+place.at, uint(place.bit)); err != nil {
			t.Fatal(err)
		}
		if err := f.RemoveAll("/store/consumequeue"); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, o)
		if got := served(t, s)[at{"T", 0}]; len(got) != 39 || s.MaxOffset([]byte("T"), 0) != 40 || len(s.Gaps()) != 1 {
			t.Errorf("%s: %d messages up to %d, gaps %v", name, len(got), s.MaxOffset([]byte("T"), 0), s.Gaps())
		}
		closeStore(t, s)
	}
}

// TestByOffset: a record is found by its offset only, not by one inside it.
func TestByOffset(t *testing.T) {
	s := mustOpen(t, smallOptions(disk.NewMemory()))
	defer closeStore(t, s)
	var places []Placed
	for i := range 100 {
		places = append(places, mustAppend(t, s, message("T", 0, fmt.Sprintf("%d %s", i, strings.Repeat("y", 900)))))
	}
	settled(t, s)
	for i, p := range places {
		raw, err := s.MessageByOffset(p.PhysicalOffset, nil)
		if err != nil || len(raw) != int(p.Size) || !strings.HasPrefix(bodies(t, raw)[0], fmt.Sprint(i, " ")) {
			t.Fatalf("message %d: %v", i, err)
		}
		for _, wrong := range []int64{1, 4, 8, 91, int64(p.Size) - 1} {
			if _, err := s.MessageByOffset(p.PhysicalOffset+wrong, nil); !errors.Is(err, ErrNotFound) {
				t.Fatalf("offset %d inside message %d: %v", wrong, i, err)
			}
		}
	}
	for _, wrong := range []int64{-1, s.LogMax(), 1 << 40} {
		if _, err := s.MessageByOffset(wrong, nil); !errors.Is(err, ErrNotFound) {
			t.Errorf("offset %d: %v", wrong, err)
		}
	}
}

// TestStatuses: every situation has its status and its corrected offset.
func TestStatuses(t *testing.T) {
	s := mustOpen(t, smallOptions(disk.NewMemory()))
	defer closeStore(t, s)
	for range 50 {
		mustAppend(t, s, message("T", 0, strings.Repeat("z", 8000), "TAGS", "TagA"))
	}
	settled(t, s)
	none := func(int64) bool { return false }
	for name, c := range map[string]struct {
		want     Want
		status   Status
		next     int64
		messages int
	}{
		"no queue":       {Want{Topic: []byte("X"), Offset: 7}, StatusNoMatchedLogicQueue, 0, 0},
		"at the maximum": {Want{Topic: []byte("T"), Offset: 50, MaxMessages: 1}, StatusOffsetOverflowOne, 50, 0},
		"beyond":         {Want{Topic: []byte("T"), Offset: 51, MaxMessages: 1}, StatusOffsetOverflowBadly, 50, 0},
		"before":         {Want{Topic: []byte("T"), Offset: -1, MaxMessages: 1}, StatusOffsetTooSmall, 0, 0},
		"count":          {Want{Topic: []byte("T"), Offset: 5, MaxMessages: 3}, StatusFound, 8, 3},
		"none asked":     {Want{Topic: []byte("T"), Offset: 5, MaxMessages: 0}, StatusFound, 6, 1},
		"bytes":          {Want{Topic: []byte("T"), Offset: 5, MaxMessages: 32, MaxBytes: 20000}, StatusFound, 7, 2},
		"count limit":    {Want{Topic: []byte("T"), Offset: 0, MaxMessages: 40}, StatusFound, 32, 32},
		"no limits":      {Want{Topic: []byte("T"), Offset: 0, MaxMessages: 40, Anything: true}, StatusFound, 40, 40},
		"filtered":       {Want{Topic: []byte("T"), Offset: 10, MaxMessages: 32, Match: none}, StatusNoMatchedMessage, 50, 0},
		"by properties":  {Want{Topic: []byte("T"), Offset: 10, MaxMessages: 32, MatchProperties: func([]byte) bool { return false }}, StatusNoMatchedMessage, 50, 0},
	} {
		_, f, err := s.Read(&c.want, nil)
		if err != nil || f.Status != c.status || f.NextOffset != c.next || f.Messages != c.messages {
			t.Errorf("%s: %v next %d messages %d (%v), want %v %d %d", name, f.Status, f.NextOffset, f.Messages, err, c.status, c.next, c.messages)
		}
		if _, h, ok := s.ReadHot(&c.want, nil); ok && h != f && h.Messages == f.Messages {
			t.Errorf("%s: hot %+v, cold %+v", name, h, f)
		}
	}
	// What counts as on disk gets smaller answers.
	l := Limits{MemoryRatio: 1}
	s.SetLimits(l)
	s.space.memory.Store(0)
	s.o.MemoryBytes = 100
	if _, f, err := s.Read(&Want{Topic: []byte("T"), MaxMessages: 32}, nil); err != nil || f.Messages != 8 || !f.SuggestSlave {
		t.Errorf("on disk: %+v %v", f, err)
	}
}

// TestRetention: expired segments go, at the hour or when the disk fills; queues and index follow; the last stays.
func TestRetention(t *testing.T) {
	f := disk.NewMemory()
	o := smallOptions(f)
	now := atomic.Int64{}
	now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())
	o.Clock, o.Location = func() time.Time { return time.Unix(0, now.Load()).UTC() }, time.UTC
	o.Retention.DeleteIntervalMs = 1
	s := mustOpen(t, o)
	fill := func(n int) {
		for range n {
			mustAppend(t, s, message("T", 0, strings.Repeat("x", 4000), "KEYS", "k"))
		}
		settled(t, s)
	}
	clean := func(manual bool) int64 {
		t.Helper()
		freed, err := s.clean(t.Context(), manual)
		if err != nil {
			t.Fatal(err)
		}
		return freed / o.SegmentBytes
	}
	fill(80) // five segments and a bit
	now.Add(int64(71 * time.Hour))
	if n := clean(true); n != 0 {
		t.Errorf("%d segments went before their time", n)
	}
	fill(1)
	now.Add(int64(2 * time.Hour)) // 13 o'clock
	if n := clean(false); n != 0 {
		t.Errorf("%d segments went at the wrong hour", n)
	}
	now.Add(int64(15 * time.Hour)) // 04 o'clock
	if n := clean(false); n == 0 || s.LogMin() != n*o.SegmentBytes {
		t.Errorf("%d segments went, the log begins at %d", n, s.LogMin())
	}
	low := s.MinOffset([]byte("T"), 0)
	raw, found, err := s.Read(&Want{Topic: []byte("T"), Offset: low, MaxMessages: 1}, nil)
	if err != nil || found.Status != StatusFound || low == 0 || len(raw) == 0 {
		t.Errorf("after retention the queue begins at %d: %v %v", low, found.Status, err)
	}
	if _, f, _ := s.Read(&Want{Topic: []byte("T"), MaxMessages: 1}, nil); f.Status != StatusOffsetTooSmall || f.NextOffset != low {
		t.Errorf("before the minimum: %+v", f)
	}
	fill(80)
	s.SetRetention(Retention{CommitLogMaxBytes: 3 * o.SegmentBytes, DeleteIntervalMs: 1})
	clean(false)
	if n := s.LogMax() - s.LogMin(); n > 3*o.SegmentBytes {
		t.Errorf("the log has %d bytes", n)
	}
	closeStore(t, s)
	closeStore(t, mustOpen(t, o))
}

// TestRetentionPassesDamagedHeads: where nothing was noted of a segment, as of those of another broker, and the one behind it cannot be
// read at its beginning, a later one tells how old it is.
func TestRetentionPassesDamagedHeads(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	o.Clock = func() time.Time { return now }
	s := mustOpen(t, o)
	for range 80 {
		mustAppend(t, s, message("T", 0, strings.Repeat("x", 4000)))
	}
	settled(t, s)
	closeStore(t, s)
	for _, segment := range []int64{1, 2} {
		if err := f.FlipBit(fmt.Sprintf("%s/%020d", o.CommitLogDir, segment*o.SegmentBytes), 5, 1); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(80 * time.Hour)
	o.Retention.DeleteIntervalMs = 1
	s = mustOpen(t, o)
	s.dispatch.mu.Lock()
	clear(s.dispatch.sealed)
	s.dispatch.mu.Unlock()
	if _, err := s.clean(t.Context(), true); err != nil || s.LogMin() < 3*o.SegmentBytes {
		t.Errorf("the log begins at %d of %d: %v", s.LogMin(), s.LogMax(), err)
	}
	closeStore(t, s)
}

// TestNoSpace: without space for another segment messages are refused, reads go on, and it ends by itself.
func TestNoSpace(t *testing.T) {
	f := disk.NewFaulty()
	s := mustOpen(t, smallOptions(f))
	m := message("T", 0, strings.Repeat("x", 4000))
	store := func(n int) (stored int, err error) {
		for range n {
			for {
				if _, err = s.Append(m); !errors.Is(err, ErrFull) {
					break
				}
				waitRoom(s)
			}
			if err != nil {
				return stored, err
			}
			stored++
		}
		return stored, nil
	}
	if _, err := store(20); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	f.SetFree(0)
	n, err := store(100)
	if !errors.Is(err, ErrNotWritable) || errors.Is(s.log.Err(), syscall.ENOSPC) {
		t.Fatalf("%d messages, then %v", n, err)
	}
	settled(t, s)
	if got := served(t, s)[at{"T", 0}]; len(got) != 20+n {
		t.Errorf("%d messages are served, %d were stored", len(got), 20+n)
	}
	f.SetFree(-1)
	deadline := time.Now().Add(patience)
	for {
		if _, err = store(1); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("with space again: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := store(50); err != nil {
		t.Fatal(err)
	}
	settled(t, s)
	if got := served(t, s)[at{"T", 0}]; len(got) != 20+n+51 {
		t.Errorf("%d messages are served at the end", len(got))
	}
	closeStore(t, s)
}

// TestReplayBounded: a start after a crash reads again what came after the last sync of the queues, no more; without our
// own marks it goes by the checkpoint, as a stock broker does; damaged state of ours never stops a start.
func TestReplayBounded(t *testing.T) {
	for name, damage := range map[string]func(f *disk.Faulty){
		"as it was": func(*disk.Faulty) {},
		"no marks":  func(f *disk.Faulty) { _ = f.Remove("/store/ringmq/replay.json") },
		"garbage": func(f *disk.Faulty) {
			for _, file := range []string{"replay.json", "deleted.json"} {
				_ = writeWhole(f, "/store/ringmq/"+file, []byte(`{"formatVersion":1,"marks":[{"replayFrom":-5,"end":1}],"topics":7}`))
			}
		},
		"other numbers": func(f *disk.Faulty) {
			b, _ := readWhole(f, "/store/ringmq/replay.json", 1<<20)
			_ = writeWhole(f, "/store/ringmq/replay.json", []byte(strings.ReplaceAll(string(b), `"replayFrom":`, `"replayFrom":1`)))
		},
		"short checkpoint": func(f *disk.Faulty) { _ = writeWhole(f, "/store/checkpoint", []byte{1, 2, 3}) },
	} {
		f := disk.NewFaulty()
		o := smallOptions(f)
		o.FlushIntervalMs = time.Hour.Milliseconds() // the queues become durable when this test says so
		s := mustOpen(t, o)
		fill := func(n int) {
			for range n {
				mustAppend(t, s, message("T", 0, strings.Repeat("x", 2000)))
			}
			settled(t, s)
		}
		fill(150)
		flush := flusher{s: s, syncedAt: time.Now(), indexAt: time.Now()}
		if err := flush.sync(s.dispatch.lastPlace()); err != nil {
			t.Fatal(err)
		}
		flush.round()
		fill(20)
		f.Stop()
		_ = s.Close(context.Background())
		f = f.Crash(rand.New(rand.NewSource(1)))
		damage(f)
		o.FS = f
		s = mustOpen(t, o)
		if got := len(served(t, s)[at{"T", 0}]); got != 170 {
			t.Errorf("%s: %d messages after the crash", name, got)
		}
		if r := s.recovered; name == "as it was" && (r.why != "mark" || r.records != 21) {
			t.Errorf("%s: %d records were read again from %d (%s)", name, r.records, r.from, r.why)
		}
		closeStore(t, s)
	}
}
