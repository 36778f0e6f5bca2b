package store

import "testing"

// TestBufferBytes: the options that set the size of a buffer outside of the heap are in the figure, as the store uses them.
func TestBufferBytes(t *testing.T) {
	const mib = 1 << 20
	for what, c := range map[string]struct {
		change func(o *Options)
		want   int64
	}{
		"as it comes":          {func(*Options) {}, 48*mib + 16*mib + 2*4*5_000_000},
		"without an index":     {func(o *Options) { o.IndexEnabled = false }, 48*mib + 16*mib},
		"more slots":           {func(o *Options) { o.IndexSlots = 1 << 28 }, 48*mib + 16*mib + 2*4<<28},
		"a larger tail":        {func(o *Options) { o.TailBytes = 1 << 30 }, 3<<29 + 16*mib + 2*4*5_000_000},
		"nothing set but this": {func(o *Options) { *o = Options{Root: o.Root, SegmentBytes: 1 << 20, TailBytes: mib} }, 3*mib + 16*mib}, // twice a segment
	} {
		o := DefaultOptions(t.TempDir())
		c.change(&o)
		if got := o.BufferBytes(); got != c.want {
			t.Errorf("%s: %d, want %d", what, got, c.want)
		}
	}
}
