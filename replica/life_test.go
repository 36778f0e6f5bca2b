package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestRestarts: slave and master close and come back in turns, and end with the same log.
func TestRestarts(t *testing.T) {
	for _, sync := range []bool{true, false} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			mo, so := options(disk.NewMemory(), sync), options(disk.NewMemory(), sync)
			var addr atomic.Pointer[string]
			none := ""
			addr.Store(&none)
			stored := 0
			for round := range 6 {
				master, slave := open(t, mo), open(t, so)
				l := lead(t, master, LeaderOptions{Copies: 1})
				at := l.Addr().String()
				addr.Store(&at)
				f := follow(t, slave, nil, FollowerOptions{Master: func() string { return *addr.Load() }})
				end := put(t, master, stored, 40)
				stored += 40
				if round%2 == 0 {
					arrive(t, slave, end)
				}
				if f.Close(); round == 3 {
					l.Close()
				}
				shut(t, slave)
				put(t, master, stored, 5)
				stored += 5
				l.Close()
				shut(t, master)
			}
			master, slave := open(t, mo), open(t, so)
			follow(t, slave, lead(t, master, LeaderOptions{Copies: 1}), FollowerOptions{})
			arrive(t, slave, master.LogMax())
			arrive(t, master, master.LogMax())
			same(t, master, slave, 0)
		})
	}
}

// TestMasterLosesPower: under SYNC_FLUSH a slave never has what its master can lose, whenever the power goes, and its own power may go
// too.
func TestMasterLosesPower(t *testing.T) {
	rng := rand.New(rand.NewSource(7))
	md, sd := disk.NewFaulty(), disk.NewFaulty()
	stored := 0
	for round := range 12 {
		master, slave := open(t, options(md, true)), open(t, options(sd, true))
		l := lead(t, master, LeaderOptions{Copies: 1})
		f := follow(t, slave, l, FollowerOptions{CatchUpBytes: int64(round % 3)}) // of none, of all, of nearly all
		eventually(t, "connected", func() bool { return f.State().Connected })
		n := 1 + rng.Intn(60)
		md.CrashAt(md.Ops() + 1 + rng.Intn(40))
		crashed := false
		for i := range n {
			m := &store.Message{Topic: []byte("T"), Body: fmt.Appendf(nil, "%d %s", stored+i, strings.Repeat("y", rng.Intn(3000))), BornTimestamp: 1}
			if _, err := master.Append(m); err != nil {
				crashed = !errors.Is(err, store.ErrFull)
				break
			}
			if rng.Intn(4) == 0 && master.Sendable().Wait(t.Context(), master.LogMax()) != nil {
				crashed = true
				break
			}
		}
		stored += n
		_ = crashed
		md.Stop()
		if round%2 == 1 {
			sd.Stop()
		}
		f.Close()
		l.Close()
		closeCrashed(master)
		closeCrashed(slave)
		md = md.Crash(rng)
		if round%2 == 1 {
			sd = sd.Crash(rng)
		}
		master, slave = open(t, options(md, true)), open(t, options(sd, true))
		if slave.LogMax() > master.LogMax() {
			t.Fatalf("round %d: the slave has %d bytes, the master kept %d", round, slave.LogMax(), master.LogMax())
		}
		l = lead(t, master, LeaderOptions{Copies: 1})
		f = follow(t, slave, l, FollowerOptions{CatchUpBytes: int64(round % 2)})
		arrive(t, slave, master.LogMax())
		torn := int64(0) // what the power took of the master's log between records that it kept is copied as it is
		for _, g := range master.Gaps() {
			torn += g.To - g.From
		}
		if st := f.State(); st.Refused != "" || st.DamagedBytes > torn {
			t.Fatalf("round %d: %+v, the master lost %d bytes between records", round, st, torn)
		}
		if !bytes.Equal(content(t, master, 0), content(t, slave, 0)) {
			t.Fatalf("round %d: the logs differ", round)
		}
		f.Close()
		l.Close()
		shut(t, slave)
		shut(t, master)
	}
}

func closeCrashed(s *store.Store) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = s.Close(ctx)
}

// TestDiverged: a slave with more than its master, and one with other bytes, are refused and reported by both sides, and neither loses
// a byte.
func TestDiverged(t *testing.T) {
	for _, c := range []struct {
		name              string
		onMaster, onSlave int
		segment           int64
		want              refusal
		otherFrom         int
	}{
		{name: "ahead", onMaster: 20, onSlave: 30, want: slaveAhead},
		{name: "other bytes", onMaster: 30, onSlave: 20, otherFrom: 1000, want: bytesDiffer},
		{name: "other segments", onMaster: 30, onSlave: 20, segment: 2 * testSegment, want: segmentsDiffer},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := func() time.Time { return time.UnixMilli(1_700_000_000_000) }
			mo, so := options(disk.NewMemory(), true), options(disk.NewMemory(), true)
			mo.Clock, so.Clock = clock, clock
			if c.segment > 0 {
				so.SegmentBytes = c.segment
			}
			mw, sw := &warnings{}, &warnings{}
			master, slave := open(t, mo), open(t, so)
			me, se := put(t, master, 0, c.onMaster), put(t, slave, c.otherFrom, c.onSlave)
			arrive(t, master, me)
			arrive(t, slave, se)
			mb, sb := content(t, master, 0), content(t, slave, 0)
			l := lead(t, master, LeaderOptions{Copies: 2, Logger: slog.New(mw)})
			f := follow(t, slave, l, FollowerOptions{Logger: slog.New(sw), RetryTime: time.Millisecond})
			eventually(t, "refused a few times", func() bool { r := l.Refusals(); return len(r) == 1 && r[0].Times > 3 })
			if r := l.Refusals()[0]; r.Why != c.want.String() || r.Offset != se {
				t.Errorf("%+v", r)
			}
			if st := f.State(); st.Refused != c.want.String() || st.Connected || st.Offset != se || st.MasterOffset < me {
				t.Errorf("%+v", st)
			}
			if len(l.Slaves()) != 0 || l.Agreed().InStep != 1 {
				t.Error("a refused slave counts")
			}
			f.Close()
			l.Close() // whoever had something to say has said it
			if n, m := mw.count("slave refused"), sw.count("until somebody decides"); n != 1 || m != 1 {
				t.Errorf("said %d and %d times", n, m)
			}
			if !bytes.Equal(content(t, master, 0), mb) || !bytes.Equal(content(t, slave, 0), sb) {
				t.Error("a log has changed")
			}
		})
	}
}

// TestBehindTheOldest: a slave whose end the master has deleted goes on where the master's log begins, and says what it gave up; its
// queues answer for what is gone as those of a log that was deleted.
func TestBehindTheOldest(t *testing.T) {
	for _, empty := range []bool{true, false} {
		t.Run(fmt.Sprintf("empty=%v", empty), func(t *testing.T) {
			mo, so := options(disk.NewMemory(), true), options(disk.NewMemory(), true)
			master, slave := open(t, mo), open(t, so)
			w := &warnings{}
			l := lead(t, master, LeaderOptions{Copies: 1})
			end := put(t, master, 0, 60)
			if !empty {
				f := follow(t, slave, l, FollowerOptions{})
				arrive(t, slave, end)
				f.Close()
			}
			was := slave.LogMax()
			end = put(t, master, 60, 300)
			arrive(t, master, end)
			master.SetRetention(store.Retention{CommitLogMaxBytes: 3 * testSegment, WarningRatio: 100, DeleteIntervalMs: 1})
			if _, err := master.CleanNow(t.Context()); err != nil {
				t.Fatal(err)
			}
			low := master.LogMin()
			if low <= was {
				t.Fatalf("the master's log begins at %d, the slave's ends at %d: no test", low, was)
			}
			follow(t, slave, l, FollowerOptions{Logger: slog.New(w)})
			end = put(t, master, 360, 30)
			arrive(t, slave, end)
			arrive(t, master, end)
			if slave.LogMin() != low || w.count("gives up its log") != map[bool]int{true: 0, false: 1}[empty] {
				t.Errorf("the slave's log begins at %d, the master's at %d; %v", slave.LogMin(), low, w.text)
			}
			same(t, master, slave, low)
			for _, q := range slave.Queues() {
				a, b := master.MinOffset([]byte(q.Topic), q.QueueID), slave.MinOffset([]byte(q.Topic), q.QueueID)
				if a != b {
					t.Errorf("%v begins at %d, the master's at %d", q, b, a)
				}
				want := store.Want{Topic: []byte(q.Topic), QueueID: q.QueueID, MaxMessages: 32}
				if _, f, err := slave.Read(&want, nil); err != nil || f.Status != store.StatusOffsetTooSmall || f.NextOffset != b {
					t.Errorf("%v at 0: %v %d, %v", q, f.Status, f.NextOffset, err)
				}
			}
			shut(t, slave)
			again := open(t, so)
			same(t, master, again, low)
		})
	}
}

// TestDamagedMaster: bytes that are damaged on the master go as they are; the slave keeps step, gives them to nobody, and has every
// other message.
func TestDamagedMaster(t *testing.T) {
	disks := disk.NewFaulty()
	mo := options(disks, true)
	master := open(t, mo)
	end := put(t, master, 0, 100)
	arrive(t, master, end)
	raw := content(t, master, 0)
	// One bit in a body, one in a size, one in a magic number, in three records of the first segments.
	var hit [][2]int64
	at := int64(0)
	for i := 0; len(hit) < 3; i++ {
		var r record.Record
		if r.Parse(raw[at:]) != nil {
			at = at - at%testSegment + testSegment
			continue
		}
		to := at + int64(r.TotalSize)
		if i%10 == 5 {
			off := []int64{200, 1, 5}[len(hit)]
			if err := disks.FlipBit(fmt.Sprintf("/store/commitlog/%020d", at-at%testSegment), at%testSegment+min(off, to-at-60), 3); err != nil {
				t.Fatal(err)
			}
			hit = append(hit, [2]int64{at, to})
		}
		at = to
	}
	damaged := content(t, master, 0)
	if bytes.Equal(raw, damaged) {
		t.Fatal("nothing is damaged")
	}
	slave := open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 1})
	f := follow(t, slave, l, FollowerOptions{})
	arrive(t, slave, end)
	if !bytes.Equal(content(t, slave, 0), damaged) {
		t.Error("the logs differ")
	}
	gaps := slave.Gaps()
	if len(gaps) != len(hit) {
		t.Errorf("gaps %v, want %v", gaps, hit)
	}
	for i := range min(len(gaps), len(hit)) {
		if gaps[i].From != hit[i][0] || gaps[i].To != hit[i][1] {
			t.Errorf("gap %d to %d, want %v", gaps[i].From, gaps[i].To, hit[i])
		}
	}
	if st := f.State(); st.DamagedBytes != hit[0][1]-hit[0][0]+hit[1][1]-hit[1][0]+hit[2][1]-hit[2][0] {
		t.Errorf("%+v, want those of %v", st, hit)
	}
	n := 0
	for _, q := range slave.Queues() {
		for rest := messages(t, slave, q, slave.MinOffset([]byte(q.Topic), q.QueueID), slave.MaxOffset([]byte(q.Topic), q.QueueID)); len(rest) > 0; n++ {
			var r record.Record
			if err := r.Parse(rest); err != nil || r.Verify(rest[:r.TotalSize]) != nil {
				t.Fatal("a damaged message was given out")
			}
			rest = rest[r.TotalSize:]
		}
	}
	if n != 97 {
		t.Errorf("%d messages of 97", n)
	}
}

// TestPromoted: a slave that becomes a master goes on with the queue offsets of the old one.
func TestPromoted(t *testing.T) {
	master, slave := open(t, options(disk.NewMemory(), true)), open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 1})
	f := follow(t, slave, l, FollowerOptions{})
	end := put(t, master, 0, 30)
	arrive(t, slave, end)
	f.Close()
	want := slave.MaxOffset([]byte("T0"), 0)
	p, err := slave.Append(&store.Message{Topic: []byte("T0"), Body: []byte("mine"), BornTimestamp: 1})
	if err != nil || p.QueueOffset != want || p.PhysicalOffset != end {
		t.Errorf("%+v, %v; the queue had %d", p, err, want)
	}
	arrive(t, slave, p.End)
	if slave.MaxOffset([]byte("T0"), 0) != want+1 {
		t.Error("it is not in its queue")
	}
}
