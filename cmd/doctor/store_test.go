package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ringmq/store/record"
)

// stores are stores of ours that were damaged after they were closed, or are open.
var stores = []struct {
	what   string
	state  State
	want   string
	damage func(t *testing.T, r *rig)
}{
	{"closed in order", OK, "store", func(_ *testing.T, r *rig) { r.stop() }},
	{"open in a broker", OK, "store", func(*testing.T, *rig) {}},
	{"not closed in order", Warning, "store-not-closed-in-order", func(t *testing.T, r *rig) {
		r.stop()
		if err := os.WriteFile(filepath.Join(r.store(), "abort"), []byte("1"), 0o600); err != nil {
			t.Fatal(err)
		}
	}},
	{"a flipped bit in a message", Broken, "record-damaged", func(t *testing.T, r *rig) {
		r.stop()
		flip(t, firstFile(t, r.store(), "commitlog"), strings.Index, "body")
	}},
	{"a record overwritten with text", Broken, "record-damaged", func(t *testing.T, r *rig) {
		r.stop()
		alter(t, firstFile(t, r.store(), "commitlog"), func(b []byte) { copy(b[4:], "nonsense") })
	}},
	{"an entry that leads to the middle of a record", Broken, "queue-entry-astray", func(t *testing.T, r *rig) {
		r.stop()
		alter(t, firstFile(t, r.store(), "consumequeue/T/0"), func(b []byte) {
			u := record.ParseQueueUnit(b)
			u.Offset += 10
			copy(b, u.Append(nil))
		})
	}},
	{"an entry that leads to another topic's record", Broken, "queue-entry-astray", func(t *testing.T, r *rig) {
		r.stop()
		other, err := os.ReadFile(firstFile(t, r.store(), "consumequeue/Other/0"))
		if err != nil {
			t.Fatal(err)
		}
		alter(t, firstFile(t, r.store(), "consumequeue/T/0"), func(b []byte) { copy(b, other[:record.QueueUnitBytes]) })
	}},
	{"an entry behind the end of the log", Broken, "queue-entry-astray", func(t *testing.T, r *rig) {
		r.stop()
		alter(t, firstFile(t, r.store(), "consumequeue/T/0"), func(b []byte) {
			u := record.ParseQueueUnit(b)
			u.Offset = 1 << 40
			copy(b, u.Append(nil))
		})
	}},
	{"no store there", Broken, "store-not-there", func(t *testing.T, r *rig) {
		r.stop()
		if err := os.RemoveAll(r.store()); err != nil {
			t.Fatal(err)
		}
	}},
}

func firstFile(t *testing.T, root, dir string) string {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(root, dir, "0*"))
	if len(files) == 0 {
		t.Fatal("no file in ", dir)
	}
	return files[0]
}

func alter(t *testing.T, name string, fn func(b []byte)) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fn(b)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func flip(t *testing.T, name string, index func(s, sub string) int, text string) {
	t.Helper()
	alter(t, name, func(b []byte) {
		i := index(string(b), text)
		if i < 0 {
			t.Fatal("no", text)
		}
		b[i] ^= 4
	})
}

func TestStores(t *testing.T) {
	for _, c := range stores {
		t.Run(c.what, func(t *testing.T) {
			r := newRig(t)
			m := dial(t, r.addr(), nil)
			m.topic("T", 2, 2, 6)
			m.topic("Other", 1, 1, 6)
			for range 5 {
				m.send("T", 0)
				m.send("Other", 0)
			}
			c.damage(t, r)
			before := tree(t, r.store())
			report := Run(t.Context(), Options{Store: r.store()})
			diagnosed(t, report.Findings, c.state, c.want)
			if r.down && !slices.Equal(before, tree(t, r.store())) {
				t.Error("the store was changed")
			}
			for _, f := range report.Findings {
				if f.Name == "store" && strings.Contains(f.Seen, "open in a broker") == r.down {
					t.Error(f.Seen)
				}
			}
		})
	}
}

// TestMadeAhead: the next segment is seen where a broker has made it, in either of its places, and nowhere else.
func TestMadeAhead(t *testing.T) {
	r := newRig(t)
	m := dial(t, r.addr(), nil)
	m.topic("T", 1, 1, 6)
	m.send("T", 0)
	until(t, "the next segment is made", func() bool { return readStore(r.store(), "").Ahead })
	root := t.TempDir()
	write := func(name string, b []byte) {
		t.Helper()
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written := append([]byte{0, 0, 0, 91}, make([]byte, 4092)...)
	for i, step := range []struct {
		name  string
		bytes []byte
		ahead bool
	}{
		{"commitlog/00000000000000000000", written, false},
		{"commitlog/00000000000000004096", nil, false}, // stock has not made it yet
		{"ringmq/segment.tmp", make([]byte, 100), false},
		{"ringmq/spare.tmp", written, true},
		{"ringmq/spare.tmp", nil, false},
		{"commitlog/00000000000000004096", make([]byte, 4096), true},
		{"commitlog/00000000000000004096", written, false},
	} {
		if write(step.name, step.bytes); readStore(root, "").Ahead != step.ahead {
			t.Errorf("step %d: want %v", i, step.ahead)
		}
	}
}

// tree lists the files of a store with their sizes and times.
func tree(t *testing.T, root string) (all []string) {
	t.Helper()
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil {
			if info, err := d.Info(); err == nil {
				all = append(all, path+" "+info.ModTime().String())
			}
		}
		return nil
	})
	return all
}

// FuzzSample: whatever the bytes are, sampling them ends without harm.
func FuzzSample(f *testing.F) {
	f.Add([]byte{}, []byte{})
	good := record.Append(nil, &record.Record{Topic: []byte("T"), Body: []byte("body"), BornHost: addrPort, StoreHost: addrPort, Properties: []byte("A\x01b\x02")}, true)
	f.Add(append(good, make([]byte, 64)...), record.QueueUnit{Offset: 0, Size: int32(len(good))}.Append(nil))
	f.Add(append(good, record.AppendBlank(nil, 64)...), record.QueueUnit{Offset: 5, Size: 1 << 30}.Append(nil))
	f.Fuzz(func(t *testing.T, log, queue []byte) {
		root := t.TempDir()
		for name, b := range map[string][]byte{"commitlog/00000000000000000000": log, "consumequeue/T/0/00000000000000000000": queue} {
			name = filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s := readStore(root, "")
		if s.Err != nil || s.Sample.Err != nil {
			t.Fatal(s.Err, s.Sample.Err)
		}
		for _, f := range judgeStore(s, 0) {
			if f.Seen == "" {
				t.Error(f)
			}
		}
	})
}
