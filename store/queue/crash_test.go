package queue_test

import (
	"errors"
	"math/rand"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// life is what a store does with a few queues between two starts, up to a crash at some operation of the disk.
type life struct {
	t     *testing.T
	rng   *rand.Rand
	disk  *disk.Faulty
	set   *queue.Set
	log   []logged // what the log holds
	first int      // the store's mark: entries of the records before are durable
	whole bool     // the file system is synced as a whole
	open  int      // descriptors, 0: as many as by default
}

type logged struct {
	id     int32
	offset int64
	unit   record.QueueUnit
}

func (l *life) start() {
	end := int64(0)
	durable := int64(0)
	if n := len(l.log); n > 0 {
		end = l.log[n-1].unit.End()
	}
	if l.first > 0 {
		durable = l.log[l.first-1].unit.End()
	}
	o := queue.Options{Dir: "/s/consumequeue", FS: l.disk, FileBytes: 50 * 20, HotEntries: 8, BufferBytes: 2000, DurableTo: durable, MaxOpenFiles: l.open}
	if l.whole {
		o.SyncAllFrom = 1
	}
	set, err := queue.Open(o)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := set.Recover(); err != nil {
		l.t.Fatal(err)
	}
	l.set = set
	for _, r := range l.log[l.first:] {
		if err := set.Queue("t", r.id).Put(r.offset, r.unit); err != nil {
			l.t.Fatal(err)
		}
	}
	set.Each(func(q *queue.Queue) {
		if q.MaxPhysical() > end {
			if err := q.Truncate(end); err != nil {
				l.t.Fatal(err)
			}
		}
	})
	if err := errors.Join(set.Flush(), set.Sync()); err != nil {
		l.t.Fatal(err)
	}
	l.first = len(l.log)
}

// check compares every queue with the log, exactly.
func (l *life) check() {
	l.t.Helper()
	want := map[int32][]record.QueueUnit{}
	for _, r := range l.log {
		want[r.id] = append(want[r.id], r.unit)
	}
	for id := range int32(3) {
		q := l.set.Queue("t", id)
		got := make([]record.QueueUnit, len(want[id])+1)
		n, err := q.Read(0, got)
		if err != nil || n != len(want[id]) || q.Max() != int64(n) {
			l.t.Fatalf("queue %d: %d entries, max %d, want %d: %v", id, n, q.Max(), len(want[id]), err)
		}
		for i := range n {
			if got[i] != want[id][i] {
				l.t.Fatalf("queue %d entry %d is %+v, want %+v", id, i, got[i], want[id][i])
			}
		}
	}
}

func (l *life) append(generation int64) error {
	at, id := int64(0), int32(l.rng.Intn(3))
	if n := len(l.log); n > 0 {
		at = l.log[n-1].unit.End()
	}
	r := logged{id: id, offset: l.set.Queue("t", id).Max(), unit: record.QueueUnit{Offset: at, Size: int32(0x101 + l.rng.Intn(9)), TagsCode: generation<<32 | 0x01010101}}
	if err := l.set.Queue("t", id).Put(r.offset, r.unit); err != nil {
		return err
	}
	l.log = append(l.log, r)
	return nil
}

// TestPowerCuts cuts the power at every kind of moment. Whatever the log keeps, after a start the queues are exactly what
// the log says, and entries made durable were there before the replay.
func TestPowerCuts(t *testing.T) {
	rounds := 300
	if testing.Short() {
		rounds = 50
	}
	for seed := range int64(rounds) {
		l := &life{t: t, rng: rand.New(rand.NewSource(seed)), disk: disk.NewFaulty(), whole: seed%2 == 1, open: int(seed / 2 % 3)}
		for generation := range int64(4) {
			l.start()
			l.check()
			l.disk.CrashAt(l.disk.Ops() + 1 + l.rng.Intn(60))
			var err error
			for err == nil {
				for range l.rng.Intn(60) {
					if err = l.append(generation); err != nil {
						break
					}
				}
				if err == nil {
					err = l.set.Flush()
				}
				if n := len(l.log); err == nil && l.rng.Intn(3) == 0 {
					if err = l.set.Sync(); err == nil {
						l.first = n
					}
				}
			}
			if !errors.Is(err, disk.ErrCrashed) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			l.disk = l.disk.Crash(l.rng)
			// The log keeps what the mark stands for, and some of the rest.
			l.log = l.log[:l.first+l.rng.Intn(len(l.log)-l.first+1)]
		}
		l.start()
		l.check()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
