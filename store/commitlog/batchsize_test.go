package commitlog

import (
	"runtime"
	"sync/atomic"
	"testing"
)

func TestBatchSize(t *testing.T) {
	var s batchSize
	many := func(bytes int64, n int) (turns int) {
		for range n {
			if s.note(bytes) {
				turns++
			}
		}
		return turns
	}
	for _, c := range []struct {
		bytes int64
		n     int
		turns int
		large bool
	}{
		{largeFrom - 1, 10_000, 0, false},
		{4 * largeFrom, sizesKept, 1, true},
		{smallFrom + 1, 10_000, 0, true}, // in between everything stays as it was
		{1000, sizesKept, 1, false},
		{largeFrom - 1, 10_000, 0, false},
	} {
		if turns := many(c.bytes, c.n); turns != c.turns || s.large.Load() != c.large {
			t.Errorf("%d of %d bytes: turned %d times, large %v", c.n, c.bytes, turns, s.large.Load())
		}
	}
}

// TestLargeBatchesAreNotZeroedFor: while batches are large segments are made without zeros ahead, and with them again as soon as they
// are small; nothing is lost either way, and what expires is still used or removed.
func TestLargeBatchesAreNotZeroedFor(t *testing.T) {
	fs, l := faultyLog(t, nil)
	var zeroed atomic.Int64
	fs.OnOp(func(_ int, kind, _ string) {
		if kind == "zero" {
			zeroed.Add(1)
		}
	})
	prepared := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.next != nil
	}
	starts, n := map[int64]int{}, 0
	one := func() {
		start, end, err := put(l, n)
		if err == nil {
			err = l.Visible().Wait(t.Context(), end)
		}
		if err != nil {
			t.Fatal(err)
		}
		starts[start] = n
		n++
		for !prepared() {
			runtime.Gosched()
		}
		if len(l.Segments()) > 4 {
			if _, err := l.DeleteOldest(); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.committer.mu.Lock()
	l.committer.sizes.mean = 16 * largeFrom // as if such batches had come until now
	l.committer.mu.Unlock()
	one()
	l.maker.working.Lock() // what the maker had begun is over
	before := zeroed.Load()
	l.maker.working.Unlock()
	rolls, first := l.UnzeroedRolls(), l.Max()
	for l.committer.sizes.large.Load() {
		one()
		if now := zeroed.Load(); now != before && l.committer.sizes.large.Load() {
			t.Fatal("zeroed beside large batches")
		}
	}
	if rolled := (l.Max() - first) / l.o.SegmentBytes; rolled < 3 || l.UnzeroedRolls() != rolls {
		t.Fatalf("%d segments, of which %d were too late", rolled, l.UnzeroedRolls()-rolls)
	}
	for range 200 {
		one()
	}
	if zeroed.Load() == before {
		t.Fatal("nothing is zeroed beside small batches")
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	fs.OnOp(nil)
	l, found, result, err := open(options(fs, "/s"))
	if err != nil || len(result.Gaps) != 0 {
		t.Fatal(err, result.Gaps)
	}
	defer l.Close(t.Context())
	for start, n := range starts {
		if got, ok := found[start]; start >= l.Min() && (!ok || got != n) {
			t.Errorf("message %d at %d is not there", n, start)
		}
	}
}
