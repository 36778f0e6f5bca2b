package index

import (
	"testing"

	"ringmq/store/disk"
)

// TestBufferBytes: a full file keeps its slots until it is sealed, while the next one takes entries. That is the most there is.
func TestBufferBytes(t *testing.T) {
	const slots = 5000
	x, err := Open(Options{Dir: "/s/index", FS: disk.NewMemory(), Slots: slots, Entries: 21})
	if err == nil {
		err = x.Recover(true)
	}
	for i := int64(0); err == nil && i < 30; i++ {
		err = x.Put([]byte("T"), []byte("key"), i*10, 1000+i)
	}
	if err != nil {
		t.Fatal(err)
	}
	if x.active == nil || x.sealing == nil || x.next != nil {
		t.Fatal("no file was filled, or it is sealed, or a third has slots")
	}
	const page = 4096
	taken := int64(len(x.active.arena.Bytes()) + len(x.sealing.arena.Bytes()))
	if over := taken - BufferBytes(slots); over < 0 || over >= 2*page {
		t.Errorf("%d more bytes are taken than is said", over)
	}
	if err := x.Close(); err != nil {
		t.Error(err)
	}
}
