package commitlog

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestHowLongABatchWaits: from when its first record's commit was asked for, the batch before it included, and once a batch.
func TestHowLongABatchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type told struct {
			waited time.Duration
			bytes  int64
		}
		var all []told
		r, l := ringingLog(t, func(o *Options) {
			o.Committed = func(waited time.Duration, bytes int64) { all = append(all, told{waited, bytes}) }
		})
		if l.Waited() {
			t.Error("waited for with nothing there")
		}
		first := mustPut(t, l, 0)
		if !l.Waited() {
			t.Error("a batch is under way")
		}
		time.Sleep(3 * time.Millisecond)
		mustPut(t, l, 1)
		time.Sleep(2 * time.Millisecond)
		third := mustPut(t, l, 2)
		r.finish()
		l.Collect()
		time.Sleep(time.Millisecond)
		r.finish()
		l.Collect()
		// Nobody waits while nothing is there, even where somebody asks.
		l.CommitRinging(testBell)
		if l.Waited() {
			t.Error("waited for when all is over")
		}
		time.Sleep(time.Second / 2)
		fourth := mustPut(t, l, 3)
		time.Sleep(4 * time.Millisecond)
		r.finish()
		l.Collect()
		want := []told{{5 * time.Millisecond, first}, {3 * time.Millisecond, third - first}, {4 * time.Millisecond, fourth - third}}
		if !slices.Equal(all, want) {
			t.Errorf("%v, should be %v", all, want)
		}
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}
