package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/store/disk"
	"ringmq/store/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what comes at once on an idle machine.
const patience = 30 * time.Second

// smallOptions are options of a store in memory whose files are small, so that every file ends often.
func smallOptions(f disk.FS) Options {
	o := DefaultOptions("/store")
	o.FS, o.Engine = f, "pwrite"
	o.SegmentBytes, o.QueueFileBytes, o.IndexSlots, o.IndexEntries = 64<<10, 400, 50, 100
	o.MaxMessageBytes, o.TailBytes = 8<<10, 256<<10
	o.MemoryBytes = 1 << 30
	o.DisableRetention = true
	o.Retention.WarningRatio = 100 // however full the disk of the test is
	o.Logger = slog.New(slog.DiscardHandler)
	return o
}

func message(topic string, queue int32, body string, properties ...string) *Message {
	var p []byte
	for i := 0; i+1 < len(properties); i += 2 {
		p = record.AppendProperty(p, properties[i], properties[i+1])
	}
	return &Message{Topic: []byte(topic), QueueID: queue, Body: []byte(body), BornTimestamp: 1, Properties: p}
}

func mustAppend(t *testing.T, s *Store, m *Message) Placed {
	t.Helper()
	for {
		p, err := s.Append(m)
		if err == nil {
			return p
		}
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		waitRoom(s)
	}
}

// waitRoom waits until the append buffer has room again.
func waitRoom(s *Store) {
	room := make(chan struct{})
	s.Room(func() { close(room) })
	<-room
}

// settled waits until everything stored is visible and in its queue.
func settled(t testing.TB, s *Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Visible().Wait(ctx, s.LogMax()); err != nil {
		t.Fatal(err)
	}
	for s.DispatchBehindBytes() > 0 {
		if ctx.Err() != nil {
			t.Fatal("the dispatcher does not come to its end")
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func bodies(t *testing.T, raw []byte) (list []string) {
	t.Helper()
	for len(raw) > 0 {
		var r record.Record
		if err := r.Parse(raw); err != nil {
			t.Fatal(err)
		}
		list = append(list, string(r.Body))
		raw = raw[r.TotalSize:]
	}
	return list
}

// TestAppendRead: what was appended is read, hot and cold, now and after a restart.
func TestAppendRead(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	s := mustOpen(t, o)
	var arrivals []string
	var mu sync.Mutex
	s.OnArrive(func(a *Arrival) {
		mu.Lock()
		defer mu.Unlock()
		arrivals = append(arrivals, fmt.Sprintf("%s-%d@%d", a.Topic, a.QueueID, a.QueueOffset))
	})
	const n = 500
	for i := range n {
		p := mustAppend(t, s, message(fmt.Sprintf("T%d", i%3), int32(i%2), fmt.Sprintf("body %d %s", i, strings.Repeat("x", 200))))
		if p.QueueOffset != int64(i/6) {
			t.Fatalf("message %d got queue offset %d", i, p.QueueOffset)
		}
	}
	settled(t, s)
	mu.Lock()
	if len(arrivals) != n || arrivals[0] != "T0-0@0" || arrivals[n-1] != "T1-1@83" {
		t.Errorf("%d arrivals, first %s, last %s", len(arrivals), arrivals[0], arrivals[len(arrivals)-1])
	}
	mu.Unlock()
	check := func(s *Store, hot bool) {
		t.Helper()
		for i := range 6 {
			topic, queue := []byte(fmt.Sprintf("T%d", i%3)), int32(i%2)
			var got []string
			w := Want{Topic: topic, QueueID: queue, MaxMessages: 32}
			for w.Offset < s.MaxOffset(topic, queue) {
				raw, f, err := s.Read(&w, nil)
				if hot {
					var ok bool
					if raw, f, ok = s.ReadHot(&w, nil); !ok {
						t.Fatalf("%s-%d at %d is not hot", topic, queue, w.Offset)
					}
				}
				if err != nil || f.Status != StatusFound {
					t.Fatalf("%s-%d at %d: %v %v", topic, queue, w.Offset, f.Status, err)
				}
				got = append(got, bodies(t, raw)...)
				w.Offset = f.NextOffset
			}
			want := (n - i + 5) / 6
			if len(got) != want {
				t.Fatalf("%s-%d: %d messages, want %d", topic, queue, len(got), want)
			}
			for k, b := range got {
				if !strings.HasPrefix(b, fmt.Sprintf("body %d ", k*6+i)) {
					t.Fatalf("%s-%d at %d: %q", topic, queue, k, b[:20])
				}
			}
		}
	}
	check(s, true)
	check(s, false)
	closeStore(t, s)
	s = mustOpen(t, o)
	if s.recovered.crashed || s.recovered.why != "mark" || s.recovered.records != 1 {
		t.Errorf("a start after a clean stop read %d records from %d (%s)", s.recovered.records, s.recovered.from, s.recovered.why)
	}
	check(s, false)
	if p := mustAppend(t, s, message("T0", 0, "next")); p.QueueOffset != 84 {
		t.Errorf("the next queue offset after a restart is %d", p.QueueOffset)
	}
	closeStore(t, s)
	if _, err := s.Append(message("T0", 0, "late")); !errors.Is(err, ErrNotWritable) {
		t.Errorf("append after Close: %v", err)
	}
}

// TestLocked: a second store on the same directory is refused.
func TestLocked(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	s := mustOpen(t, o)
	if _, err := Open(o); !errors.Is(err, ErrLocked) {
		t.Errorf("second open: %v", err)
	}
	closeStore(t, s)
	closeStore(t, mustOpen(t, o))
}

// TestRefusals: what cannot be stored is refused and changes nothing.
func TestRefusals(t *testing.T) {
	s := mustOpen(t, smallOptions(disk.NewMemory()))
	defer closeStore(t, s)
	for name, c := range map[string]struct {
		m    *Message
		want error
	}{
		"no topic":         {message("", 0, "b"), ErrMalformed},
		"negative queue":   {message("T", -1, "b"), ErrMalformed},
		"long topic":       {message(strings.Repeat("t", 256), 0, "b"), ErrMalformed},
		"large body":       {message("T", 0, strings.Repeat("b", 8<<10+1)), ErrTooLarge},
		"large properties": {&Message{Topic: []byte("T"), Properties: make([]byte, 32768)}, ErrTooLarge},
	} {
		if _, err := s.Append(c.m); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	m := message("T", 0, "")
	for name, items := range map[string][]byte{"empty": nil, "cut": {0, 0, 0, 41, 0}, "length": bytes.Repeat([]byte{0x7F}, 40)} {
		if _, err := s.AppendBatch(m, items, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("batch %s: %v", name, err)
		}
	}
	if p := mustAppend(t, s, message("T", 0, strings.Repeat("b", 8<<10), "K", strings.Repeat("v", 16<<10))); p.PhysicalOffset != 0 || p.QueueOffset != 0 {
		t.Errorf("first message after refusals: %+v", p)
	}
}

// TestBatch: the items of a batch become messages with consecutive offsets in one segment; none of the envelope's
// properties reach them.
func TestBatch(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	s := mustOpen(t, o)
	mustAppend(t, s, message("T", 3, "before"))
	var items []byte
	for i := range 40 {
		items = record.AppendBatchItem(items, &record.BatchItem{Flag: int32(i), Body: []byte(fmt.Sprintf("item %d", i)),
			Properties: record.AppendProperty(nil, "TAGS", "A")})
	}
	envelope := message("T", 3, "", "MSG_REGION", "r")
	for round := range 20 { // until a segment has ended
		places, err := s.AppendBatch(envelope, items, nil)
		for errors.Is(err, ErrFull) {
			waitRoom(s)
			places, err = s.AppendBatch(envelope, items, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range places {
			if p.QueueOffset != int64(1+round*40+i) || p.PhysicalOffset/o.SegmentBytes != places[0].PhysicalOffset/o.SegmentBytes || p.End != places[39].PhysicalOffset+int64(places[39].Size) {
				t.Fatalf("item %d of batch %d: %+v", i, round, p)
			}
		}
	}
	settled(t, s)
	raw, f, err := s.Read(&Want{Topic: []byte("T"), QueueID: 3, Offset: 1, MaxMessages: 40, Anything: true}, nil)
	if err != nil || f.Messages != 40 {
		t.Fatal(f, err)
	}
	for i := 0; len(raw) > 0; i++ {
		var r record.Record
		if err := r.Parse(raw); err != nil {
			t.Fatal(err)
		}
		present, sealed := record.VerifyPropCRC(raw)
		_, region := record.Property(r.Properties, "MSG_REGION")
		if r.Flag != int32(i) || string(r.Body) != fmt.Sprintf("item %d", i) || r.VerifyBody() != nil || !present || !sealed || region {
			t.Fatalf("item %d: %+v", i, r)
		}
		raw = raw[r.TotalSize:]
	}
	closeStore(t, s)
}

// TestInnerBatch: a batch of a BatchCQ topic is one record that takes many queue offsets; a read in its middle returns it.
func TestInnerBatch(t *testing.T) {
	o := smallOptions(disk.NewMemory())
	o.BatchTopic = func(topic []byte) bool { return string(topic) == "B" }
	o.BatchQueueBytes = 46 * 3
	for round := range 2 {
		s := mustOpen(t, o)
		var items []byte
		for range 5 {
			items = record.AppendBatchItem(items, &record.BatchItem{Body: []byte("item")})
		}
		for i := range 4 {
			p, n, err := s.AppendInner(message("B", 0, "", "UNIQ_KEY", "u"), items)
			if err != nil || n != 5 || p.QueueOffset != int64(round*21+i*5) {
				t.Fatal(p, n, err)
			}
		}
		mustAppend(t, s, message("B", 0, "single"))
		settled(t, s)
		if low, high := s.MinOffset([]byte("B"), 0), s.MaxOffset([]byte("B"), 0); low != 0 || high != int64(round*21+21) {
			t.Fatalf("queue is [%d, %d)", low, high)
		}
		raw, f, err := s.Read(&Want{Topic: []byte("B"), Offset: int64(round*21 + 7), MaxMessages: 1}, nil)
		var r record.Record
		if err != nil || f.Status != StatusFound || f.NextOffset != int64(round*21+10) || r.Parse(raw) != nil {
			t.Fatal(f, err)
		}
		base, _ := record.Property(r.Properties, record.PropertyInnerBase)
		if r.QueueOffset != int64(round*21+5) || strings.TrimLeft(string(base), "0") != fmt.Sprint(round*21+5) {
			t.Fatalf("batch at %d says its base is %s", r.QueueOffset, base)
		}
		closeStore(t, s)
	}
}

// TestDeleteTopic: a deleted topic's queues are gone and stay gone after a crash; the same name begins anew.
func TestDeleteTopic(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	s := mustOpen(t, o)
	for range 10 {
		mustAppend(t, s, message("Gone", 0, "old"))
		mustAppend(t, s, message("Kept", 0, "kept"))
	}
	settled(t, s)
	if err := s.DeleteTopic("Gone"); err != nil {
		t.Fatal(err)
	}
	if s.HasQueue([]byte("Gone"), 0) {
		t.Error("the queue is still there")
	}
	if p := mustAppend(t, s, message("Gone", 0, "new")); p.QueueOffset != 0 {
		t.Errorf("the first message of the new topic has queue offset %d", p.QueueOffset)
	}
	settled(t, s)
	f.Stop()
	_ = s.Close(context.Background())
	o.FS = f.Crash(rand.New(rand.NewSource(1)))
	s = mustOpen(t, o)
	raw, found, err := s.Read(&Want{Topic: []byte("Gone"), MaxMessages: 32}, nil)
	if err != nil || found.Max != 1 || fmt.Sprint(bodies(t, raw)) != "[new]" || s.MaxOffset([]byte("Kept"), 0) != 10 {
		t.Errorf("after a crash: %v %v %v", found, bodies(t, raw), err)
	}
	closeStore(t, s)
}
