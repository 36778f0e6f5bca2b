package queue_test

import (
	"errors"
	"io/fs"
	"math"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

func TestMinimumAndDeletion(t *testing.T) {
	m := disk.NewMemory()
	s := open(t, m, nil)
	q := s.Queue("t", 0)
	put(t, q, 0, 220)
	for _, logMin := range []int64{0, 50, 100, 4900, 5000, 12345, 21900, 30000} {
		want := min((logMin+99)/100, 220)
		if err := q.CorrectMin(logMin); err != nil || q.Min() != want {
			t.Errorf("log begins at %d: min %d, want %d: %v", logMin, q.Min(), want, err)
		}
	}
	rest(t, s)
	if n, err := q.DeleteBefore(unit(149).Offset); n != 2 || err != nil {
		t.Errorf("%d files deleted: %v", n, err)
	}
	if n, err := q.DeleteBefore(unit(150).Offset); n != 1 || err != nil {
		t.Errorf("%d files deleted: %v", n, err)
	}
	if n, err := q.DeleteBefore(math.MaxInt64); n != 1 || err != nil {
		t.Errorf("%d files deleted: %v", n, err)
	}
	if n, err := q.Read(100, make([]record.QueueUnit, 5)); n != 0 || err != nil {
		t.Errorf("read of what is gone: %d %v", n, err)
	}
	flush(t, s)
	s = open(t, m, nil)
	q = s.Lookup([]byte("t"), 0)
	if q.Min() != 200 || q.Max() != 220 {
		t.Errorf("[%d, %d)", q.Min(), q.Max())
	}
	expect(t, q, 200, 220, 0)
}

func TestDeleteTopic(t *testing.T) {
	m := disk.NewMemory()
	s := open(t, m, nil)
	put(t, s.Queue("t", 0), 0, 100)
	put(t, s.Queue("t", 1), 0, 10)
	put(t, s.Queue("u", 0), 0, 10)
	flush(t, s)
	gone := s.Lookup([]byte("t"), 0)
	put(t, gone, 100, 110)
	if err := s.Delete("t"); err != nil {
		t.Fatal(err)
	}
	if err := gone.Put(110, unit(110)); !errors.Is(err, queue.ErrDeleted) {
		t.Errorf("put: %v", err)
	}
	if n, err := gone.Read(0, make([]record.QueueUnit, 5)); n != 0 || err != nil {
		t.Errorf("read: %d %v", n, err)
	}
	flush(t, s)
	if _, err := m.Stat("/store/consumequeue/t"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder: %v", err)
	}
	put(t, s.Queue("t", 0), 0, 5)
	flush(t, s)
	s = open(t, m, nil)
	expect(t, s.Lookup([]byte("t"), 0), 0, 5, 0)
	if s.Lookup([]byte("t"), 1) != nil || len(s.Topic("u")) != 1 {
		t.Error("wrong queues are left")
	}
}
