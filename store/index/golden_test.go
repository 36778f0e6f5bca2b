package index_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/store/disk"
	"ringmq/store/index"
	"ringmq/store/record"
)

func goldenOptions(t *testing.T, name, dir string) index.Options {
	t.Helper()
	conf := golden.StoreConf(t, name)
	slots, err1 := strconv.Atoi(conf["maxHashSlotNum"])
	entries, err2 := strconv.Atoi(conf["maxIndexNum"])
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return index.Options{Dir: dir, FS: disk.OS(), Slots: slots, Entries: entries, BufferEntries: 32}
}

func openIndex(t *testing.T, o index.Options) *index.Index {
	t.Helper()
	x, err := index.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

// keyed calls fn for every key of every record of a store, in the order of its log.
func keyed(t *testing.T, dir string, fn func(r *record.Record, key []byte)) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(dir, "commitlog", "*"))
	sort.Strings(files)
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var r record.Record
		for ; r.Parse(b) == nil; b = b[r.TotalSize:] {
			if key, ok := record.Property(r.Properties, record.PropertyUniqKey); ok {
				fn(&r, key)
			}
			keys, _ := record.Property(r.Properties, record.PropertyKeys)
			for _, key := range bytes.Fields(keys) {
				fn(&r, key)
			}
		}
	}
}

// ask compares the index with what a stock broker answered.
func ask(t *testing.T, name string, x *index.Index) (wrong int) {
	t.Helper()
	asked := 0
	for _, m := range golden.Manifest(t, name) {
		if m.Kind != "keyQuery" {
			continue
		}
		limit := 64
		if m.UniqueKey {
			limit = 32
		}
		got, err := x.Query([]byte(m.Topic), []byte(m.Key), limit, 0, math.MaxInt64, nil)
		if err != nil {
			t.Fatal(err)
		}
		asked++
		slices.Sort(got) // as the stock broker does with what its index found
		if !slices.Equal(got, m.PhysicalOffsets) {
			wrong++
			t.Logf("%s %s: %v, stock answered %v", m.Topic, m.Key, got, m.PhysicalOffsets)
		}
	}
	if asked == 0 {
		t.Fatal("no queries")
	}
	return wrong
}

func TestGoldenQueries(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong int // queries of records that had not reached the index
	}{{"clean", 0}, {"crc", 0}, {"killed", 1}} {
		t.Run(c.name, func(t *testing.T) {
			dir := golden.Store(t, c.name)
			x := openIndex(t, goldenOptions(t, c.name, filepath.Join(dir, "index")))
			if wrong := ask(t, c.name, x); wrong > c.wrong {
				t.Errorf("before recovery: %d wrong answers", wrong)
			}
			for _, orderly := range []bool{true, false} {
				x := openIndex(t, goldenOptions(t, c.name, filepath.Join(dir, "index")))
				if err := x.Recover(orderly); err != nil {
					t.Fatal(err)
				}
				if wrong := ask(t, c.name, x); wrong > c.wrong {
					t.Errorf("orderly %v: %d wrong answers", orderly, wrong)
				}
				last, lastTime := int64(0), int64(0)
				// A replay of everything adds what was missing and doubles nothing.
				keyed(t, dir, func(r *record.Record, key []byte) {
					if err := x.Put(r.Topic, key, r.PhysicalOffset, r.StoreTimestamp); err != nil {
						t.Fatal(err)
					}
					last, lastTime = r.PhysicalOffset, r.StoreTimestamp
				})
				if wrong := ask(t, c.name, x); wrong > 0 {
					t.Errorf("orderly %v: %d wrong answers after the replay", orderly, wrong)
				}
				if x.LastPhysical() != last || x.LastTimestamp() != lastTime {
					t.Errorf("last %d %d, want %d %d", x.LastPhysical(), x.LastTimestamp(), last, lastTime)
				}
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				x = openIndex(t, goldenOptions(t, c.name, filepath.Join(dir, "index")))
				if wrong := ask(t, c.name, x); wrong > 0 {
					t.Errorf("orderly %v: %d wrong answers after a new start", orderly, wrong)
				}
			}
		})
	}
}

// TestGoldenSameFiles indexes the log of a stock store from the beginning: every file must be the stock one, byte by byte.
func TestGoldenSameFiles(t *testing.T) {
	for _, name := range []string{"clean", "crc", "killed", "ext"} {
		t.Run(name, func(t *testing.T) {
			dir := golden.Store(t, name)
			o := goldenOptions(t, name, filepath.Join(t.TempDir(), "index"))
			stock, _ := filepath.Glob(filepath.Join(dir, "index", "*"))
			sort.Strings(stock)
			o.Location = time.UTC
			o.Clock = func() time.Time { return time.Date(2026, 11, 22, 7, 9, 17, 687_000_000, time.UTC) }
			x := openIndex(t, o)
			if err := x.Recover(true); err != nil {
				t.Fatal(err)
			}
			n := 0
			keyed(t, dir, func(r *record.Record, key []byte) {
				if err := x.Put(r.Topic, key, r.PhysicalOffset, r.StoreTimestamp); err != nil {
					t.Fatal(err)
				}
				if n++; n%500 == 0 {
					if err := x.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			})
			if wrong := ask(t, name, x); wrong > 0 {
				t.Errorf("%d wrong answers", wrong)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			ours, _ := filepath.Glob(filepath.Join(o.Dir, "*"))
			sort.Strings(ours)
			if len(ours) != len(stock) || len(ours) == 0 || filepath.Base(ours[0]) != "20261122070917687" {
				t.Fatalf("files %v, stock has %v", ours, stock)
			}
			for i := range ours {
				got, err1 := os.ReadFile(ours[i])
				want, err2 := os.ReadFile(stock[i])
				if err1 != nil || err2 != nil {
					t.Fatal(err1, err2)
				}
				if name == "killed" && i == len(ours)-1 {
					continue // its last record had not been indexed
				}
				if !bytes.Equal(got, want) {
					at := 0
					for at < len(got) && at < len(want) && got[at] == want[at] {
						at++
					}
					t.Errorf("file %d differs from byte %d on (%d and %d bytes)", i, at, len(got), len(want))
				}
			}
		})
	}
}
