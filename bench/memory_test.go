package bench

import (
	"context"
	"errors"
	"testing"

	"ringmq/netpoll/local"
)

// TestHoldMemory: all of it is touched, and little of it is kept.
func TestHoldMemory(t *testing.T) {
	status := func(label string) int64 { return local.Labels("/proc/self/status")[label] << 10 }
	const n = 128 * heldBlock
	before := status("VmRSS")
	h, err := HoldMemory(t.Context(), n+1)
	if err != nil {
		t.Fatal(err)
	}
	if h.Bytes() != n {
		t.Errorf("%d bytes of %d", h.Bytes(), n)
	}
	if peak := status("VmHWM"); peak < before+n/2 {
		t.Errorf("no more than %d bytes were ever resident, %d before", peak, before)
	}
	if now := status("VmRSS"); now > before+n/4 {
		t.Errorf("%d bytes are resident, %d before", now, before)
	}
	for at := 0; at < n; at += heldBlock {
		if h.b[at] != 1 || h.b[at+heldBlock/2] != 0 {
			t.Fatalf("at %d: the page that is held has %d, one that was given back %d", at, h.b[at], h.b[at+heldBlock/2])
		}
	}
	if err := h.Release(); err != nil {
		t.Error(err)
	}
}

func TestHoldMemoryIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := HoldMemory(ctx, heldBlock); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
