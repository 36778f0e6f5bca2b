package replica

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

func aside(s *store.Store, addr string, to int64) AsideOptions {
	return AsideOptions{Store: s, Addr: addr, To: to, Patience: time.Minute, Logger: slog.New(slog.DiscardHandler)}
}

func reach(t *testing.T, addr string) Extent {
	t.Helper()
	e, err := Reach(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestCopyAside: a copy ends where it should while more is stored, goes on later, and counts as nothing all the time.
func TestCopyAside(t *testing.T) {
	master, copied := open(t, options(disk.NewMemory(), true)), open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 2})
	addr := l.Addr().String()
	stored := 0
	for round := range 3 {
		arrive(t, master, put(t, master, stored, 100))
		stored += 100
		e := reach(t, addr)
		if e.End != master.LogMax() || e.Min != 0 || e.SegmentBytes != testSegment {
			t.Fatalf("%+v, the log ends at %d", e, master.LogMax())
		}
		put(t, master, stored, 20)
		stored += 20
		looks := 0
		o := aside(copied, addr, e.End)
		o.Progress = func(int64) {
			looks++
			if a := l.Agreed(); a.InStep != 1 || a.Enough || len(l.Slaves()) != 0 || l.AllOurs() || l.AllHave(0) {
				t.Errorf("it counts: %+v", a)
			}
		}
		if err := CopyAside(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if looks == 0 || copied.LogMax() != e.End || copied.Durable().Load() != e.End {
			t.Errorf("round %d: %d looks, the copy ends at %d, durable %d, not %d", round, looks, copied.LogMax(), copied.Durable().Load(), e.End)
		}
	}
	// To where it is: it is compared all the same.
	if err := CopyAside(t.Context(), aside(copied, addr, copied.LogMax())); err != nil {
		t.Fatal(err)
	}
	arrive(t, copied, copied.LogMax())
	if a, b := content(t, copied, 0), content(t, master, 0); string(a) != string(b[:len(a)]) {
		t.Error("the logs differ")
	}
	if n := l.FellOut(); n != 0 || len(l.Refusals()) != 0 {
		t.Error(n, l.Refusals())
	}
	// A slave is one beside it.
	slave := open(t, options(disk.NewMemory(), true))
	follow(t, slave, l, FollowerOptions{})
	eventually(t, "in step", func() bool { return l.Agreed().InStep == 2 })
}

// TestCopyAsideKeepsWhatItHas: where the logs have parted, or the master has nothing of what follows, nothing is given up.
func TestCopyAsideKeepsWhatItHas(t *testing.T) {
	master, copied := open(t, options(disk.NewMemory(), true)), open(t, options(disk.NewMemory(), true))
	arrive(t, copied, put(t, copied, 1000, 10))
	arrive(t, master, put(t, master, 0, 200))
	l := lead(t, master, LeaderOptions{Copies: 1})
	addr, had := l.Addr().String(), copied.LogMax()
	err := CopyAside(t.Context(), aside(copied, addr, reach(t, addr).End))
	if err == nil || !strings.Contains(err.Error(), bytesDiffer.String()) || copied.LogMax() != had {
		t.Error(err, copied.LogMax())
	}
	if err := CopyAside(t.Context(), aside(copied, addr, had-1)); err == nil {
		t.Error("it is longer than the end asked for")
	}
	later := open(t, options(disk.NewMemory(), true))
	if err := later.Rebase(4 * testSegment); err != nil {
		t.Fatal(err)
	}
	arrive(t, later, put(t, later, 0, 10))
	other := lead(t, later, LeaderOptions{Copies: 1})
	addr = other.Addr().String()
	err = CopyAside(t.Context(), aside(copied, addr, reach(t, addr).End))
	if err == nil || !strings.Contains(err.Error(), "begins") || copied.LogMax() != had || copied.LogMin() != 0 {
		t.Error(err, copied.LogMax())
	}
	// An empty one begins where the master's log does.
	empty := open(t, options(disk.NewMemory(), true))
	if err := CopyAside(t.Context(), aside(empty, addr, reach(t, addr).End)); err != nil || empty.LogMin() != 4*testSegment || empty.LogMax() != later.LogMax() {
		t.Error(err, empty.LogMin(), empty.LogMax())
	}
}

// answering serves one connection after the other with fixed bytes, after a hello.
func answering(t *testing.T, b []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(c, make([]byte, helloBytes))
			_, _ = c.Write(b)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// TestMastersThatWouldCount are left before they can.
func TestMastersThatWouldCount(t *testing.T) {
	older := welcome{version: helloVersion, end: 1 << 20, segmentBytes: testSegment}.append(nil)
	stock := append(header{offset: 0, size: 4}.append(nil), "data"...)
	for name, b := range map[string][]byte{"older": older, "stock": stock, "refuses": welcome{version: helloVersion, refusal: segmentsDiffer, end: 5, segmentBytes: 9}.append(nil)} {
		if _, err := Reach(t.Context(), answering(t, b)); !errors.Is(err, errCounts) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "refuses" {
			continue
		}
		s := open(t, options(disk.NewMemory(), true))
		if err := CopyAside(t.Context(), aside(s, answering(t, b), 1<<20)); err == nil || !strings.Contains(err.Error(), errCounts.Error()) || s.LogMax() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Reach(t.Context(), answering(t, nil)); !errors.Is(err, ErrTurnedAway) {
		t.Error(err)
	}
	master := open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 1, Lets: func(_, _ netip.Addr) bool { return false }})
	if _, err := Reach(t.Context(), l.Addr().String()); !errors.Is(err, ErrTurnedAway) {
		t.Error(err)
	}
}

// TestCopyAsideGivesUp: a disk that is full ends it with the reason, and with room it goes on; so do the end of patience and of the caller's.
func TestCopyAsideGivesUp(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	arrive(t, master, put(t, master, 0, 200))
	l := lead(t, master, LeaderOptions{Copies: 1})
	addr := l.Addr().String()
	end := reach(t, addr).End
	f := disk.NewFaulty()
	copied := open(t, options(f, true))
	f.SetFree(testSegment / 2)
	if err := CopyAside(t.Context(), aside(copied, addr, end)); err == nil || !strings.Contains(err.Error(), "nothing can be written here") {
		t.Error(err)
	}
	f.SetFree(-1)
	eventually(t, "it goes on", func() bool { return CopyAside(t.Context(), aside(copied, addr, end)) == nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := CopyAside(ctx, aside(copied, addr, end)); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	l.Close()
	o := aside(copied, addr, end)
	o.Patience = time.Millisecond
	if err := CopyAside(t.Context(), o); err == nil || !strings.Contains(err.Error(), "nothing came") {
		t.Error(err)
	}
}
