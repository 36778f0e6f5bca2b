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
	before := s.Stats().IndexWaits // for the first file, perhaps
	put(first, last)
	if n := s.MaxOffset([]byte("T"), 0); n != last {
		t.Errorf("the queue ends at %d", n)
	}
	if n := s.Stats().IndexWaits - before; n != 0 {
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

// TestDispatchBesideADeletion: while the deletion of a topic hangs, at the note of it or at its files, entries of other
// topics reach their queues, reads from memory go on, and a topic of the same name begins anew without losing anything.
func TestDispatchBesideADeletion(t *testing.T) {
	for _, batch := range []bool{false, true} {
		f := disk.NewFaulty()
		o := smallOptions(f)
		o.SegmentBytes = 1 << 20
		o.BatchTopic = func(topic []byte) bool { return batch && string(topic) == "Gone" }
		s := mustOpen(t, o)
		for range 10 {
			mustAppend(t, s, message("Gone", 0, "old"))
			mustAppend(t, s, message("Kept", 0, "kept"))
		}
		settled(t, s)
		if err := s.queues.Flush(); err != nil {
			t.Fatal(err)
		}
		goesOn := func(want int64) {
			t.Helper()
			mustAppend(t, s, message("Kept", 0, "kept"))
			settled(t, s)
			w := Want{Topic: []byte("Kept"), Offset: want - 1, MaxMessages: 1}
			if _, found, ok := s.ReadHot(&w, nil); !ok || found.Messages != 1 || found.Max != want {
				t.Fatalf("%+v %v", found, ok)
			}
			s.HasQueue([]byte("Gone"), 0)
			s.MaxOffset([]byte("Gone"), 0)
		}
		deletion := func() (<-chan struct{}, func(), <-chan error) {
			reached, release := stalled(f, func(kind, name string) bool {
				return strings.Contains(name, "deleted.json") || kind == "remove" && strings.Contains(name, "consumequeue/Gone")
			})
			done := make(chan error, 1)
			go func() { done <- s.DeleteTopic("Gone") }()
			return reached, release, done
		}
		reached, release, done := deletion()
		<-reached
		goesOn(11)
		f.OnOp(nil)
		var again func()
		reached, again = stalled(f, func(kind, name string) bool { return kind == "remove" && strings.Contains(name, "consumequeue/Gone") })
		release()
		<-reached
		goesOn(12)
		if !batch {
			if p := mustAppend(t, s, message("Gone", 0, "new")); p.QueueOffset != 0 {
				t.Errorf("the first message of the new topic has queue offset %d", p.QueueOffset)
			}
			goesOn(13)
		}
		again()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if batch {
			mustAppend(t, s, message("Gone", 0, "new"))
		}
		closeStore(t, s)
		s = mustOpen(t, o)
		raw, found, err := s.Read(&Want{Topic: []byte("Gone"), MaxMessages: 32}, nil)
		if err != nil || found.Max != 1 || fmt.Sprint(bodies(t, raw)) != "[new]" {
			t.Errorf("batch %v: %+v %v %v", batch, found, bodies(t, raw), err)
		}
		closeStore(t, s)
	}
}
