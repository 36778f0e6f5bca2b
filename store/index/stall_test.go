package index_test

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/store/disk"
	"ringmq/store/index"
)

// stall makes every operation of a kind on a name that contains part wait until the function returned is called.
func stall(d *disk.Faulty, kind, part string, reached chan<- struct{}) (release func()) {
	gate := make(chan struct{})
	d.OnOp(func(_ int, k, name string) {
		if k == kind && strings.Contains(name, part) {
			select {
			case reached <- struct{}{}:
			default:
			}
			<-gate
		}
	})
	return sync.OnceFunc(func() { close(gate) })
}

func key(i int64) string { return fmt.Sprint("key", i) }

func putMany(t testing.TB, x *index.Index, from, to int64) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := x.Put(topic, []byte(key(i)), i*10, 1_000_000+i*1000); err != nil {
			t.Fatal(err)
		}
	}
}

// inTime fails the test if fn does not return: what it calls waits for the disk.
func inTime(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal(what + " waits for the disk")
	}
}

// TestPutBesideAStalledFlush: a Flush that hangs in its sync does not keep the writer waiting until its memory is full;
// then it does, and counts it, and no key is lost.
func TestPutBesideAStalledFlush(t *testing.T) {
	const bound = 1024
	d := disk.NewFaulty()
	o := small(d)
	o.Entries, o.BufferEntries, o.Slots, o.SlotIntervalMs = 100_000, bound, 50, 1
	x := start(t, o, true)
	putMany(t, x, 0, 10)
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	putMany(t, x, 10, 20)
	before, stalled := x.Waits(), make(chan struct{}, 1)
	release := stall(d, "datasync", "index", stalled)
	defer release()
	flushed := make(chan error, 1)
	go func() { flushed <- x.Flush() }()
	<-stalled
	inTime(t, "Put", func() { putMany(t, x, 20, 20+bound) })
	if got := x.Waits(); got != before {
		t.Errorf("the writer waited %d times with room in its memory", got-before)
	}
	if got := query(t, x, key(700), 10, 0, math.MaxInt64); len(got) != 1 || got[0] != 7000 {
		t.Errorf("a key that is in memory only: %v", got)
	}
	more := make(chan struct{})
	go func() { defer close(more); putMany(t, x, 20+bound, 30+bound) }()
	for x.Waits() == before {
		select {
		case <-more:
			t.Fatal("memory has no bound")
		case <-time.After(time.Millisecond):
		}
	}
	release()
	<-more
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{false, true} {
		if again {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x = start(t, o, true)
		}
		for i := range int64(30 + bound) {
			if got := query(t, x, key(i), 10, 0, math.MaxInt64); len(got) != 1 || got[0] != i*10 {
				t.Fatalf("key %d: %v", i, got)
			}
		}
	}
	_ = x.Close()
}

// TestNextFileIsThere: whoever fills a file goes on in the next one without any operation of the disk, and what lies in a
// file that has no name yet is found.
func TestNextFileIsThere(t *testing.T) {
	d := disk.NewFaulty()
	o := small(d)
	o.BufferEntries = 64
	x := start(t, o, true)
	<-x.Wake()
	if err := x.Tend(); err != nil {
		t.Fatal(err)
	}
	putMany(t, x, 0, 19) // 20 fill a file
	for at := int64(19); at < 119; {
		<-x.Wake()
		if err := x.Tend(); err != nil {
			t.Fatal(err)
		}
		ops, waits := d.Ops(), x.Waits()
		putMany(t, x, at, at+10)
		at += 10
		if d.Ops() != ops || x.Waits() != waits {
			t.Fatalf("%d operations of the disk, %d waits", d.Ops()-ops, x.Waits()-waits)
		}
		for i := range at {
			if got := query(t, x, key(i), 10, 0, math.MaxInt64); len(got) != 1 || got[0] != i*10 {
				t.Fatalf("key %d of %d: %v", i, at, got)
			}
		}
		if err := x.Flush(); err != nil {
			t.Fatal(err)
		}
		putMany(t, x, at, at+10)
		at += 10
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if list, err := d.ReadDir("/s/ringmq"); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v %v", list, err)
	}
}

// TestMemoryGoesBack: room that a slow disk made necessary is given up when it is not needed any more.
func TestMemoryGoesBack(t *testing.T) {
	o := small(disk.NewMemory())
	o.Entries, o.BufferEntries = 1_000_000, 1<<17
	x := start(t, o, true)
	putMany(t, x, 0, 1<<17)
	high := x.BufferedBytes()
	for range 10 {
		if err := x.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if low := x.BufferedBytes(); high < 20<<17 || low > 20<<14 {
		t.Errorf("%d bytes while keys waited, %d now", high, low)
	}
	_ = x.Close()
}
