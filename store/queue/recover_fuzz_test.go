package queue_test

import (
	"fmt"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

// FuzzRecover opens whatever bytes as the files of a queue: what is taken is in the order of the log, and entries can be
// added.
func FuzzRecover(f *testing.F) {
	var units []byte
	for i := range int64(60) {
		units = unit(i).Append(units)
	}
	f.Add(units, int64(0), uint8(0))
	f.Add(units[:777], int64(3000), uint8(3))
	f.Add(make([]byte, 1500), int64(1), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, durableTo int64, firstFile uint8) {
		m := disk.NewMemory()
		if err := m.MkdirAll("/store/consumequeue/t/0", 0o755); err != nil {
			t.Fatal(err)
		}
		for i := 0; i < 3 && len(b) > 0; i++ {
			n := min(len(b), 1000)
			file, err := m.Open(fmt.Sprintf("/store/consumequeue/t/0/%020d", (int(firstFile)+i)*1000), 0o102, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteAt(b[:n], 0); err != nil {
				t.Fatal(err)
			}
			b = b[n:]
		}
		s := open(t, m, func(o *queue.Options) { o.DurableTo = durableTo })
		q := s.Lookup([]byte("t"), 0)
		units := make([]record.QueueUnit, q.Max())
		if _, err := q.Read(0, units); err != nil {
			t.Fatal(err)
		}
		if err := q.CorrectMin(1000); err != nil {
			t.Fatal(err)
		}
		if err := q.Truncate(1 << 40); err != nil {
			t.Fatal(err)
		}
		at, end := q.Max(), max(q.MaxPhysical(), 0)
		for i := range int64(3) {
			if err := q.Put(at+i, record.QueueUnit{Offset: end + i*10, Size: 10}); err != nil {
				t.Fatal(err)
			}
		}
		if q.Max() != at+3 {
			t.Errorf("max %d after three entries from %d on", q.Max(), at)
		}
		flush(t, s)
		if durableTo > 0 {
			return // what is claimed to be durable is not looked at, and here the claim is made up
		}
		again := open(t, m, nil).Lookup([]byte("t"), 0)
		if again.Max() != q.Max() || again.MaxPhysical() != q.MaxPhysical() {
			t.Errorf("[%d, %d) %d after a new start, was [%d, %d) %d", again.Min(), again.Max(), again.MaxPhysical(), q.Min(), q.Max(), q.MaxPhysical())
		}
	})
}
