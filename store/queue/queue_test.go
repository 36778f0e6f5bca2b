package queue_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

const fileUnits = 50

// open opens and recovers a Set over files of 50 entries.
func open(t testing.TB, fsys disk.FS, change func(*queue.Options)) *queue.Set {
	t.Helper()
	o := queue.Options{Dir: "/store/consumequeue", FS: fsys, FileBytes: fileUnits*record.QueueUnitBytes - 7, HotEntries: 16}
	if change != nil {
		change(&o)
	}
	s, err := queue.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	return s
}

// unit is the entry of the i-th record of a log with a record every 100 bytes.
func unit(i int64) record.QueueUnit {
	return record.QueueUnit{Offset: 100 * i, Size: 100, TagsCode: i * 31}
}

func put(t testing.TB, q *queue.Queue, from, to int64) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := q.Put(i, unit(i)); err != nil {
			t.Fatalf("put %d: %v", i, err)
		}
	}
}

// expect reads all of [from, to) and compares; entries below blankTo must be blanks.
func expect(t testing.TB, q *queue.Queue, from, to, blankTo int64) {
	t.Helper()
	if q.Max() != to {
		t.Errorf("max %d, want %d", q.Max(), to)
	}
	units := make([]record.QueueUnit, to-from+3)
	n, err := q.Read(from, units)
	if err != nil || n != int(to-from) {
		t.Fatalf("read [%d, %d): %d %v", from, to, n, err)
	}
	for i, u := range units[:n] {
		at := from + int64(i)
		if want := unit(at); u != want && (at >= blankTo || !u.IsBlank()) {
			t.Fatalf("entry %d is %+v, want %+v", at, u, want)
		}
	}
	// What is there without waiting is the same.
	for at := from; at < to; at++ {
		var now [7]record.QueueUnit
		n, err := q.ReadNow(at, now[:])
		if err != nil && !errors.Is(err, disk.ErrWouldWait) || at+int64(n) > to {
			t.Fatalf("read now at %d: %d %v", at, n, err)
		}
		for i, u := range now[:n] {
			if u != units[at-from+int64(i)] {
				t.Fatalf("entry %d is now %+v, and was %+v", at+int64(i), u, units[at-from+int64(i)])
			}
		}
	}
}

// TestReadNow gives entries of files that are open and in the page cache, and nothing else.
func TestReadNow(t *testing.T) {
	d := disk.NewFaulty()
	one := func(o *queue.Options) { o.MaxOpenFiles = 1 }
	s := open(t, d, one)
	put(t, s.Queue("t", 0), 0, 200)
	flush(t, s)
	q := open(t, d, one).Queue("t", 0) // which has nothing in memory
	var units [8]record.QueueUnit
	now := func(at int64, n int, wait bool) {
		t.Helper()
		got, err := q.ReadNow(at, units[:])
		if got != n || errors.Is(err, disk.ErrWouldWait) != wait || !wait && err != nil {
			t.Errorf("at %d: %d %v, want %d", at, got, err, n)
		}
		for i, u := range units[:got] {
			if u != unit(at+int64(i)) {
				t.Errorf("entry %d is %+v", at+int64(i), u)
			}
		}
	}
	if _, err := q.Read(0, units[:]); err != nil { // opens the first file
		t.Fatal(err)
	}
	now(3, 8, false)
	now(fileUnits-2, 2, false)
	now(fileUnits, 0, true) // of a file that is not open
	now(-1, 0, false)
	now(1<<40, 0, false)
	d.SetCold(func(_ string, off, n int64) bool { return off+n > 10*record.QueueUnitBytes })
	now(0, 8, false)
	now(5, 0, true)
	d.SetCold(nil)
	f, err := d.Open("/store/consumequeue/t/0/00000000000000000000", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, record.QueueUnitBytes), 4*record.QueueUnitBytes); err != nil {
		t.Fatal(err)
	}
	now(0, 0, true) // Read has damage put right
}

// rest flushes until memory that entries took while they waited is given back.
func rest(t testing.TB, s *queue.Set) {
	t.Helper()
	for range 8 {
		flush(t, s)
	}
}

func flush(t testing.TB, s *queue.Set) {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestPutReadReopen(t *testing.T) {
	m := disk.NewMemory()
	for _, n := range []int64{0, 1, 3, 16, 17, 49, 50, 51, 149, 150, 500} {
		name := fmt.Sprint("topic", n)
		s := open(t, m, nil)
		q := s.Queue(name, 1)
		put(t, q, 0, n)
		put(t, q, 0, n) // a replay changes nothing
		expect(t, q, 0, n, 0)
		flush(t, s)
		expect(t, q, 0, n, 0)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, durableTo := range []int64{0, 1, 2000, math.MaxInt64} {
			s = open(t, m, func(o *queue.Options) { o.DurableTo = durableTo })
			q = s.Queue(name, 1)
			expect(t, q, 0, n, 0)
			if want := max(n*100, 0); n > 0 && q.MaxPhysical() != want || n == 0 && q.MaxPhysical() != -1 {
				t.Errorf("%d entries: physical %d", n, q.MaxPhysical())
			}
		}
		put(t, q, 0, n+20)
		expect(t, q, 0, n+20, 0)
		flush(t, s)
		_ = s.Close()
		s = open(t, m, nil)
		expect(t, s.Lookup([]byte(name), 1), 0, n+20, 0)
	}
}

func TestReadHot(t *testing.T) {
	s := open(t, disk.NewMemory(), nil)
	q := s.Queue("t", 0)
	put(t, q, 0, 100)
	rest(t, s)
	var u [5]record.QueueUnit
	if n, ok := q.ReadHot(97, u[:]); n != 3 || !ok || u[2] != unit(99) {
		t.Errorf("%d %v %+v", n, ok, u)
	}
	if n, ok := q.ReadHot(100, u[:]); n != 0 || !ok {
		t.Errorf("at the end: %d %v", n, ok)
	}
	if _, ok := q.ReadHot(10, u[:]); ok {
		t.Error("entry 10 is not hot")
	}
	if n, err := q.Read(10, u[:]); n != 5 || err != nil || u[0] != unit(10) {
		t.Errorf("%d %v %+v", n, err, u)
	}
	if s.Lookup([]byte("t"), 1) != nil || s.Lookup([]byte("u"), 0) != nil || s.Lookup([]byte("t"), 0) != q {
		t.Error("lookup")
	}
}

func TestFirstEntryIsNotZero(t *testing.T) {
	for _, first := range []int64{1, 49, 50, 51, 130} {
		m := disk.NewMemory()
		s := open(t, m, nil)
		q := s.Queue("t", 0)
		put(t, q, first, first+60)
		if q.Min() != first {
			t.Errorf("min %d, want %d", q.Min(), first)
		}
		expect(t, q, first, first+60, 0)
		flush(t, s)
		info, err := m.Stat(fmt.Sprintf("/store/consumequeue/t/0/%020d", first/fileUnits*1000))
		if err != nil || info.Size() != 1000 {
			t.Fatalf("first file: %v %v", info, err)
		}
		s = open(t, m, nil)
		q = s.Lookup([]byte("t"), 0)
		expect(t, q, first/fileUnits*fileUnits, first+60, first)
		if q.Min() != first {
			t.Errorf("min %d after a start, want %d", q.Min(), first)
		}
	}
}

func TestLostRecordsLeaveBlanks(t *testing.T) {
	for _, gap := range []int64{1, 7, 8, 9, 200} {
		m := disk.NewMemory()
		s := open(t, m, nil)
		q := s.Queue("t", 0)
		put(t, q, 0, 30)
		put(t, q, 30+gap, 35+gap)
		for range 2 {
			units := make([]record.QueueUnit, 35+gap)
			if n, err := q.Read(0, units); n != len(units) || err != nil {
				t.Fatalf("%d: %v", n, err)
			}
			for i, u := range units {
				if at := int64(i); at >= 30 && at < 30+gap {
					if !u.IsBlank() {
						t.Fatalf("gap %d: entry %d is %+v", gap, at, u)
					}
				} else if u != unit(at) {
					t.Fatalf("gap %d: entry %d is %+v", gap, at, u)
				}
			}
			flush(t, s)
			s = open(t, m, nil)
			q = s.Lookup([]byte("t"), 0)
		}
		if err := q.Truncate(unit(30 + gap).Offset); err != nil {
			t.Fatal(err)
		}
		if q.Max() != 30+gap || q.MaxPhysical() != unit(29).End() {
			t.Errorf("gap %d: max %d, physical %d", gap, q.Max(), q.MaxPhysical())
		}
		if err := q.CorrectMin(unit(30).Offset); err != nil || q.Min() != 30+gap {
			t.Errorf("gap %d: min %d: %v", gap, q.Min(), err)
		}
	}
}

func TestTruncate(t *testing.T) {
	for _, keep := range []int64{0, 1, 49, 50, 51, 120, 180, 199, 200} {
		for _, flushed := range []bool{true, false} {
			m := disk.NewMemory()
			s := open(t, m, nil)
			q := s.Queue("t", 0)
			put(t, q, 0, 200)
			if flushed {
				flush(t, s)
			}
			if err := q.Truncate(100 * keep); err != nil {
				t.Fatal(err)
			}
			expect(t, q, 0, keep, 0)
			flush(t, s)
			s = open(t, m, nil)
			q = s.Queue("t", 0) // none of it may have come to a file
			expect(t, q, 0, keep, 0)
			put(t, q, keep, keep+3)
			flush(t, s)
			s = open(t, m, nil)
			expect(t, s.Lookup([]byte("t"), 0), 0, keep+3, 0)
		}
	}
}

func TestOddFiles(t *testing.T) {
	name := fmt.Sprintf("/store/consumequeue/t/0/%020d", 1000)
	for size, want := range map[int64]int64{0: 50, 1: 50, 19: 50, 20: 51, 399: 69, 400: 70} {
		m := disk.NewMemory()
		s := open(t, m, nil)
		put(t, s.Queue("t", 0), 0, 80)
		flush(t, s)
		f, err := m.Open(name, 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		s = open(t, m, nil)
		q := s.Lookup([]byte("t"), 0)
		expect(t, q, 0, want, 0)
		put(t, q, want, want+3)
		flush(t, s)
		if n, err := f.Size(); size > 0 && (n != 1000 || err != nil) {
			t.Errorf("cut to %d, now %d: %v", size, n, err)
		}
	}
	m := disk.NewMemory()
	s := open(t, m, nil)
	put(t, s.Queue("t", 0), 0, 80)
	flush(t, s)
	s, err := queue.Open(queue.Options{Dir: "/store/consumequeue", FS: m, FileBytes: 400})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(); err == nil {
		t.Error("files of another size were taken")
	}
}

func TestStaleUnitsBehindATear(t *testing.T) {
	m := disk.NewMemory()
	s := open(t, m, nil)
	put(t, s.Queue("t", 0), 0, 40)
	flush(t, s)
	f, err := m.Open("/store/consumequeue/t/0/00000000000000000000", 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 20), 20*30); err != nil {
		t.Fatal(err)
	}
	s = open(t, m, nil)
	q := s.Lookup([]byte("t"), 0)
	expect(t, q, 0, 30, 0)
	put(t, q, 30, 31)
	flush(t, s)
	s = open(t, m, nil)
	expect(t, s.Lookup([]byte("t"), 0), 0, 31, 0) // 31 to 39 must not have come back
}

func TestManyQueuesShareMemory(t *testing.T) {
	m := disk.NewMemory()
	const limit = 100 << 10
	s := open(t, m, func(o *queue.Options) { o.BufferBytes, o.MaxOpenFiles, o.HotEntries = limit, 8, 256 })
	for round := range int64(3) {
		for id := range int32(60) {
			put(t, s.Queue("t", id), round*100, round*100+100)
		}
		if held := s.BufferedBytes(); held > limit {
			t.Errorf("%d bytes held, the bound is %d", held, limit)
		}
	}
	flush(t, s)
	for id := range int32(60) {
		expect(t, s.Lookup([]byte("t"), id), 0, 300, 0)
	}
	s = open(t, m, nil)
	for id := range int32(60) {
		expect(t, s.Lookup([]byte("t"), id), 0, 300, 0)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := open(t, disk.NewMemory(), func(o *queue.Options) { o.HotEntries = 1 << 16 })
	q := s.Queue("topic", 3)
	put(t, q, 0, 1<<15)
	topic := []byte("topic")
	units := make([]record.QueueUnit, 32)
	at := q.Max()
	for what, fn := range map[string]func(){
		"Put":     func() { _ = q.Put(at, unit(at)); at++ },
		"Lookup":  func() { s.Lookup(topic, 3) },
		"ReadHot": func() { q.ReadHot(at-32, units) },
	} {
		if n := testing.AllocsPerRun(100, fn); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func TestReadersBesideTheWriter(t *testing.T) {
	s := open(t, disk.NewMemory(), nil)
	q := s.Queue("t", 0)
	const total = 3000
	done := make(chan error, 3)
	reader := func(read func(int64, []record.QueueUnit) (int, error)) {
		units := make([]record.QueueUnit, 7)
		for at := int64(0); at < total; {
			n, err := read(at, units)
			if err != nil {
				done <- err
				return
			}
			for _, u := range units[:n] {
				if u != unit(at) {
					done <- fmt.Errorf("entry %d is %+v", at, u)
					return
				}
				at++
			}
		}
		done <- nil
	}
	go reader(q.Read)
	go reader(func(at int64, units []record.QueueUnit) (int, error) {
		if n, ok := q.ReadHot(at, units); ok {
			return n, nil
		}
		return q.Read(at, units)
	})
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := errors.Join(s.Flush(), s.Sync()); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	put(t, q, 0, total)
	for i := range 3 {
		if i == 2 {
			close(stop)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

func BenchmarkPut(b *testing.B) {
	s := open(b, disk.OS(), func(o *queue.Options) { o.Dir, o.FileBytes, o.HotEntries = b.TempDir(), 0, 2048 })
	q := s.Queue("t", 0)
	b.ReportAllocs()
	var i int64
	for b.Loop() {
		if err := q.Put(i, unit(i)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkReadHot(b *testing.B) {
	s := open(b, disk.NewMemory(), nil)
	q := s.Queue("t", 0)
	put(b, q, 0, 100)
	units := make([]record.QueueUnit, 8)
	b.ReportAllocs()
	for b.Loop() {
		q.ReadHot(92, units)
	}
}
