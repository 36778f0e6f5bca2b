package commitlog

import (
	"bytes"
	"errors"
	"sync"
	"syscall"
	"testing"

	"ringmq/store/disk"
)

// syncsHeard is a ring that remembers how syncs ended.
type syncsHeard struct {
	disk.Ring
	mu   sync.Mutex
	errs []error
}

func (r *syncsHeard) Wait(n int, done []*disk.Op) ([]*disk.Op, error) {
	from := len(done)
	done, err := r.Ring.Wait(n, done)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, op := range done[from:] {
		if op.Kind == disk.OpDatasync {
			r.errs = append(r.errs, op.Err)
		}
	}
	return done, err
}

// TestMendTakesNoErrorAway: a disk that fails while a mend is synced tells the commit that is under way too.
func TestMendTakesNoErrorAway(t *testing.T) {
	var ring *syncsHeard
	fs, l := faultyLog(t, func(o *Options) {
		ring = &syncsHeard{Ring: o.Ring}
		o.Ring = ring
	})
	_, end, err := put(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Visible().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, end)
	if err := l.ReadAt(0, b); err != nil {
		t.Fatal(err)
	}
	committing, mended := make(chan struct{}), make(chan struct{})
	syncs := 0
	var mu sync.Mutex
	fs.OnOp(func(op int, kind, _ string) {
		if kind != "datasync" {
			return
		}
		mu.Lock()
		syncs++
		n := syncs
		mu.Unlock()
		switch n {
		case 1: // the commit's: it has written
			close(committing)
			<-mended
		case 2:
			fs.FailAt(op, syscall.EIO)
		}
	})
	if _, _, err := put(l, 1); err != nil {
		t.Fatal(err)
	}
	<-committing
	if err := l.Mend(0, b); !errors.Is(err, syscall.EIO) {
		t.Errorf("the mend: %v", err)
	}
	close(mended)
	if err := l.Durable().Wait(t.Context(), l.Max()); !errors.Is(err, syscall.EIO) {
		t.Errorf("the log: %v", err)
	}
	_ = l.Close(t.Context())
	ring.mu.Lock()
	defer ring.mu.Unlock()
	if n := len(ring.errs); n != 2 || !errors.Is(ring.errs[1], syscall.EIO) {
		t.Errorf("syncs of commits ended with %v", ring.errs)
	}
}

// TestMendIsReadBack: a device that has not kept what was mended is found out, and the place stays doubted.
func TestMendIsReadBack(t *testing.T) {
	fs, l := faultyLog(t, nil)
	_, end, err := put(l, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Visible().Wait(t.Context(), end); err != nil {
		t.Fatal(err)
	}
	b := bytes.Repeat([]byte{7}, int(end))
	l.Doubt(0, end)
	fs.Lie(true)
	if err := l.Mend(0, b); err == nil || !l.Doubtful(0, end) {
		t.Errorf("on a disk that lost it: %v, doubtful: %v", err, l.Doubtful(0, end))
	}
	fs.Lie(false)
	if err := l.Mend(0, b); err != nil || l.Doubtful(0, end) {
		t.Errorf("on a disk that keeps it: %v, doubtful: %v", err, l.Doubtful(0, end))
	}
	if got, ok := l.ReadHot(0, int(end), nil); !ok || !bytes.Equal(got, b) {
		t.Error("what is in memory is another thing than what was mended")
	}
}

// TestMendOfWhatIsGone: a segment that retention has taken is not written to.
func TestMendOfWhatIsGone(t *testing.T) {
	_, l := faultyLog(t, nil)
	for n := 0; l.Max() < 3*l.o.SegmentBytes; n++ {
		if _, _, err := put(l, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Durable().Wait(t.Context(), l.Max()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.DeleteOldest(); err != nil {
		t.Fatal(err)
	}
	if err := l.Mend(0, []byte{1}); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}
