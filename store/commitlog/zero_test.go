package commitlog

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ringmq/store/record"
)

// TestZeroingKeepsAheadOfTheCommitter: what lies ahead in the current segment comes before the next segment, and a committer who
// is always near does not end it.
func TestZeroingKeepsAheadOfTheCommitter(t *testing.T) {
	const segment = 48 << 20
	fs, l := faultyLog(t, func(o *Options) { o.SegmentBytes, o.TailBytes = segment, 4<<20 })
	var mu sync.Mutex
	zeroed := map[string]int{}
	order := ""
	fs.OnOp(func(_ int, kind, name string) {
		if kind != "zero" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		base := filepath.Base(name)
		if zeroed[base]++; zeroed[base] == 1 {
			order += base + " "
		}
	})
	count := func(name string) int {
		mu.Lock()
		defer mu.Unlock()
		return zeroed[name]
	}
	r := message(0)
	r.Body = make([]byte, 64<<10)
	deadline := time.Now().Add(patience)
	current := record.FileName(0)
	for count(current) < 24 || count(halfName) < segment/zeroStep {
		if time.Now().After(deadline) {
			t.Fatalf("zeroed %v, in the order %s", zeroed, order)
		}
		if l.Max() > segment/3 {
			time.Sleep(time.Millisecond)
			continue
		}
		slot, err := reserve(l, r.Size(true))
		if err != nil {
			t.Fatal(err)
		}
		fill(l, slot, &r)
		l.Commit()
		if err := l.Visible().Wait(t.Context(), slot.Offset+int64(len(slot.Buf))); err != nil {
			t.Fatal(err)
		}
	}
	if mu.Lock(); order != current+" "+halfName+" " {
		t.Errorf("zeroed in the order %s", order)
	}
	mu.Unlock()
}
