//go:build uring

package disk

import (
	"syscall"
	"testing"
)

// TestRefusalsAreCounted: a kernel that takes nothing for a while is asked again, and that shows; nothing is done twice.
func TestRefusalsAreCounted(t *testing.T) {
	made, err := NewUringRing(8)
	if err != nil {
		t.Skip(err)
	}
	defer made.Close()
	r := made.(*uringRing)
	real, answers := r.take, []error{syscall.EAGAIN, syscall.EBUSY, syscall.EINTR}
	r.take = func() (uint, error) {
		if len(answers) == 0 {
			return real()
		}
		err := answers[0]
		answers = answers[1:]
		return 0, err
	}
	f, _ := scratch(t)
	op := &Op{Kind: OpWrite, File: f, Buf: arena(t, 4096)}
	runOps(t, r, op)
	if got := r.Counts(); op.Err != nil || op.N != 4096 || got != (RingCounts{Submitted: 1, Refused: 2}) {
		t.Error(op.N, op.Err, got)
	}
}
