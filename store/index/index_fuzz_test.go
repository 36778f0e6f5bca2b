package index_test

import (
	"math"
	"testing"

	"ringmq/store/disk"
)

// FuzzFile opens whatever bytes as the newest index file: queries end, and keys can be added.
func FuzzFile(f *testing.F) {
	o := small(disk.NewMemory())
	f.Add([]byte{}, int64(0))
	f.Add([]byte("\x00\x00\x01\x8b\xcf\xe5\x68\x00\x00\x00\x01\x8b\xcf\xe5\x68\x00"), int64(5))
	size := 40 + 4*o.Slots + 20*o.Entries
	f.Fuzz(func(t *testing.T, b []byte, end int64) {
		m := disk.NewMemory()
		if err := m.MkdirAll("/s/index", 0o755); err != nil {
			t.Fatal(err)
		}
		file, err := m.Open("/s/index/20260101000000000", 0o102, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(b[:min(len(b), size)], 0); err != nil {
			t.Fatal(err)
		}
		for _, orderly := range []bool{true, false} {
			x := start(t, small(m), orderly)
			query(t, x, "k", 100, 0, math.MaxInt64)
			if err := x.Truncate(end); err != nil {
				t.Fatal(err)
			}
			at := x.LastPhysical()
			for i := range int64(25) {
				if err := x.Put(topic, []byte("fresh"), at+i, 5); err != nil {
					t.Fatal(err)
				}
			}
			query(t, x, "fresh", 100, 0, math.MaxInt64)
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
