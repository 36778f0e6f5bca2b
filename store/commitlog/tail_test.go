package commitlog

import "testing"

// TestBufferBytes: a tail takes as much as is said of it, but for the rounding to whole pages of memory.
func TestBufferBytes(t *testing.T) {
	for _, bytes := range []int{1, 16384, 1<<20 + 100, 8 << 20} {
		tail, err := newTail(bytes)
		if err != nil {
			t.Fatal(err)
		}
		if over := int64(len(tail.b)) - BufferBytes(bytes); over < 0 || over >= pageBytes {
			t.Errorf("%d bytes: %d more are taken than is said", bytes, over)
		}
		tail.mem.Free()
	}
}
