package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"ringmq/netpoll/local"
)

const (
	// heldBlock is what a host takes of free memory at least: as long as a page of it is held, it takes nothing of it.
	heldBlock = 2 << 20
	// heldShare of the memory that is available is touched at most: nobody is to lose what he holds.
	heldShare = 0.75
)

// HeldMemory is memory of this machine that a host of virtual machines leaves it. Such a host may take free memory away, and then each page that is
// used again costs a fault there, which whoever stores something pays for: several times what storing costs.
type HeldMemory struct{ b []byte }

// HoldMemory touches n bytes of memory, or as many as can be had without taking anybody else's (0: all of them), and gives them back, but for one page
// of each 2 MiB. What anybody uses next comes from there. On a machine that has all its memory it changes nothing. ctx ends it early, with its error.
func HoldMemory(ctx context.Context, n int64) (*HeldMemory, error) {
	most := int64(heldShare * float64(local.Labels("/proc/meminfo")["MemAvailable"]<<10))
	if n <= 0 || n > most {
		n = most
	}
	n -= n % heldBlock
	if n == 0 {
		return nil, errors.New("no memory is available")
	}
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("holding %s of memory: %w", Bytes(float64(n)), err)
	}
	h := &HeldMemory{b}
	// In one piece a block could not be given back but for a page.
	if err := syscall.Madvise(b, syscall.MADV_NOHUGEPAGE); err != nil && !errors.Is(err, syscall.EINVAL) {
		return nil, errors.Join(fmt.Errorf("holding memory: %w", err), h.Release())
	}
	page := os.Getpagesize()
	for at := 0; at < len(b); at += page {
		if at%heldBlock == 0 && ctx.Err() != nil {
			return nil, errors.Join(ctx.Err(), h.Release())
		}
		b[at] = 1
	}
	for at := 0; at < len(b); at += heldBlock {
		if err := syscall.Madvise(b[at+page:at+heldBlock], syscall.MADV_DONTNEED); err != nil {
			return nil, errors.Join(fmt.Errorf("giving memory back: %w", err), h.Release())
		}
	}
	return h, nil
}

// Bytes is how much memory the host leaves.
func (h *HeldMemory) Bytes() int64 { return int64(len(h.b)) }

// Release gives back what is held. Once.
func (h *HeldMemory) Release() error { return syscall.Munmap(h.b) }
