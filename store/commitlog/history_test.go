package commitlog

import (
	"context"
	"testing"
	"time"

	"ringmq/store/disk"
)

// TestHistoryFinds: which batch a record went with, as long as it is remembered; batches of one millisecond are one.
func TestHistoryFinds(t *testing.T) {
	h := newHistory()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if _, ok := h.find(1); ok {
		t.Fatal("found in nothing")
	}
	commit := func(from, to int64, took time.Duration) {
		h.began = at
		at = at.Add(took)
		h.note(batch{from: from, to: to, after: to}, at)
	}
	commit(0, 100, 5*time.Millisecond)
	commit(100, 200, 300*time.Microsecond)
	commit(200, 300, 300*time.Microsecond)
	commit(300, 400, 20*time.Millisecond)
	for _, c := range []struct {
		end  int64
		took time.Duration
		ok   bool
	}{{1, 5 * time.Millisecond, true}, {100, 5 * time.Millisecond, true}, {101, 600 * time.Microsecond, true}, {300, 600 * time.Microsecond, true}, {400, 20 * time.Millisecond, true}, {401, 0, false}} {
		m, ok := h.find(c.end)
		if ok != c.ok || m.ended.Sub(m.began) != c.took {
			t.Errorf("%d: %v %v", c.end, m, ok)
		}
	}
	if h.n != 3 || h.bytes.Counts().N() != 4 || h.micros.Counts().Sum != 25_600 {
		t.Fatal(h.n, h.bytes.Counts(), h.micros.Counts())
	}
	for i := range int64(historyMarks) {
		commit(400+i*10, 410+i*10, 2*time.Millisecond)
	}
	if _, ok := h.find(300); ok {
		t.Fatal("what was forgotten is found")
	}
	if m, ok := h.find(400 + 10*(historyMarks-1)); !ok || m.ended.Sub(m.began) != 2*time.Millisecond {
		t.Fatal(m, ok)
	}
}

// TestCommitted: a log tells of its own batches, whoever drives them.
func TestCommitted(t *testing.T) {
	o := options(disk.OS(), t.TempDir())
	o.SegmentBytes = 1 << 20 // one: the end of another is a batch too
	makeDirs(t, o)
	l, _, _, err := open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close(context.Background())
	before := time.Now()
	var end int64
	for n := range 50 {
		if _, end, err = put(l, n); err != nil {
			t.Fatal(err)
		}
		if err := l.Durable().Wait(context.Background(), end); err != nil {
			t.Fatal(err)
		}
		// The batch is entered before it is told.
		began, ended, ok := l.Committed(end)
		if !ok || began.Before(before) || ended.Before(began) || ended.After(time.Now()) {
			t.Fatal(n, began, ended, ok)
		}
	}
	if _, _, ok := l.Committed(end + 1); ok {
		t.Error("committed what nobody wrote")
	}
	bytes, micros := l.Commits()
	if n := l.Ways(); n != [Ways]int64{Waited: 50} {
		t.Error("ways:", n)
	}
	if bytes.N() != 50 || micros.N() != 50 || bytes.Sum != end {
		t.Error(bytes, micros, end)
	}
}
