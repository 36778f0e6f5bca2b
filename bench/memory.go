package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ringmq/netpoll/local"
)

const (
	fillPiece = 256 << 10
	// fillFile is how long the file is that memory is filled with. It holds nothing, and takes no room on the disk.
	fillFile = 1 << 40
	// Of all memory: so much more than the kernel has left free before is worth filling; and with so little free it is full.
	freeShare, filledShare = 1.0 / 32, 1.0 / 64
)

// FilledMemory is memory of this machine that is not free: it holds pages of an empty file, which the kernel gives to whoever wants memory, as it does
// with those of files that were read long ago. So it is with the memory of any machine that has stored and read for some hours. A host of virtual
// machines takes free memory away, and each page that is used again then costs a fault there, which whoever stores something pays for: several times
// what storing costs. It belongs to one goroutine.
type FilledMemory struct {
	file *os.File // of holes; it has no name
	at   int64
	buf  []byte
	all  int64        // bytes of memory
	free func() int64 // bytes of it that nobody has
	rest int64        // that were free when it was full last: the kernel's own reserve, and more where it likes to
}

// FillMemory fills what is free of this machine's memory, by way of a file in a folder whose file system has a page cache. ctx ends it early, with
// its error. The caller closes it.
func FillMemory(ctx context.Context, folder string) (*FilledMemory, error) {
	meminfo := func(label string) int64 { return local.Labels("/proc/meminfo")[label] << 10 }
	return fillMemory(ctx, folder, meminfo("MemTotal"), func() int64 { return meminfo("MemFree") })
}

func fillMemory(ctx context.Context, folder string, all int64, free func() int64) (*FilledMemory, error) {
	file, err := os.CreateTemp(folder, "fill-memory-*")
	if err != nil {
		return nil, fmt.Errorf("filling memory: %w", err)
	}
	m := &FilledMemory{file: file, buf: make([]byte, fillPiece), all: all, free: free}
	if err := errors.Join(os.Remove(file.Name()), file.Truncate(fillFile)); err != nil {
		return nil, errors.Join(fmt.Errorf("filling memory: %w", err), m.Close())
	}
	before := free()
	n, err := m.Refill(ctx)
	if now := free(); err == nil && before-now < n/2 {
		err = fmt.Errorf("filling memory: %s were read in %s and %s are free as before: its file system has no page cache, or this process may not have more", Bytes(float64(n)), folder, Bytes(float64(now)))
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *FilledMemory) limit(share float64) int64 { return int64(float64(m.all) * share) }

// Refill fills what has become free since, if that is worth it, and returns how many bytes it took. It reads no more than was free when it began, so that
// it ends where that does not become less.
func (m *FilledMemory) Refill(ctx context.Context) (n int64, err error) {
	before := m.free()
	if before <= m.rest+m.limit(freeShare) {
		return 0, nil
	}
	defer func() { m.rest = m.free() }()
	for n < before && m.free() > m.limit(filledShare) {
		if ctx.Err() != nil {
			return n, ctx.Err()
		}
		k, err := m.file.ReadAt(m.buf, m.at)
		n += int64(k)
		if m.at += int64(k); errors.Is(err, io.EOF) {
			m.at = 0
		} else if err != nil {
			return n, fmt.Errorf("filling memory: %w", err)
		}
	}
	return n, nil
}

// Close gives all of it back. Once.
func (m *FilledMemory) Close() error { return m.file.Close() }
