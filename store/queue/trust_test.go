package queue_test

import (
	"testing"

	"ringmq/store/disk"
	"ringmq/store/queue"
)

// TestTrustOnlyThePossible: numbers that no queue of this log can have are not taken, and no file is made for them.
func TestTrustOnlyThePossible(t *testing.T) {
	fs := disk.NewFaulty()
	if err := fs.MkdirAll("/s/consumequeue/T/0", 0o755); err != nil {
		t.Fatal(err)
	}
	o := queue.Options{Dir: "/s/consumequeue", FS: fs, FileBytes: 200, MinRecord: 91, LogEnd: 100_000, DurableTo: 1 << 40}
	good := queue.Bounds{Min: 100, Max: 200, MinPhysical: 10_000, MaxPhysical: 50_000, FirstFile: 2000}
	for name, c := range map[string]struct {
		change func(b *queue.Bounds)
		want   bool
	}{
		"as it was":           {func(*queue.Bounds) {}, true},
		"max":                 {func(b *queue.Bounds) { b.Max = 9200 }, false},
		"max, a little":       {func(b *queue.Bounds) { b.Max = 100 + 40_000/91 + 1 }, false},
		"as many as there is": {func(b *queue.Bounds) { b.Max = 100 + 40_000/91 }, true},
		"min":                 {func(b *queue.Bounds) { b.Min = 200 }, false},
		"log":                 {func(b *queue.Bounds) { b.MaxPhysical = 100_001 }, false},
		"physical":            {func(b *queue.Bounds) { b.MaxPhysical = 10_000 }, false},
		"first file":          {func(b *queue.Bounds) { b.FirstFile = 2200 }, false},
		"between files":       {func(b *queue.Bounds) { b.FirstFile = 1900 }, false},
		"all far":             {func(b *queue.Bounds) { b.Min, b.Max = 1_000_100, 1_000_200 }, false},
	} {
		s, err := queue.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		b := good
		c.change(&b)
		if got := s.Trust("T", 0, b); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
