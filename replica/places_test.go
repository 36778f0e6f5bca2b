package replica

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ringmq/store/disk"
)

// TestStrangersAreTurnedAway: a connection from elsewhere is closed unread and counted, slaves come in, and it is told once a second.
func TestStrangersAreTurnedAway(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 3)
	w := &warnings{}
	strange := make(chan bool, 1)
	l := lead(t, master, LeaderOptions{Copies: 1, Logger: slog.New(w), Lets: func(remote, local netip.Addr) bool {
		if !remote.IsLoopback() || !local.IsLoopback() {
			t.Error(remote, local)
		}
		return !<-strange
	}})
	for range 3 {
		strange <- true
		dial(t, l).ended()
	}
	if n := l.TurnedAway(); n != 3 || w.count("haAllowedCidrs") < 1 || w.count("haAllowedCidrs") > 3 {
		t.Error(n, w.text)
	}
	strange <- false
	slave := open(t, options(disk.NewMemory(), true))
	follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, end)
}

// TestFakesKeepNoSlaveOut: peers that report and acknowledge nothing take all places, and a slave gets one of them.
func TestFakesKeepNoSlaveOut(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 30)
	arrive(t, master, end)
	l := lead(t, master, LeaderOptions{Copies: 1, SlaveTimeout: 10 * time.Millisecond})
	for range maxPeers {
		dial(t, l).report(0)
	}
	eventually(t, "all have a place", func() bool { return len(l.Slaves()) == maxPeers })
	slave := open(t, options(disk.NewMemory(), true))
	follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, end)
	if n := l.TurnedAway(); n != 0 {
		t.Error(n)
	}
	eventually(t, "it has a place", func() bool {
		return slices.ContainsFunc(l.Slaves(), func(s SlaveState) bool { return s.Ours && s.AckOffset == end })
	})
}

// TestSlavesInStepKeepTheirPlaces: another connection is turned away.
func TestSlavesInStepKeepTheirPlaces(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	end := put(t, master, 0, 3)
	arrive(t, master, end)
	w := &warnings{}
	l := lead(t, master, LeaderOptions{Copies: 1, Logger: slog.New(w)})
	for range maxPeers {
		dial(t, l).report(end)
	}
	eventually(t, "all are in step", func() bool { return l.Agreed().InStep == maxPeers+1 })
	dial(t, l).ended()
	if n := l.TurnedAway(); n != 1 || w.count("all places are taken") != 1 || len(l.Slaves()) != maxPeers {
		t.Error(n, w.text, len(l.Slaves()))
	}
}

func TestWhoGivesItsPlaceUp(t *testing.T) {
	at := func(since time.Duration) progress { return progress{since: since} }
	const s = time.Second
	order := []*slave{
		{came: 1 * s}, {came: 2 * s}, // have said nothing
		{reported: true, aside: true, ours: true, progress: at(6 * s)},
		{reported: true, progress: at(4 * s)}, {reported: true, progress: at(5 * s)},
		{reported: true, ours: true, progress: at(1 * s)}, {reported: true, ours: true, progress: at(2 * s)},
	}
	l := &Leader{peers: map[*slave]struct{}{{reported: true, progress: progress{inStep: true}}: {}, {leaving: true}: {}}}
	for _, p := range order {
		l.peers[p] = struct{}{}
	}
	for i, want := range order {
		if got := l.leastUseful(); got != want {
			t.Fatalf("%d: %+v", i, got)
		}
		delete(l.peers, want)
	}
	if got := l.leastUseful(); got != nil {
		t.Errorf("%+v", got)
	}
}
