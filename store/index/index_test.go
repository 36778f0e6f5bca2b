package index_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/index"
)

var topic = []byte("topic")

func small(fsys disk.FS) index.Options {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return index.Options{Dir: "/s/index", FS: fsys, Slots: 16, Entries: 21, BufferEntries: 4, SlotIntervalMs: 5000, Location: time.UTC,
		Clock: func() time.Time { now = now.Add(time.Second); return now }}
}

func start(t testing.TB, o index.Options, orderly bool) *index.Index {
	t.Helper()
	x, err := index.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Recover(orderly); err != nil {
		t.Fatal(err)
	}
	return x
}

func query(t testing.TB, x *index.Index, key string, limit int, begin, end int64) []int64 {
	t.Helper()
	got, err := x.Query(topic, []byte(key), limit, begin, end, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestQueryOrderTimeAndLimit(t *testing.T) {
	m := disk.NewMemory()
	x := start(t, small(m), true)
	// Every second record has key a; one a second, over several files.
	for i := range int64(100) {
		if err := x.Put(topic, []byte{"ab"[i%2]}, i*10, 1_000_000+i*1000); err != nil {
			t.Fatal(err)
		}
	}
	for _, flushed := range []bool{false, true, false} {
		if flushed {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = start(t, small(m), true)
		}
		all := query(t, x, "a", 1000, 0, math.MaxInt64)
		if len(all) != 50 || all[0] != 980 || !slices.IsSortedFunc(all, func(a, b int64) int { return int(b - a) }) {
			t.Fatalf("%v", all)
		}
		if got := query(t, x, "a", 3, 0, math.MaxInt64); !slices.Equal(got, []int64{980, 960, 940}) {
			t.Errorf("limit 3: %v", got)
		}
		if got := query(t, x, "b", 10, 1_011_000, 1_015_000); !slices.Equal(got, []int64{150, 130, 110}) {
			t.Errorf("by time: %v", got)
		}
		if got := query(t, x, "c", 10, 0, math.MaxInt64); len(got) != 0 {
			t.Errorf("unknown key: %v", got)
		}
		if got := query(t, x, "a", 10, 0, 999_999); len(got) != 0 {
			t.Errorf("before everything: %v", got)
		}
	}
	if err := x.DeleteBefore(500); err != nil {
		t.Fatal(err)
	}
	if got := query(t, x, "a", 1000, 0, math.MaxInt64); got[0] != 980 || got[len(got)-1] > 500 || len(got) > 35 {
		t.Errorf("after deletion: %v", got)
	}
	if err := x.DeleteBefore(math.MaxInt64); err != nil {
		t.Fatal(err)
	}
	if list, err := m.ReadDir("/s/index"); err != nil || len(list) != 1 {
		t.Errorf("%d files: %v", len(list), err)
	}
}

// TestQueryWhereTheClockWasSetBack: records are found by their own times where a file was begun by a clock that was ahead, and in files before
// one that began earlier than they did.
func TestQueryWhereTheClockWasSetBack(t *testing.T) {
	times := map[int64]int64{}
	o := small(disk.NewMemory())
	o.StoreTime = func(physical int64) (int64, bool) { ms, ok := times[physical]; return ms, ok }
	x := start(t, o, true)
	for i := range int64(60) { // 20 in a file
		ms := 9_000_000 + i*1000
		if i >= 30 {
			ms = 1_000_000 + i*1000
		}
		times[i*10] = ms
		if err := x.Put(topic, []byte("k"), i*10, ms); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got := query(t, x, "k", 10, 1_030_000, 1_034_000); !slices.Equal(got, []int64{340, 330, 320, 310, 300}) {
			t.Errorf("set back: %v", got)
		}
		if got := query(t, x, "k", 100, 9_005_000, 9_022_000); len(got) != 18 || got[0] != 220 || got[17] != 50 {
			t.Errorf("ahead: %v", got)
		}
		if got := query(t, x, "k", 100, 0, math.MaxInt64); len(got) != 60 {
			t.Errorf("all: %v", got)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x = start(t, o, true)
	}
}

func TestPutNeedsRecover(t *testing.T) {
	x, err := index.Open(small(disk.NewMemory()))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Put(topic, topic, 0, 1); !errors.Is(err, index.ErrNotRecovered) {
		t.Errorf("%v", err)
	}
	if got := query(t, x, "a", 1, 0, 1); len(got) != 0 || x.LastPhysical() != 0 {
		t.Errorf("%v", got)
	}
	if err := x.Flush(); err != nil {
		t.Error(err)
	}
}

func TestSameRecordAgain(t *testing.T) {
	m := disk.NewMemory()
	put := func(x *index.Index) {
		for _, key := range []string{"k1", "k2", "k2"} {
			if err := x.Put(topic, []byte(key), 700, 5000); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, orderly := range []bool{true, false} {
		x := start(t, small(m), orderly)
		put(x)
		if got := query(t, x, "k2", 9, 0, math.MaxInt64); !slices.Equal(got, []int64{700, 700}) {
			t.Errorf("%v", got)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		x = start(t, small(m), !orderly)
		put(x) // its unique key was indexed, perhaps the others were not: they are put again
		if got := query(t, x, "k2", 9, 0, math.MaxInt64); !slices.Equal(got, []int64{700, 700}) {
			t.Errorf("again: %v", got)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOddFiles(t *testing.T) {
	m := disk.NewMemory()
	x := start(t, small(m), true)
	for i := range int64(45) {
		if err := x.Put(topic, []byte("k"), i, 1_000_000); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := m.ReadDir("/s/index")
	if err != nil || len(list) != 3 {
		t.Fatalf("%d files: %v", len(list), err)
	}
	for i, size := range map[int]int64{0: 10, 2: 200} { // the first is left alone, the newest is filled
		f, err := m.Open("/s/index/"+list[i].Name(), 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := m.Open("/s/index/README", 0o102, 0o644); err != nil {
		t.Fatal(err)
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	x = start(t, small(m), false)
	for i := x.LastPhysical(); i < 50; i++ {
		if err := x.Put(topic, []byte("k"), i, 1_000_000); err != nil {
			t.Fatal(err)
		}
	}
	got := query(t, x, "k", 99, 0, math.MaxInt64)
	if len(got) != 30 || got[0] != 49 || got[29] != 20 {
		t.Errorf("%v", got)
	}
}

func TestTruncate(t *testing.T) {
	for _, end := range []int64{0, 1, 19, 20, 21, 39, 40, 41, 44, 45, 100} {
		m := disk.NewMemory()
		x := start(t, small(m), true)
		for i := range int64(45) {
			if err := x.Put(topic, []byte("k"), i, 1_000_000+i); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.Truncate(end); err != nil {
			t.Fatal(err)
		}
		keep := min(end, 45)
		if got := query(t, x, "k", 99, 0, math.MaxInt64); int64(len(got)) != keep {
			t.Errorf("cut at %d: %v", end, got)
		}
		for i := keep; i < 50; i++ {
			if err := x.Put(topic, []byte("k"), i, 1_000_000+i); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			got := query(t, x, "k", 99, 0, math.MaxInt64)
			if len(got) != 50 {
				t.Errorf("cut at %d, filled again: %v", end, got)
			}
			for i, at := range got {
				if at != int64(49-i) {
					t.Fatalf("cut at %d: %v", end, got)
				}
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = start(t, small(m), false)
		}
	}
}

func TestWriteErrorsAreTriedAgain(t *testing.T) {
	d := disk.NewFaulty()
	x := start(t, small(d), true)
	failed := errors.New("no")
	for n := 1; n < 200; n += 3 {
		d.FailAt(n, failed)
	}
	errs := 0
	for i := int64(0); i < 60; {
		if err := x.Put(topic, []byte("k"), i, 1_000_000); err == nil {
			i++
		} else if errors.Is(err, failed) {
			errs++
		} else {
			t.Fatal(err)
		}
		if i%7 == 0 {
			if err := x.Flush(); err != nil {
				errs++
			}
		}
	}
	if got := query(t, x, "k", 99, 0, math.MaxInt64); len(got) != 60 || errs == 0 {
		t.Errorf("%d found after %d errors", len(got), errs)
	}
}

func TestReadersBesideTheWriter(t *testing.T) {
	m := disk.NewMemory()
	x := start(t, small(m), true)
	const total = 2000
	stop, done := make(chan struct{}), make(chan error, 2)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			got, err := x.Query(topic, []byte("k"), 40, 0, math.MaxInt64, nil)
			for i := 1; i < len(got) && err == nil; i++ {
				if got[i] != got[i-1]-1 {
					err = fmt.Errorf("%v", got)
				}
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := errors.Join(x.Flush(), x.DeleteBefore(x.LastPhysical()-200)); err != nil && !errors.Is(err, fs.ErrNotExist) {
					done <- err
					return
				}
			}
		}
	}()
	for i := range int64(total) {
		if err := x.Put(topic, []byte("k"), i, 1_000_000+i); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestPutAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	o := small(disk.NewMemory())
	o.Slots, o.Entries, o.BufferEntries = 1000, 100000, 10000
	x := start(t, o, true)
	key := []byte("7F0000012345CAFEBABE000003E80000")
	at := int64(0)
	put := func() { at++; _ = x.Put(topic, key, at, at) }
	put()
	if n := testing.AllocsPerRun(100, put); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPut(b *testing.B) {
	o := index.Options{Dir: b.TempDir(), FS: disk.OS()}
	x := start(b, o, true)
	key := []byte("7F0000012345CAFEBABE000003E80000")
	b.ReportAllocs()
	var i int64
	for b.Loop() {
		key[i%32]++
		if err := x.Put(topic, key, i, i); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if err := x.Close(); err != nil {
		b.Fatal(err)
	}
}
