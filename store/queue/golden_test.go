package queue_test

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ringmq/interop/golden"
	"ringmq/store/disk"
	"ringmq/store/queue"
	"ringmq/store/record"
)

type place struct {
	topic string
	id    int32
}

// opened recovers the queues of a recorded store.
func opened(t *testing.T, name, dir string, durableTo int64) (*queue.Set, int64) {
	t.Helper()
	size, err := strconv.Atoi(golden.StoreConf(t, name)["mappedFileSizeConsumeQueue"])
	if err != nil {
		t.Fatal(err)
	}
	s, err := queue.Open(queue.Options{Dir: filepath.Join(dir, "consumequeue"), FS: disk.OS(), FileBytes: size, DurableTo: durableTo})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	end, err := s.Recover()
	if err != nil {
		t.Fatal(err)
	}
	return s, end
}

// TestGoldenUnits reads all units a stock broker left and compares them with the messages it served from them.
func TestGoldenUnits(t *testing.T) {
	for _, c := range []struct {
		name      string
		durableTo int64
		missing   int // messages whose record had not reached its queue
	}{{"clean", math.MaxInt64, 0}, {"clean", 0, 0}, {"clean", 1 << 20, 0}, {"killed", 0, 1}, {"killed", 1 << 20, 1}, {"crc", 0, 0}} {
		dir := golden.Store(t, c.name)
		s, end := opened(t, c.name, dir, c.durableTo)
		messages := map[place][]golden.ManifestLine{}
		for _, m := range golden.Manifest(t, c.name) {
			p := place{m.Topic, m.QueueID}
			if m.Kind == "message" && m.InnerIndex == nil {
				messages[p] = append(messages[p], m)
			}
			if m.Kind == "queue" {
				q := s.Lookup([]byte(m.Topic), m.QueueID)
				if q == nil && m.MaxOffset == 0 {
					continue
				}
				if q == nil {
					t.Fatalf("%s: no queue %v", c.name, p)
				}
				if q.Min() != m.MinOffset || q.Max() > m.MaxOffset || q.Max() < m.MaxOffset-int64(c.missing) {
					t.Errorf("%s: %v is [%d, %d), recorded as [%d, %d)", c.name, p, q.Min(), q.Max(), m.MinOffset, m.MaxOffset)
				}
			}
		}
		compared, missing, last := 0, 0, int64(0)
		for p, list := range messages {
			q := s.Lookup([]byte(p.topic), p.id)
			for _, m := range list {
				last = max(last, m.PhysicalOffset+int64(m.RecordSize))
				if q == nil || m.QueueOffset >= q.Max() {
					missing++
					continue
				}
				var u [1]record.QueueUnit
				if n, err := q.Read(m.QueueOffset, u[:]); n != 1 || err != nil {
					t.Fatalf("%s: read %v %d: %d %v", c.name, p, m.QueueOffset, n, err)
				}
				if u[0].Offset != m.PhysicalOffset || u[0].Size != m.RecordSize {
					t.Errorf("%s: %v entry %d is %+v, the message lies at %d (%d bytes)", c.name, p, m.QueueOffset, u[0], m.PhysicalOffset, m.RecordSize)
				}
				if want := record.TagsCode([]byte(m.Tags)); u[0].TagsCode != want && p.topic != "SCHEDULE_TOPIC_XXXX" {
					t.Errorf("%s: %v entry %d has tags code %d, want %d", c.name, p, m.QueueOffset, u[0].TagsCode, want)
				}
				compared++
			}
		}
		if missing != c.missing || compared == 0 {
			t.Errorf("%s: %d units compared, %d missing", c.name, compared, missing)
		}
		if missing == 0 && end != last {
			t.Errorf("%s: last record ends at %d, the queues say %d", c.name, last, end)
		}
		t.Logf("%s, durable to %d: %d units compared", c.name, c.durableTo, compared)
	}
}

// TestGoldenSameFiles puts all units of a stock store into new queues: the files must come out the same, byte by byte.
func TestGoldenSameFiles(t *testing.T) {
	dir := golden.Store(t, "clean")
	from, _ := opened(t, "clean", dir, 0)
	out := t.TempDir()
	to, err := queue.Open(queue.Options{Dir: out, FS: disk.OS(), FileBytes: 3990, HotEntries: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	from.Each(func(q *queue.Queue) {
		units := make([]record.QueueUnit, q.Max())
		if n, err := q.Read(0, units); n != len(units) || err != nil {
			t.Fatalf("%d of %d: %v", n, len(units), err)
		}
		for i, u := range units {
			if err := to.Queue(q.Topic(), q.ID()).Put(int64(i), u); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := to.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := to.Sync(); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "consumequeue", "*", "*", "*"))
	ours, _ := filepath.Glob(filepath.Join(out, "*", "*", "*"))
	if len(files) == 0 {
		t.Fatal("no files")
	}
	same := 0
	for _, name := range files {
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel, _ := filepath.Rel(filepath.Join(dir, "consumequeue"), name)
		got, err := os.ReadFile(filepath.Join(out, rel))
		if os.IsNotExist(err) && allZero(want) {
			continue // the next file, made beforehand
		}
		if string(got) != string(want) {
			t.Errorf("%s differs: %v", rel, err)
		}
		same++
	}
	if same != len(ours) {
		t.Errorf("%d files, stock has %d", len(ours), same)
	}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// TestGoldenTornQueue opens a store whose queue file was torn: the queue ends there, and a replay fills it again.
func TestGoldenTornQueue(t *testing.T) {
	dir, d := golden.DamagedStore(t, "killed-torn-queue")
	s, _ := opened(t, d.Base, dir, 0)
	whole, _ := opened(t, d.Base, golden.Store(t, d.Base), 0)
	shorter := 0
	whole.Each(func(q *queue.Queue) {
		torn := s.Lookup([]byte(q.Topic()), q.ID())
		if torn.Max() < q.Max() {
			shorter++
		}
		units := make([]record.QueueUnit, q.Max())
		if _, err := q.Read(0, units); err != nil {
			t.Fatal(err)
		}
		for i, u := range units {
			if err := torn.Put(int64(i), u); err != nil {
				t.Fatal(err)
			}
		}
		if torn.Max() != q.Max() || torn.MaxPhysical() != q.MaxPhysical() {
			t.Errorf("%s/%d: %d entries after the replay, want %d", q.Topic(), q.ID(), torn.Max(), q.Max())
		}
		got := make([]record.QueueUnit, q.Max())
		if _, err := torn.Read(0, got); err != nil {
			t.Fatal(err)
		}
		for i := range got {
			if got[i] != units[i] {
				t.Fatalf("%s/%d entry %d: %+v, want %+v", q.Topic(), q.ID(), i, got[i], units[i])
			}
		}
	})
	if shorter != 1 {
		t.Errorf("%d queues torn", shorter)
	}
}
