package netpoll

import "testing"

// TestSpareBuffers: the buffer of a turn with many large answers is there for the next one, and what a loop keeps is bounded.
func TestSpareBuffers(t *testing.T) {
	l := &loop{}
	l.giveBuffer(make([]byte, 600<<10))
	if b := l.takeBuffer(); len(b) != 0 || cap(b) != 600<<10 {
		t.Errorf("the buffer is %d of %d bytes", len(b), cap(b))
	}
	if b := l.takeBuffer(); cap(b) != firstBufferBytes {
		t.Errorf("a loop without spare buffers makes one of %d bytes", cap(b))
	}
	l.giveBuffer(nil)
	l.giveBuffer(make([]byte, 0, maxSpareBytes+1))
	if len(l.spare) != 0 {
		t.Errorf("%d buffers are kept, of none and of one that is too large", len(l.spare))
	}
	for range 2 {
		for range maxSpareBuffers {
			l.giveBuffer(make([]byte, 0, maxSpareBytes))
		}
		if got := len(l.spare); got != maxSparesBytes/maxSpareBytes {
			t.Errorf("%d large buffers are kept", got)
		}
		for len(l.spare) > 0 {
			l.takeBuffer()
		}
	}
	for range 2 * maxSpareBuffers {
		l.giveBuffer(make([]byte, 0, firstBufferBytes))
	}
	if got := len(l.spare); got != maxSpareBuffers {
		t.Errorf("%d small buffers are kept", got)
	}
}
