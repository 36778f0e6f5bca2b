package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringmq/store/disk"
	"ringmq/store/record"
)

// attempt is one message somebody tried to store, or one batch that is kept as it is. What must be there after a crash: what was
// durable before it. What may be there: everything else that was tried. Nothing else, and nothing of what was deleted.
type attempt struct {
	topic string
	queue int32
	body  string
	place Placed
	must  bool
	dying bool // its topic's deletion has begun
	gone  bool // and ended
}

// workload appends to several topics, in batches too, deletes some, lets queues become durable in between, and stops at the crash.
type workload struct {
	attempts []*attempt
	rng      *rand.Rand
	ended    error // what ended it
}

func (w *workload) run(s *Store) {
	f := flusher{s: s, syncedAt: time.Now(), indexAt: time.Now()}
	for i := range 60 {
		if i%20 == 19 {
			_ = f.sync(s.dispatch.lastPlace())
			f.round()
		}
		step := w.single
		switch i % 8 {
		case 2, 5:
			step = w.inner
		case 6:
			step = w.delete
		case 7:
			step = w.batch
		}
		if !step(s, i) {
			return
		}
		// Not every message is waited for: several shall be on their way when the crash comes.
		if w.rng.Intn(3) == 0 && !w.wait(s) {
			return
		}
	}
	w.wait(s)
}

func (w *workload) single(s *Store, i int) bool {
	topic := []string{"T0", "T1", "T2", "D"}[w.rng.Intn(4)]
	a := &attempt{topic: topic, queue: int32(w.rng.Intn(2)), body: fmt.Sprintf("%d %s", i, strings.Repeat("x", w.rng.Intn(3000)))}
	w.attempts = append(w.attempts, a)
	for again := true; again; again = w.full(s) {
		a.place, w.ended = s.Append(message(a.topic, a.queue, a.body, "UNIQ_KEY", fmt.Sprintf("u%d", i), "TAGS", "A"))
	}
	return w.ended == nil
}

func (w *workload) batch(s *Store, i int) bool {
	var items []byte
	var mine []*attempt
	for k := range 5 {
		a := &attempt{topic: "Batch", body: fmt.Sprintf("%d.%d", i, k)}
		items = record.AppendBatchItem(items, &record.BatchItem{Body: []byte(a.body), Properties: record.AppendProperty(nil, "UNIQ_KEY", "u"+a.body)})
		mine = append(mine, a)
	}
	w.attempts = append(w.attempts, mine...)
	var places []Placed
	for again := true; again; again = w.full(s) {
		places, w.ended = s.AppendBatch(message("Batch", 0, ""), items, nil)
	}
	for k, p := range places {
		mine[k].place = p
	}
	return w.ended == nil
}

// deleted are the topics that are deleted now and then; the second keeps batches as they are.
var deleted = []string{"D", "DB"}

// inner stores a batch as it is.
func (w *workload) inner(s *Store, i int) bool {
	var items []byte
	for k := range 1 + w.rng.Intn(4) {
		items = record.AppendBatchItem(items, &record.BatchItem{Body: fmt.Appendf(nil, "inner %d.%d %s", i, k, strings.Repeat("y", w.rng.Intn(500)))})
	}
	a := &attempt{topic: []string{"BQ", "DB"}[w.rng.Intn(2)], body: string(items)}
	w.attempts = append(w.attempts, a)
	for again := true; again; again = w.full(s) {
		a.place, _, w.ended = s.AppendInner(message(a.topic, 0, "", "UNIQ_KEY", fmt.Sprintf("u%d", i)), items)
	}
	return w.ended == nil
}

// delete deletes a topic and begins it anew.
func (w *workload) delete(s *Store, i int) bool {
	topic := deleted[w.rng.Intn(len(deleted))]
	var dying []*attempt
	for _, a := range w.attempts {
		if a.topic == topic {
			dying = append(dying, a)
			a.dying, a.must = true, false
		}
	}
	if w.ended = s.DeleteTopic(topic); w.ended != nil {
		return false
	}
	for _, a := range dying {
		a.gone = true
	}
	a := &attempt{topic: topic, body: fmt.Sprintf("anew %d", i)}
	w.attempts = append(w.attempts, a)
	for again := true; again; again = w.full(s) {
		a.place, w.ended = s.Append(message(a.topic, 0, a.body, "UNIQ_KEY", fmt.Sprintf("u%d", i)))
	}
	return w.ended == nil
}

// full waits for room after ErrFull; false: there was room.
func (w *workload) full(s *Store) bool {
	if !errors.Is(w.ended, ErrFull) {
		return false
	}
	waitRoom(s)
	return true
}

// wait waits until everything is visible, and notes what is durable.
func (w *workload) wait(s *Store) bool {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.ended = s.Visible().Wait(ctx, s.LogMax())
	w.note(s)
	return w.ended == nil
}

func (w *workload) note(s *Store) {
	durable := s.Durable().Load()
	for _, a := range w.attempts {
		if a.place.End > 0 && a.place.End <= durable && !a.dying {
			a.must = true
		}
	}
}

// verify compares a reopened store with what was attempted.
func (w *workload) verify(t *testing.T, s *Store) {
	t.Helper()
	tried := make(map[string]*attempt, len(w.attempts))
	for _, a := range w.attempts {
		tried[a.body] = a
	}
	seen := make(map[string]bool)
	for q, got := range served(t, s) {
		low, high := s.MinOffset([]byte(q.topic), q.queue), s.MaxOffset([]byte(q.topic), q.queue)
		// A hole is a message that was not durable while one behind it survived.
		if int64(len(got)) > high-low {
			t.Errorf("%v is [%d, %d) and serves %d messages", q, low, high, len(got))
		}
		for offset, raw := range got {
			var r record.Record
			if err := r.Parse(raw); err != nil {
				t.Fatal(err)
			}
			a := tried[string(r.Body)]
			if a == nil || a.topic != q.topic || a.queue != q.queue || seen[a.body] {
				t.Errorf("%v at %d: %.20q was never stored there (or is there twice)", q, offset, r.Body)
				continue
			}
			if a.place.Size > 0 && (a.place.QueueOffset != offset || a.place.PhysicalOffset != r.PhysicalOffset) {
				t.Errorf("%v: %.20q was placed at %d and is at %d", q, r.Body, a.place.QueueOffset, offset)
			}
			seen[a.body] = true
			if a.gone {
				t.Errorf("%v at %d: %.20q was deleted and is back", q, offset, r.Body)
			}
			w.verifyKey(t, s, &r)
		}
	}
	for _, a := range w.attempts {
		if a.must && !seen[a.body] {
			t.Errorf("%s-%d at %d (log %d): %.20q was durable and is lost", a.topic, a.queue, a.place.QueueOffset, a.place.PhysicalOffset, a.body)
		}
	}
}

func (w *workload) verifyKey(t *testing.T, s *Store, r *record.Record) {
	t.Helper()
	key, _ := record.Property(r.Properties, "UNIQ_KEY")
	k, err := s.QueryKey(r.Topic, key, 64, 0, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range k.Records {
		var found record.Record
		if found.Parse(raw) == nil && found.PhysicalOffset == r.PhysicalOffset {
			return
		}
	}
	t.Errorf("the key of %s at log %d is not in the index", r.Topic, r.PhysicalOffset)
}

func crashOptions(f disk.FS, syncFlush bool) Options {
	o := smallOptions(f)
	o.SegmentBytes, o.SyncFlush, o.BatchQueueBytes = 32<<10, syncFlush, 46*4
	o.BatchTopic = func(topic []byte) bool { return string(topic) == "BQ" || string(topic) == "DB" }
	return o
}

// manner is how a store under crashes makes things durable.
type manner struct {
	syncFlush bool
	whole     bool // queues are synced with the file system as a whole
}

func (m manner) options(f disk.FS) Options {
	o := crashOptions(f, m.syncFlush)
	if m.whole {
		o.syncAllFrom = 1
	}
	return o
}

// goesOn says whether every queue takes another message and serves it.
func goesOn(t *testing.T, s *Store) {
	t.Helper()
	for _, q := range s.Queues() {
		high := s.MaxOffset([]byte(q.Topic), q.QueueID)
		p := mustAppend(t, s, message(q.Topic, q.QueueID, "after"))
		settled(t, s)
		raw, _, err := s.Read(&Want{Topic: []byte(q.Topic), QueueID: q.QueueID, Offset: high, MaxMessages: 1}, nil)
		if err != nil || p.QueueOffset != high || fmt.Sprint(bodies(t, raw)) != "[after]" {
			t.Errorf("%v ended at %d; the next message got queue offset %d and is read as %q (%v)", q, high, p.QueueOffset, bodies(t, raw), err)
		}
	}
}

// crashOnce runs the workload with a crash at an operation, crashes the start that follows it too, and verifies the
// next one. It returns how many operations there were.
func crashOnce(t *testing.T, m manner, op int) (ops int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { ops = crashAt(t, m, op) }) // a deletion waits for the next sync
	return ops
}

func crashAt(t *testing.T, m manner, op int) int {
	rng := rand.New(rand.NewSource(int64(op)))
	f := disk.NewFaulty()
	f.CrashAt(op)
	w := workload{rng: rng}
	if s, err := Open(m.options(f)); err == nil {
		w.run(s)
		f.Stop()
		_ = s.Close(context.Background())
		if op > 1<<20 && w.ended != nil {
			t.Fatalf("the workload ended without a crash: %v", w.ended)
		}
	} else if !errors.Is(err, disk.ErrCrashed) {
		t.Fatalf("start: %v", err)
	}
	ops := f.Ops()
	f = f.Crash(rng)
	f.CrashAt(1 + rng.Intn(40))
	if s, err := Open(m.options(f)); err == nil {
		f.Stop()
		_ = s.Close(context.Background())
	}
	f = f.Crash(rng)
	s, err := Open(m.options(f))
	if err != nil {
		t.Fatalf("start after a crash at operation %d: %v", op, err)
	}
	waitIndex(t, s)
	w.verify(t, s)
	goesOn(t, s)
	closeStore(t, s)
	if t.Failed() {
		t.Fatalf("crash at operation %d, %+v", op, m)
	}
	return ops
}

func crashEvery(t *testing.T, step int) {
	for _, m := range []manner{{syncFlush: true}, {syncFlush: false}, {syncFlush: true, whole: true}, {whole: true}} {
		t.Run(fmt.Sprintf("sync=%v,whole=%v", m.syncFlush, m.whole), func(t *testing.T) {
			t.Parallel()
			all := crashOnce(t, m, 1<<30)
			for op := 1; op < all; op += step {
				crashOnce(t, m, op)
			}
			t.Logf("%d operations, a crash at every %d", all, step)
		})
	}
}

// TestCrash: after a crash at any operation, and another during the start, every durable message is there, nothing else
// is, queues and index agree with the log.
func TestCrash(t *testing.T) { crashEvery(t, 11) }

// TestCrashEverywhere crashes at every operation.
func TestCrashEverywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	step := 1
	if raceEnabled {
		step = 4
	}
	crashEvery(t, step)
}

// TestCleanStopCrash: a crash right after a clean stop loses nothing and needs no recovery.
func TestCleanStopCrash(t *testing.T) {
	f := disk.NewFaulty()
	s := mustOpen(t, crashOptions(f, true))
	w := workload{rng: rand.New(rand.NewSource(1))}
	w.run(s)
	closeStore(t, s)
	for _, a := range w.attempts {
		a.must = !a.dying
	}
	f = f.Crash(rand.New(rand.NewSource(2)))
	s = mustOpen(t, crashOptions(f, true))
	if s.recovered.crashed {
		t.Error("the abort file came back")
	}
	waitIndex(t, s)
	w.verify(t, s)
	closeStore(t, s)
}
