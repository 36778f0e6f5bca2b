package replica

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/store"
	"ringmq/store/disk"
	"ringmq/store/record"
)

// TestConfirm: with two copies asked nothing is visible before the slave has it, then everything is.
func TestConfirm(t *testing.T) {
	for _, sync := range []bool{true, false} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			master := open(t, options(disk.NewMemory(), sync))
			var changes atomic.Int64
			l := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: time.Hour, Changed: func() { changes.Add(1) }})
			if a := l.Agreed(); a.Enough || a.InStep != 1 || a.Refuses {
				t.Fatalf("alone: %+v", a)
			}
			// Alone: what the master has is confirmed.
			end := put(t, master, 0, 5)
			arrive(t, master, end)
			p := dial(t, l)
			p.report(end)
			agreed(t, l, "enough copies", func(a Agreement) bool { return a.Enough })
			eventually(t, "told", func() bool { return changes.Load() > 0 }) // after it is in force
			// The slave says nothing of the next ones: they are safe here, and not visible.
			was := end
			end = put(t, master, 5, 20)
			if err := master.Sendable().Wait(t.Context(), end); err != nil {
				t.Fatal(err)
			}
			if v := master.Visible().Load(); v != was {
				t.Errorf("visible to %d, the slave has acknowledged %d", v, was)
			}
			// It acknowledges, up to the middle of a record: whole records become visible.
			go discard(p)
			eventually(t, "sent", func() bool { return l.Slaves()[0].SentOffset == end })
			p.report(end - 10)
			eventually(t, "visible as far as acknowledged", func() bool { return master.Visible().Load() == end-10 })
			eventually(t, "whole records are in their queues", func() bool { return count(master) == 24 })
			if gaps := master.Gaps(); len(gaps) != 0 {
				t.Errorf("%v", gaps)
			}
			if a := l.Agreed(); !a.Enough || a.Offset != end-10 || a.InStep != 2 {
				t.Errorf("%+v", a)
			}
			// It goes: at once the master is alone, and consumers go on.
			p.conn.Close()
			eventually(t, "alone again", func() bool { return !l.Agreed().Enough && len(l.Slaves()) == 0 })
			arrive(t, master, end)
			arrive(t, master, put(t, master, 30, 5))
		})
	}
}

// TestSilentSlave: a slave that falls silent leaves, so that consumers go on, and counts again once it has caught up.
func TestSilentSlave(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	const timeout = 200 * time.Millisecond
	w := &warnings{}
	l := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: timeout, Logger: slog.New(w)})
	end := put(t, master, 0, 5)
	arrive(t, master, end)
	p := dial(t, l)
	p.report(end)
	go discard(p)
	agreed(t, l, "enough copies", func(a Agreement) bool { return a.Enough })
	began := time.Now()
	end = put(t, master, 5, 5)
	eventually(t, "consumers go on", func() bool { return master.Visible().Load() == end })
	if d := time.Since(began); d < timeout {
		t.Errorf("they went on after %v", d)
	}
	eventually(t, "it is said again", func() bool { return w.count(tooFewCopies) > 1 }) // after what it says is in force
	a := l.Agreed()
	if a.Enough || a.InStep != 1 || a.Since <= 0 || a.Since > l.Uptime() {
		t.Errorf("%+v, %v", a, w.text)
	}
	end = put(t, master, 10, 5)
	arrive(t, master, end)
	eventually(t, "sent", func() bool { return l.Slaves()[0].SentOffset == end })
	p.report(end)
	eventually(t, "in step again", func() bool { a := l.Agreed(); return a.Enough && a.Offset == end && l.Slaves()[0].InStep })
	if n := l.FellOut(); n != 1 {
		t.Errorf("it fell out of step %d times", n)
	}
	p.conn.Close()
	eventually(t, "counted when it goes", func() bool { return l.FellOut() == 2 })
}

func discard(p *peer) {
	b := make([]byte, 4096)
	for {
		if _, err := p.conn.Read(b); err != nil {
			return
		}
	}
}

// count is how many messages are in queues.
func count(s *store.Store) (n int64) {
	for _, q := range s.Queues() {
		n += s.MaxOffset([]byte(q.Topic), q.QueueID)
	}
	return n
}

// TestFarBehind: a slave that is further behind than the bound does not count, however often it speaks.
func TestFarBehind(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	w := &warnings{}
	l := lead(t, master, LeaderOptions{Copies: 2, MinCopies: 2, MaxGapBytes: 20 << 10, SlaveTimeout: time.Hour, Logger: slog.New(w)})
	eventually(t, "what becomes of sends is said", func() bool { return w.count("sends are refused") == 1 })
	if !l.Agreed().Refuses {
		t.Error("sends are taken with fewer copies than the least")
	}
	end := put(t, master, 0, 5)
	arrive(t, master, end)
	p := dial(t, l)
	p.report(end)
	go discard(p)
	agreed(t, l, "in step", func(a Agreement) bool { return a.Enough && !a.Refuses })
	end = put(t, master, 5, 40)
	eventually(t, "out of step", func() bool { a := l.Agreed(); return !a.Enough && a.Refuses })
	arrive(t, master, end)
}

// TestConfirmPipelined: with a slave of ours everything is confirmed, thousands at a time, and what Agreed says is true of every record
// at the moment it becomes visible.
func TestConfirmPipelined(t *testing.T) {
	for _, sync := range []bool{true, false} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			master, slave := open(t, fileOptions(t, 1<<20)), open(t, fileOptions(t, 1<<20))
			l := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: time.Minute})
			follow(t, slave, l, FollowerOptions{})
			agreed(t, l, "enough copies", func(a Agreement) bool { return a.Enough })
			var wrong atomic.Int64
			cancel := master.Visible().Subscribe(func(v int64, err error) {
				if a := l.Agreed(); !a.Enough || a.Offset < v || slave.Sendable().Load() < v {
					wrong.Add(1)
				}
			})
			defer cancel()
			end := put(t, master, 0, 1500)
			arrive(t, master, end)
			if wrong.Load() != 0 {
				t.Errorf("%d times something was visible that the slave did not have", wrong.Load())
			}
			arrive(t, slave, end)
			same(t, master, slave, 0)
		})
	}
}

// TestAgreementStays: whatever slaves come, acknowledge, fall behind and leave, Offset is exactly how far enough copies have had the log at some time. An
// answer's code is made of it after its record has become visible, perhaps when those who copied it have left: none is 0 without its
// copies, and none has to be another one that had them.
func TestAgreementStays(t *testing.T) {
	for seed := range int64(20) {
		agreementStays(t, seed)
	}
}

func agreementStays(t *testing.T, seed int64) {
	t.Helper()
	rng := rand.New(rand.NewSource(seed))
	master := open(t, options(disk.NewMemory(), true))
	copies := 2 + rng.Intn(2)
	l := lead(t, master, LeaderOptions{Copies: copies, SlaveTimeout: time.Hour, MaxGapBytes: 1 << 40})
	var ends []int64
	had := map[int64]bool{} // by end of record
	type peer struct {
		*slave
		acked int64
	}
	var peers []peer
	defer func() { // they have no connections that could be closed
		for _, p := range peers {
			l.leave(p.slave)
		}
	}()
	for range 200 {
		end := master.Sendable().Load()
		switch rng.Intn(5) {
		case 0:
			end = put(t, master, len(ends), 1)
			ends = append(ends, end)
			if err := master.Sendable().Wait(t.Context(), end); err != nil {
				t.Fatal(err)
			}
			l.mu.Lock()
			for _, p := range peers {
				p.progress.send(end, l.Uptime())
			}
			l.mu.Unlock()
		case 1: // one comes, with a part of the log
			p := peer{&slave{l: l, addr: "127.0.0.1:1", wake: make(chan struct{}, 1)}, rng.Int63n(end + 1)}
			peers = append(peers, p)
			l.mu.Lock()
			l.peers[p.slave] = struct{}{}
			l.mu.Unlock()
			l.join(p.slave, p.acked, p.acked)
			l.mu.Lock()
			p.progress.send(end, l.Uptime())
			l.mu.Unlock()
		case 2: // one leaves
			if len(peers) > 0 {
				i := rng.Intn(len(peers))
				l.leave(peers[i].slave)
				peers = slices.Delete(peers, i, i+1)
			}
		default:
			if len(peers) > 0 {
				p := &peers[rng.Intn(len(peers))]
				p.acked += rng.Int63n(end - p.acked + 1)
				if !p.acknowledge(p.acked) {
					t.Fatal("no report:", p.acked, end)
				}
			}
		}
		l.mu.Lock()
		l.judge()
		l.mu.Unlock()
		for _, e := range ends {
			n := 1
			for _, p := range peers {
				if p.acked >= e {
					n++
				}
			}
			had[e] = had[e] || n >= copies
			if got := l.Agreed().Offset >= e; got != had[e] {
				t.Fatalf("seed %d: a record that ends at %d had %d copies at some time: %v; agreed to %d", seed, e, copies, had[e], l.Agreed().Offset)
			}
		}
	}
}

// TestConfirmAuto: as many copies as are in step.
func TestConfirmAuto(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 3, MinCopies: 1, Auto: true, SlaveTimeout: time.Minute})
	if a := l.Agreed(); !a.Enough || a.Offset != math.MaxInt64 {
		t.Errorf("alone: %+v", a)
	}
	arrive(t, master, put(t, master, 0, 5))
	slave := open(t, options(disk.NewMemory(), true))
	f := follow(t, slave, l, FollowerOptions{})
	agreed(t, l, "two copies", func(a Agreement) bool { return a.InStep == 2 && a.Offset == master.LogMax() })
	end := put(t, master, 5, 5)
	arrive(t, master, end)
	if slave.Sendable().Load() < end {
		t.Error("visible before the slave in step had it")
	}

	// Alone again one is enough; that it was is true of those records also when another slave is in step.
	f.Close()
	eventually(t, "alone again", func() bool { return l.Agreed().Offset == math.MaxInt64 })
	end = put(t, master, 10, 5)
	arrive(t, master, end)
	p := dial(t, l)
	p.report(end - 10)
	go discard(p)
	eventually(t, "it is sent the rest", func() bool { s := l.Slaves(); return len(s) == 1 && s[0].SentOffset == end })
	joined := end
	end = put(t, master, 15, 5)
	arrive(t, master, end)
	p.report(joined)
	eventually(t, "in step", func() bool { return l.Agreed().InStep == 2 })
	if a := l.Agreed(); a.Offset != end {
		t.Errorf("%+v, and one copy was enough up to %d", a, end)
	}
}

// TestCloseWithUnconfirmed: what waits for copies when the leader ends stays unconfirmed, the store closes all the same, and the next
// start has it.
func TestCloseWithUnconfirmed(t *testing.T) {
	o := options(disk.NewMemory(), true)
	master := open(t, o)
	l := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: time.Hour})
	end := put(t, master, 0, 5)
	arrive(t, master, end)
	p := dial(t, l)
	p.report(end)
	go discard(p)
	agreed(t, l, "enough copies", func(a Agreement) bool { return a.Enough })
	last := put(t, master, 5, 5)
	if err := master.Sendable().Wait(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if v := master.Visible().Load(); v != end {
		t.Errorf("visible to %d, confirmed to %d", v, end)
	}
	shut(t, master)
	again := open(t, o)
	arrive(t, again, last)
	if n := count(again); n != 10 {
		t.Errorf("%d messages of 10", n)
	}
}

// TestAllocations: asking costs nothing.
func TestAllocations(t *testing.T) {
	master := open(t, options(disk.NewMemory(), true))
	l := lead(t, master, LeaderOptions{Copies: 2})
	if n := testing.AllocsPerRun(100, func() { _ = l.Agreed() }); n != 0 {
		t.Errorf("Agreed allocates %v times", n)
	}
}

// TestRecordsStayWhole: reports in the middle of records never show half of one.
func TestRecordsStayWhole(t *testing.T) {
	master := open(t, options(disk.NewMemory(), false))
	l := lead(t, master, LeaderOptions{Copies: 2, SlaveTimeout: time.Hour})
	end := put(t, master, 0, 1)
	arrive(t, master, end)
	p := dial(t, l)
	p.report(end)
	agreed(t, l, "enough copies", func(a Agreement) bool { return a.Enough })
	put(t, master, 1, 20)
	if err := master.Sendable().Wait(t.Context(), master.LogMax()); err != nil {
		t.Fatal(err)
	}
	go discard(p)
	eventually(t, "sent", func() bool { return l.Slaves()[0].SentOffset == master.LogMax() })
	for at := end; at < master.LogMax(); at += 333 {
		p.report(at)
		eventually(t, "confirmed", func() bool { return master.Visible().Load() == at })
	}
	p.report(master.LogMax())
	arrive(t, master, master.LogMax())
	for _, q := range master.Queues() {
		for rest := messages(t, master, q, 0, master.MaxOffset([]byte(q.Topic), q.QueueID)); len(rest) > 0; {
			size, _ := record.Header(rest)
			if int(size) > len(rest) {
				t.Fatal("half a message")
			}
			rest = rest[size:]
		}
	}
	if count(master) != 21 || len(master.Gaps()) != 0 {
		t.Errorf("%d messages, gaps %v", count(master), master.Gaps())
	}
}
