package disk

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Buffer is page-aligned memory outside the Go heap: the garbage collector neither scans nor moves it, so the kernel may hold
// its address. It must be freed by its owner, after the last use.
type Buffer struct{ mem []byte }

// Arena maps a buffer of at least the given size, rounded up to whole pages, filled with zeros. Pages cost memory when touched.
func Arena(bytes int) (*Buffer, error) {
	if bytes <= 0 {
		panic("disk: an arena of no size")
	}
	const page = 4096
	size := (bytes + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("disk: map %d bytes: %w", size, err)
	}
	return &Buffer{mem: mem}, nil
}

// Bytes returns the memory. The slice is dead after Free.
func (b *Buffer) Bytes() []byte { return b.mem }

// Free gives the memory back. It may be called once more without harm.
func (b *Buffer) Free() {
	if b.mem != nil {
		_ = unix.Munmap(b.mem)
		b.mem = nil
	}
}
