package store

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"ringmq/store/disk"
)

// stalled makes every operation that fn picks hang until the returned function is called; reached has a token once one does.
func stalled(f *disk.Faulty, pick func(kind, name string) bool) (reached <-chan struct{}, release func()) {
	gate, token := make(chan struct{}), make(chan struct{}, 1)
	f.OnOp(func(_ int, kind, name string) {
		if !pick(kind, name) {
			return
		}
		select {
		case token <- struct{}{}:
		default:
		}
		<-gate
	})
	return token, sync.OnceFunc(func() { close(gate) })
}

// TestDispatchBesideAStalledIndex: while a flush of the key index hangs, and more keys come than it could once keep in
// memory, entries go on reaching their queues; no key is lost.
func TestDispatchBesideAStalledIndex(t *testing.T) {
	f := disk.NewFaulty()
	o := smallOptions(f)
	o.SegmentBytes, o.IndexSlots, o.IndexEntries, o.TailBytes = 1<<20, 1000, 100_000, 1<<20
	o.SyncFlush = false
	s := mustOpen(t, o)
	waitIndex(t, s)
	const first, last = 100, 12_000
	put := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			mustAppend(t, s, message("T", 0, "b", "UNIQ_KEY", fmt.Sprint("u", i), "KEYS", fmt.Sprint("k", i)))
		}
		settled(t, s)
	}
	put(0, first)
	reached, release := stalled(f, func(kind, name string) bool { return kind == "write" && strings.Contains(name, "index") })
	defer release()
	flushed := make(chan error, 1)
	go func() { flushed <- s.index.Flush() }()
	<-reached
	put(first, last)
	if n := s.MaxOffset([]byte("T"), 0); n != last {
		t.Errorf("the queue ends at %d", n)
	}
	if n := s.Stats().IndexWaits; n != 0 {
		t.Errorf("the dispatcher waited %d times", n)
	}
	release()
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	for _, again := range []bool{false, true} {
		if again {
			closeStore(t, s)
			s = mustOpen(t, o)
			waitIndex(t, s)
		}
		for i := 0; i < last; i += 97 {
			for _, key := range []string{"u", "k"} {
				if k, err := s.QueryKey([]byte("T"), []byte(fmt.Sprint(key, i)), 10, 0, math.MaxInt64); err != nil || len(k.Records) != 1 {
					t.Fatalf("key %s%d: %d records, %v", key, i, len(k.Records), err)
				}
			}
		}
	}
	closeStore(t, s)
}
