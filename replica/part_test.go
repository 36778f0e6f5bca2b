package replica

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
)

var quiet = slog.New(slog.DiscardHandler)

// parted makes two stores that have had common messages, and then each some of its own.
func parted(t *testing.T, common, onMaster, onSlave int) (mo, so store.Options, at int64) {
	t.Helper()
	mo, so = options(disk.NewMemory(), true), options(disk.NewMemory(), true)
	master, slave := open(t, mo), open(t, so)
	if common > 0 {
		l := lead(t, master, LeaderOptions{Copies: 1})
		f := follow(t, slave, l, FollowerOptions{})
		at = put(t, master, 0, common)
		arrive(t, slave, at)
		f.Close()
		l.Close()
	}
	if onMaster > 0 {
		arrive(t, master, put(t, master, 10_000, onMaster))
	}
	if onSlave > 0 {
		arrive(t, slave, put(t, slave, 20_000, onSlave))
	}
	shut(t, master)
	shut(t, slave)
	return mo, so, at
}

// TestAdopt: a master takes what its slave has beyond its end, and then the slave follows it again.
func TestAdopt(t *testing.T) {
	mo, so, at := parted(t, 100, 0, 90)
	master, slave := open(t, mo), open(t, so)
	swapped := lead(t, slave, LeaderOptions{Copies: 1})
	addr := swapped.Addr().String()
	from, to, err := Adopt(t.Context(), FollowerOptions{Store: master, Logger: quiet, Master: func() string { return addr }, HeartbeatTime: 20 * time.Millisecond})
	if err != nil || from != at || to != slave.LogMax() {
		t.Fatalf("%d to %d, %v", from, to, err)
	}
	arrive(t, master, to)
	same(t, slave, master, 0)
	swapped.Close()
	l := lead(t, master, LeaderOptions{Copies: 1})
	follow(t, slave, l, FollowerOptions{})
	end := put(t, master, 300, 5)
	arrive(t, slave, end)
	arrive(t, master, end)
	same(t, master, slave, 0)
}

// TestAdoptNothing: from a log that is another one, or that begins later, nothing is taken.
func TestAdoptNothing(t *testing.T) {
	for _, c := range []struct {
		common, onMaster, onSlave int
		why                       string
	}{
		{20, 5, 9, bytesDiffer.String()},
		{20, 9, 0, slaveAhead.String()},
		{0, 9, 30, bytesDiffer.String()},
	} {
		mo, so, _ := parted(t, c.common, c.onMaster, c.onSlave)
		master, slave := open(t, mo), open(t, so)
		before := content(t, master, 0)
		swapped := lead(t, slave, LeaderOptions{Copies: 1})
		addr := swapped.Addr().String()
		_, _, err := Adopt(t.Context(), FollowerOptions{Store: master, Logger: quiet, Master: func() string { return addr }})
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%+v: %v", c, err)
		}
		if !bytes.Equal(content(t, master, 0), before) {
			t.Errorf("%+v: the log has changed", c)
		}
		swapped.Close()
	}
	mo, so, _ := parted(t, 10, 0, 300)
	master, slave := open(t, mo), open(t, so)
	slave.SetRetention(store.Retention{CommitLogMaxBytes: 3 * testSegment, WarningRatio: 100, DeleteIntervalMs: 1})
	if _, err := slave.CleanNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if slave.LogMin() <= master.LogMax() {
		t.Fatal("no test")
	}
	swapped := lead(t, slave, LeaderOptions{Copies: 1})
	addr := swapped.Addr().String()
	end := master.LogMax()
	if _, _, err := Adopt(t.Context(), FollowerOptions{Store: master, Logger: quiet, Master: func() string { return addr }}); err == nil || master.LogMax() != end {
		t.Errorf("%v, the log ends at %d of %d", err, master.LogMax(), end)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Adopt(ctx, FollowerOptions{Store: master, Logger: quiet, Master: func() string { return "" }}); err != context.Canceled {
		t.Errorf("%v", err)
	}
}

// TestCutAndFollow: a slave that has parted from its master finds where, cuts its log there, and follows again; what it had is saved.
func TestCutAndFollow(t *testing.T) {
	for _, c := range [][3]int{{100, 30, 20}, {100, 20, 30}, {100, 0, 30}, {0, 30, 20}, {50, 1, 1}, {900, 900, 900}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			mo, so, at := parted(t, c[0], c[1], c[2])
			master, slave := open(t, mo), open(t, so)
			l := lead(t, master, LeaderOptions{Copies: 1})
			p, err := Compare(t.Context(), slave, l.Addr().String())
			where := p.Same
			if err != nil || where != at {
				t.Fatalf("they part at %d, found %d, %v", at, where, err)
			}
			for _, side := range []struct {
				name     string
				tail     Tail
				end      int64
				messages int
			}{{"master", p.Other, master.LogMax(), c[1]}, {"slave", p.Mine, slave.LogMax(), c[2]}} {
				tail := side.tail
				if tail.From != at || tail.To != side.end || tail.Looked != side.end || tail.Messages != int64(side.messages) ||
					side.messages > 0 && (tail.First <= 0 || tail.Last < tail.First) || sum(tail.Topics) != tail.Messages {
					t.Errorf("the %s's: %+v, want %d messages up to %d", side.name, tail, side.messages, side.end)
				}
			}
			lost := content(t, slave, where)
			shut(t, slave)
			cut, err := store.CutTail(so, where, -1, "/saved")
			if err != nil || cut != int64(len(lost)) {
				t.Fatalf("%d bytes were cut of %d, %v", cut, len(lost), err)
			}
			f, err := so.FS.Open(fmt.Sprintf("/saved/%020d-%020d", where, where+cut), 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			saved := make([]byte, cut)
			if _, err := f.ReadAt(saved, 0); err != nil || !bytes.Equal(saved, lost) {
				t.Errorf("the copy is not what was cut: %v", err)
			}
			f.Close()
			slave = open(t, so)
			follow(t, slave, l, FollowerOptions{})
			end := put(t, master, 50_000, 5)
			arrive(t, slave, end)
			arrive(t, master, end)
			same(t, master, slave, 0)
		})
	}
}

func sum(by map[string]int64) (n int64) {
	for _, k := range by {
		n += k
	}
	return n
}

// TestCompareDamage: damage on either side is no other history, and logs that are the same are so to the end of the shorter one.
func TestCompareDamage(t *testing.T) {
	md, sd := disk.NewFaulty(), disk.NewFaulty()
	mo, so := options(md, true), options(sd, true)
	master, slave := open(t, mo), open(t, so)
	l := lead(t, master, LeaderOptions{Copies: 1})
	f := follow(t, slave, l, FollowerOptions{})
	at := put(t, master, 0, 900)
	arrive(t, slave, at)
	f.Close()
	l.Close()
	arrive(t, master, put(t, master, 900, 30))
	raw := content(t, master, 0)
	shut(t, master)
	shut(t, slave)
	for _, d := range []struct {
		disk *disk.Faulty
		at   int64
	}{{md, 1000}, {sd, 70_000}, {sd, 700_000}, {md, 900_001}} {
		if err := d.disk.FlipBit(fmt.Sprintf("/store/commitlog/%020d", d.at-d.at%testSegment), d.at%testSegment, 1); err != nil {
			t.Fatal(err)
		}
	}
	master, slave = open(t, mo), open(t, so)
	l = lead(t, master, LeaderOptions{Copies: 1})
	if p, err := Compare(t.Context(), slave, l.Addr().String()); err != nil || p.Same != at || p.Other.Messages != 30 || p.Mine.Messages != 0 {
		t.Errorf("the same to %d, found %+v, %v", at, p, err)
	}
	if len(raw) < 1_200_000 {
		t.Errorf("a log of %d bytes is no test", len(raw))
	}
	if n := len(l.Slaves()); n != 0 {
		t.Errorf("%d slaves", n)
	}
}
