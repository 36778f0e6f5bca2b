package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

func batchOptions(f disk.FS) Options {
	o := smallOptions(f)
	o.BatchTopic = func(topic []byte) bool { return string(topic) == "B" }
	o.BatchQueueBytes = 46 * 8
	return o
}

// appendInner stores a batch of n messages.
func appendInner(t *testing.T, s *Store, topic string, n int, properties ...string) Placed {
	t.Helper()
	var items []byte
	for i := range n {
		items = record.AppendBatchItem(items, &record.BatchItem{Body: []byte(fmt.Sprint(i))})
	}
	for {
		p, _, err := s.AppendInner(message(topic, 0, "", properties...), items)
		if err == nil {
			return p
		}
		if !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		waitRoom(s)
	}
}

// batchFile is the name of a file of batch queue 0 of B, by the number of its first unit.
func batchFile(unit int) string { return fmt.Sprintf("/store/batchconsumequeue/B/0/%020d", unit*46) }

// writeIn writes into a file of a store that is closed.
func writeIn(t *testing.T, f disk.FS, name string, at int64, b []byte) {
	t.Helper()
	h, err := f.Open(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
}

// readB asks for a place in B; the answer must be soon.
func readB(t *testing.T, s *Store, w Want) Found {
	t.Helper()
	w.Topic = []byte("B")
	type answer struct {
		f   Found
		err error
	}
	done := make(chan answer, 1)
	go func() {
		_, f, err := s.Read(&w, nil)
		done <- answer{f, err}
	}()
	select {
	case a := <-done:
		if a.err != nil {
			t.Fatal(a.err)
		}
		return a.f
	case <-time.After(patience):
		t.Fatalf("a read at %d does not end", w.Offset)
		return Found{}
	}
}

// TestBatchesBesideGaps: where no message has an offset, a read goes on behind, and never gives an earlier batch again.
func TestBatchesBesideGaps(t *testing.T) {
	s := mustOpen(t, batchOptions(disk.NewMemory()))
	defer closeStore(t, s)
	for _, base := range []int64{0, 20, 40} {
		s.counters.set("B", 0, base)
		if p := appendInner(t, s, "B", 5); p.QueueOffset != base {
			t.Fatal(p)
		}
	}
	settled(t, s)
	for _, c := range []struct{ from, next int64 }{{0, 5}, {4, 5}, {5, 25}, {12, 25}, {24, 25}, {25, 45}, {39, 45}, {44, 45}} {
		if f := readB(t, s, Want{Offset: c.from, MaxMessages: 1}); f.Status != StatusFound || f.Messages != 1 || f.NextOffset != c.next {
			t.Errorf("from %d: %v, %d batches, next %d instead of %d", c.from, f.Status, f.Messages, f.NextOffset, c.next)
		}
	}
}

// TestDamagedBatchUnits: units that are damaged are stepped over, whatever lies around them, and reads go on; those at the end come from the
// log again.
func TestDamagedBatchUnits(t *testing.T) {
	for _, c := range []struct {
		name    string
		damaged []int
		mended  int
	}{{"one", []int{5}, 0}, {"the first", []int{0}, 0}, {"the last", []int{19}, 1}, {"some", []int{3, 4, 9, 18, 19}, 2}, {"all", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19}, 20}} {
		t.Run(c.name, func(t *testing.T) {
			f := disk.NewFaulty()
			o := batchOptions(f)
			s := mustOpen(t, o)
			for range 20 {
				appendInner(t, s, "B", 5)
			}
			settled(t, s)
			closeStore(t, s)
			for _, i := range c.damaged {
				writeIn(t, f, batchFile(i/8*8), int64(i%8*46+36), []byte{0, 0})
			}
			s = mustOpen(t, o)
			defer closeStore(t, s)
			low, high := s.MinOffset([]byte("B"), 0), s.MaxOffset([]byte("B"), 0)
			found := 0
			for at := low; at < high; {
				a := readB(t, s, Want{Offset: at, MaxMessages: 4})
				if a.NextOffset <= at {
					t.Fatalf("at %d: next is %d", at, a.NextOffset)
				}
				at, found = a.NextOffset, found+a.Messages
			}
			if found != 20-len(c.damaged)+c.mended {
				t.Errorf("%d batches are found, %d units were damaged, %d at the end", found, len(c.damaged), c.mended)
			}
			if p := appendInner(t, s, "B", 1); p.QueueOffset != 100 {
				t.Errorf("the next queue offset is %d", p.QueueOffset)
			}
			settled(t, s)
		})
	}
}

// TestBatchUnitOfAnother: a unit that points to a record of another queue is not served.
func TestBatchUnitOfAnother(t *testing.T) {
	f := disk.NewFaulty()
	o := batchOptions(f)
	s := mustOpen(t, o)
	var places []Placed
	for range 20 {
		places = append(places, appendInner(t, s, "B", 5))
		mustAppend(t, s, message("other", 0, "not theirs"))
	}
	other := mustAppend(t, s, message("other", 0, "not theirs"))
	for range 5 {
		appendInner(t, s, "B", 5)
	}
	settled(t, s)
	closeStore(t, s)
	u := record.QueueUnit{Offset: other.PhysicalOffset, Size: other.Size}
	writeIn(t, f, batchFile(16), 3*46, u.Append(nil)) // unit 19
	s = mustOpen(t, o)
	defer closeStore(t, s)
	raw, a, err := s.Read(&Want{Topic: []byte("B"), Offset: places[19].QueueOffset, MaxMessages: 32}, nil)
	if err != nil || a.NextOffset != 125 || strings.Contains(string(raw), "not theirs") {
		t.Error(a, err, bodies(t, raw))
	}
}

// TestBatchScanIsBounded: a pull whose tag matches nothing looks at no more of a queue than one of an ordinary queue, and one that asks
// for very many messages at no more than an answer may have.
func TestBatchScanIsBounded(t *testing.T) {
	o := batchOptions(disk.NewMemory())
	o.BatchQueueBytes = 46 * 1000
	s := mustOpen(t, o)
	defer closeStore(t, s)
	for range 1500 {
		mustAppend(t, s, message("B", 0, "x", "TAGS", "A"))
		mustAppend(t, s, message("O", 0, "x", "TAGS", "A"))
	}
	settled(t, s)
	none := func(int64) bool { return false }
	for _, n := range []int{1, 1 << 30} {
		if a := readB(t, s, Want{MaxMessages: n, Match: none}); a.NextOffset != 800 || a.Status != StatusNoMatchedMessage {
			t.Errorf("batch queue, %d asked for: %v, next %d", n, a.Status, a.NextOffset)
		}
		if _, a, err := s.Read(&Want{Topic: []byte("O"), MaxMessages: n, Match: none}, nil); err != nil || a.NextOffset != 800 {
			t.Errorf("ordinary queue, %d asked for: %v, next %d", n, err, a.NextOffset)
		}
	}
}

// TestBatchRetention: files of batch queues go from the front, opened before or not, and the minimum follows.
func TestBatchRetention(t *testing.T) {
	f := disk.NewFaulty()
	o := batchOptions(f)
	o.Retention.DeleteIntervalMs = 1
	s := mustOpen(t, o)
	for range 100 {
		appendInner(t, s, "B", 5, "PAD", strings.Repeat("x", 4000))
	}
	settled(t, s)
	closeStore(t, s)
	s = mustOpen(t, o) // nothing but the ends has been looked at
	defer closeStore(t, s)
	if a := readB(t, s, Want{Offset: 250, MaxMessages: 1}); a.NextOffset != 255 {
		t.Fatal(a)
	}
	s.SetRetention(Retention{CommitLogMaxBytes: 2 * o.SegmentBytes, DeleteIntervalMs: 1})
	if _, err := s.clean(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	low := s.MinOffset([]byte("B"), 0)
	files, err := f.ReadDir("/store/batchconsumequeue/B/0")
	if err != nil {
		t.Fatal(err)
	}
	first := int(low) / 5 / 8 * 8
	for i, e := range files {
		if "/store/batchconsumequeue/B/0/"+e.Name() != batchFile(first+8*i) {
			t.Errorf("file %d of %d is %s, the minimum %d", i, len(files), e.Name(), low)
		}
	}
	if low < 200 || len(files) != (100+7)/8-first/8 {
		t.Errorf("the minimum is %d, of %d files", low, len(files))
	}
	if a := readB(t, s, Want{Offset: low, MaxMessages: 1}); a.Status != StatusFound || a.NextOffset != low+5 {
		t.Errorf("at the minimum %d: %v, next %d", low, a.Status, a.NextOffset)
	}
}

// TestBatchSyncLost: after a batch queue could not be made durable the checkpoint does not move any more, since no later sync tells what
// was lost, and the next start fills it from the log.
func TestBatchSyncLost(t *testing.T) {
	f := disk.NewFaulty()
	o := batchOptions(f)
	s := mustOpen(t, o)
	appendInner(t, s, "B", 5)
	moveEnds(t, s)
	before := s.checkpoint.current
	for range 10 {
		appendInner(t, s, "B", 5)
	}
	settled(t, s)
	f.OnOp(func(op int, kind, name string) {
		if strings.Contains(kind, "sync") && strings.Contains(name, "/batchconsumequeue/") {
			f.FailAt(op, syscall.EIO)
			f.OnOp(nil)
		}
	})
	fl := flusher{s: s, syncedAt: time.Now(), indexAt: time.Now()}
	for range 3 {
		if err := fl.sync(s.dispatch.lastPlace()); err == nil {
			t.Error("a sync succeeded after one had failed")
		}
		fl.round()
	}
	if now := s.checkpoint.current; now.End != before.End {
		t.Errorf("the checkpoint moved from %d to %d", before.End, now.End)
	}
	f.Stop()
	_ = s.Close(context.Background())
	o.FS = f.Crash(rand.New(rand.NewSource(3)))
	s = mustOpen(t, o)
	if got := served(t, s)[at{"B", 0}]; len(got) != 11 {
		t.Errorf("%d of 11 batches are there", len(got))
	}
	closeStore(t, s)
}

// slowBatches is a disk on which reads of batch queues do not end before they may.
type slowBatches struct {
	disk.FS
	slow    atomic.Bool
	reached chan struct{}
	goOn    chan struct{}
}

type slowFile struct {
	disk.File
	of *slowBatches
}

func (s *slowBatches) Open(name string, flag int, perm fs.FileMode) (disk.File, error) {
	f, err := s.FS.Open(name, flag, perm)
	if err == nil && strings.Contains(name, "/batchconsumequeue/") {
		f = slowFile{f, s}
	}
	return f, err
}

func (f slowFile) ReadAt(b []byte, off int64) (int, error) {
	if f.of.slow.Load() {
		select {
		case f.of.reached <- struct{}{}:
		default:
		}
		<-f.of.goOn
	}
	return f.File.ReadAt(b, off)
}

// TestColdBatchReader: one who reads a batch queue from a slow disk keeps nobody else from anything.
func TestColdBatchReader(t *testing.T) {
	slow := &slowBatches{FS: disk.NewMemory(), reached: make(chan struct{}, 1), goOn: make(chan struct{})}
	o := batchOptions(slow)
	s := mustOpen(t, o)
	for range 50 {
		appendInner(t, s, "B", 5)
	}
	settled(t, s)
	closeStore(t, s)
	s = mustOpen(t, o)
	defer closeStore(t, s)
	slow.slow.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, a, err := s.Read(&Want{Topic: []byte("B"), Offset: 100, MaxMessages: 1}, nil); err != nil || a.NextOffset != 105 {
			t.Error(a, err)
		}
	}()
	<-slow.reached
	appended := make(chan struct{})
	go func() {
		defer close(appended)
		appendInner(t, s, "B", 5)
		mustAppend(t, s, message("O", 0, "x"))
		settled(t, s)
	}()
	select {
	case <-appended:
	case <-time.After(patience):
		t.Error("the dispatcher waits for a reader")
	}
	slow.slow.Store(false)
	close(slow.goOn)
	<-done
	<-appended
}

// FuzzParseBatchUnit: a unit that is taken is written as it was read, and its numbers add up.
func FuzzParseBatchUnit(f *testing.F) {
	u := batchUnit{QueueUnit: record.QueueUnit{Offset: 1000, Size: 200, TagsCode: -5}, storeTime: 7, base: 40, count: 3}
	f.Add(u.appendRest(u.Append(nil)))
	f.Add(make([]byte, batchUnitBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < batchUnitBytes {
			return
		}
		u := parseBatchUnit(b)
		if u.count == 0 {
			return
		}
		if u.count < 0 || u.base < 0 || u.end() <= u.base || u.Offset < 0 || u.Size <= 0 {
			t.Errorf("%+v is taken", u)
		}
		if again := u.appendRest(u.Append(nil)); len(again) != batchUnitBytes || parseBatchUnit(again) != u || string(again[:38]) != string(b[:38]) {
			t.Errorf("% x is written as % x", b[:batchUnitBytes], again)
		}
	})
}
