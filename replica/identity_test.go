package replica

import (
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

// TestAnotherMasterDoesNotTakeTheLog: a slave that is shown to a master of another history whose log begins later keeps its own log, as it
// does with one that differs in any other way: nothing is thrown away by itself.
func TestAnotherMasterDoesNotTakeTheLog(t *testing.T) {
	first, so := open(t, options(disk.NewMemory(), true)), options(disk.NewMemory(), true)
	slave := open(t, so)
	l := lead(t, first, LeaderOptions{Copies: 2, SlaveTimeout: time.Hour})
	f := follow(t, slave, l, FollowerOptions{})
	end := put(t, first, 0, 60)
	arrive(t, slave, end)
	f.Close()
	had := count(slave)
	shut(t, slave)
	slave = open(t, so) // it remembers whose copy it is
	if slave.History() != first.History() || slave.History() == 0 {
		t.Fatalf("a copy is called %d, its master %d", slave.History(), first.History())
	}
	other := open(t, options(disk.NewMemory(), true))
	arrive(t, other, put(t, other, 1000, 400))
	shorten(t, other, slave.LogMax())
	g := follow(t, slave, lead(t, other, LeaderOptions{Copies: 1}), FollowerOptions{})
	eventually(t, "decided", func() bool { s := g.State(); return s.Refused != "" || slave.LogMin() > 0 })
	if slave.LogMin() != 0 || slave.LogMax() != end || count(slave) != had {
		t.Errorf("%d messages of %d; the log begins at %d and went from 0 to %d", count(slave), had, slave.LogMin(), end)
	}
	g.Close()
	// Its own master it follows over the same hole.
	arrive(t, first, put(t, first, 60, 400))
	shorten(t, first, end)
	follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, first.LogMax())
	if slave.LogMin() != first.LogMin() {
		t.Errorf("the slave begins at %d, its master at %d", slave.LogMin(), first.LogMin())
	}
}

// shorten deletes the oldest segments until the log begins behind an offset.
func shorten(t *testing.T, s *store.Store, behind int64) {
	t.Helper()
	s.SetRetention(store.Retention{CommitLogMaxBytes: 3 * testSegment, WarningRatio: 100, DeleteIntervalMs: 1})
	if _, err := s.CleanNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.LogMin() <= behind {
		t.Fatalf("the log begins at %d, not behind %d: no test", s.LogMin(), behind)
	}
}

// TestOneSlaveIsOneCopy: its old connection, of which the master has not heard the end, and its new one do not make two copies of a record
// that another slave does not have.
func TestOneSlaveIsOneCopy(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 3, MinCopies: 3, SlaveTimeout: time.Hour})
	end := put(t, master, 0, 5)
	arrive(t, master, end)
	come := func(id uint64) *peer {
		p := dial(t, l)
		if _, err := p.conn.Write(hello{version: helloVersion, id: id, segmentBytes: testSegment, sumFrom: end, end: end}.append(nil)); err != nil {
			t.Fatal(err)
		}
		go discard(p)
		return p
	}
	one, _ := come(1), come(2)
	agreed(t, l, "three copies", func(a Agreement) bool { return a.InStep == 3 })
	was := end
	end = put(t, master, 5, 3)
	eventually(t, "sent", func() bool { s := l.Slaves(); return s[0].SentOffset == end && s[1].SentOffset == end })
	one.report(end) // it has them; the other does not
	eventually(t, "acknowledged", func() bool { s := l.Slaves(); return max(s[0].AckOffset, s[1].AckOffset) == end })
	if v := master.Visible().Load(); v != was {
		t.Fatalf("visible to %d: no test", v)
	}
	come(1) // its machine was switched off and on: the old connection stands half open
	one.ended()
	eventually(t, "one left", func() bool { s := l.Slaves(); return len(s) == 2 && s[0].AckOffset >= was && s[1].AckOffset >= was })
	if v := master.Visible().Load(); v != was || l.Agreed().InStep != 3 {
		t.Errorf("visible to %d of %d, %d in step: one slave counts twice", v, was, l.Agreed().InStep)
	}
}

// TestHellosDoNotPileUp: connections have their places, whatever they say. Those that were shown out do not wait for their bytes to be compared.
func TestHellosDoNotPileUp(t *testing.T) {
	o := options(disk.NewMemory(), true)
	o.SegmentBytes, o.TailBytes = 16<<20, 8<<20
	master := open(t, o)
	end := put(t, master, 0, 1500)
	arrive(t, master, end)
	l := lead(t, master, LeaderOptions{Copies: 1})
	h := hello{version: helloVersion, segmentBytes: o.SegmentBytes, sumFrom: max(0, end-sumBytes), end: end, sum: 1}.append(nil)
	most := 0
	count := func() (n int) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.peers)
	}
	for range 600 {
		p := dial(t, l)
		_, _ = p.conn.Write(h) // it may have been shown out by now
		most = max(most, count())
	}
	if most > 2*maxPeers {
		t.Errorf("%d connections at once", most)
	}
	// Nobody sends the bytes that are asked for: each gives up.
	eventually(t, "all are over", func() bool { return count() == 0 })
}
