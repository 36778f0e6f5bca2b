package commitlog

import (
	"errors"
	"testing"
	"time"
)

// TestTheLargestRecordFindsRoom: with all of the log written there is room for the largest record, however much of its segment is left. Nobody
// would ever tell otherwise.
func TestTheLargestRecordFindsRoom(t *testing.T) {
	const tailBytes = 8192
	for _, bytes := range []int{tailBytes, tailBytes - 1, tailBytes - 63} {
		largest := 0
		for left := 1; left <= 9; left++ { // of the segment, behind the place that the record would take
			_, l := faultyLog(t, func(o *Options) { o.SegmentBytes, o.TailBytes = 64<<10, bytes })
			put := func(size int) error {
				slot, err := l.Reserve(size)
				if err != nil {
					return err
				}
				clear(slot.Buf)
				l.Publish(slot)
				l.Commit()
				return l.Visible().Wait(t.Context(), slot.Offset+int64(size))
			}
			for largest = bytes; ; largest-- {
				if slot, err := l.Reserve(largest); !errors.Is(err, ErrTooLarge) {
					if err != nil {
						t.Fatal(err)
					}
					l.Abandon(slot)
					break
				}
			}
			for want := l.o.SegmentBytes - int64(largest+left); l.Max() < want; {
				if err := put(int(min(want-l.Max(), 1000))); err != nil {
					t.Fatal(err)
				}
			}
			nextReady(t, l)
			err := put(largest)
			if err != nil {
				t.Errorf("a tail of %d bytes, %d bytes of a segment left for one of %d: %v", bytes, largest+left, largest, err)
			}
		}
		if largest < bytes/2-4 {
			t.Errorf("a tail of %d bytes takes a record of %d at most", bytes, largest)
		}
	}
}

// nextReady waits until the log can go on in another segment.
func nextReady(t *testing.T, l *Log) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		err := l.wantNext()
		l.mu.Unlock()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no other segment: ", err)
		}
	}
}
