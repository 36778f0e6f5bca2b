package store

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
	"time"

	"ringmq/store/disk"
)

// eventually polls.
func eventually(t *testing.T, what string, fn func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !fn(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}

// TestUnreadableSector: a place that the disk cannot read costs the messages in it and none beside them, whether a start comes upon it, a
// reader, or whoever copies the log: the store opens, a pull has the messages before it, the next one goes on behind it, and it is healed
// from a copy.
func TestUnreadableSector(t *testing.T) {
	for _, how := range []string{"clean", "killed", "running", "copied"} {
		t.Run(how, func(t *testing.T) {
			f := disk.NewFaulty()
			d := &disk.BadPages{FS: f}
			o := smallOptions(d)
			o.SegmentBytes, o.TailBytes = 1<<20, 64<<10
			s := mustOpen(t, o)
			var places []Placed
			for i := range 300 {
				places = append(places, mustAppend(t, s, message("X", 0, fmt.Sprint("message ", i, strings.Repeat("x", 1000)))))
			}
			settled(t, s)
			r, err := s.Region(0, int(s.LogMax()))
			if err != nil {
				t.Fatal(err)
			}
			whole := make([]byte, r.Bytes)
			if err := r.Read(whole, 0); err != nil {
				t.Fatal(err)
			}
			r.Release()
			switch how {
			case "clean":
				closeStore(t, s)
			case "killed":
				f.Stop()
				_ = s.Close(t.Context())
				f = f.Crash(rand.New(rand.NewSource(1)))
				d.FS = f
			}
			d.Lose(segmentFile(o, 0), places[100].PhysicalOffset)
			page := places[100].PhysicalOffset - places[100].PhysicalOffset%4096
			lost := map[int64]bool{}
			for i, p := range places {
				if p.End > page && p.PhysicalOffset < page+4096 {
					lost[int64(i)] = true
				}
			}
			switch how {
			case "clean", "killed":
				s = mustOpen(t, o)
			case "copied":
				r, err := s.Region(page, 100)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Read(make([]byte, 100), 0); err == nil {
					t.Error("a copy is told at once that the page is damaged")
				}
				r.Release()
				eventually(t, "noted", func() bool { return len(s.Gaps()) > 0 })
			}
			defer closeStore(t, s)
			pulled(t, s, places, lost)
			if len(s.Gaps()) == 0 {
				t.Fatal("no gaps")
			}
			if how == "running" {
				// What is healed may share its page with what is not.
				g := s.Gaps()[0]
				for n := range lost {
					if p := places[n]; p.PhysicalOffset == g.From {
						if err := s.Heal(g.From, whole[g.From:p.End]); err != nil {
							t.Fatal(err)
						}
						delete(lost, n)
					}
				}
				pulled(t, s, places, lost)
			}
			for len(s.Gaps()) > 0 {
				g := s.Gaps()[0]
				if err := s.Heal(g.From, whole[g.From:g.To]); err != nil {
					t.Fatal(err)
				}
			}
			if d.Lost() > 0 {
				t.Error("it still cannot be read")
			}
			pulled(t, s, places, nil)
		})
	}
}

// pulled has a consumer come by.
func pulled(t *testing.T, s *Store, places []Placed, lost map[int64]bool) {
	t.Helper()
	got := 0
	for w := (Want{Topic: []byte("X"), MaxMessages: 32}); w.Offset < int64(len(places)); {
		raw, f, err := s.Read(&w, nil)
		if err != nil || f.NextOffset <= w.Offset {
			t.Fatalf("at %d: %+v, %v; gaps %v", w.Offset, f, err, s.Gaps())
		}
		for _, body := range bodies(t, raw) {
			var n int64
			if _, err := fmt.Sscanf(body, "message %d", &n); err != nil || lost[n] {
				t.Errorf("message %d of a place that cannot be read: %v", n, err)
			}
			got++
		}
		w.Offset = f.NextOffset
	}
	if got != len(places)-len(lost) {
		t.Errorf("%d messages, want %d", got, len(places)-len(lost))
	}
}
