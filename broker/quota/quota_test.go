package quota

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
)

// limited is a limit of one kind.
func limited(k Kind, perSecond int64, enforced bool) *Limits {
	l := &Limits{Enforced: enforced}
	l.PerSecond[k] = perSecond
	return l
}

func one(k Kind, n int64) *Counts {
	var c Counts
	c[k] = n
	return &c
}

// table is one whose words are kept.
func table() (*Table, *bytes.Buffer) {
	log := &bytes.Buffer{}
	return NewTable(slog.New(slog.NewTextHandler(log, nil))), log
}

func lines(log *bytes.Buffer, text string) (n int) {
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// greedy is a connection that uses as much as it may: so much at a time, and waits as it is told.
type greedy struct {
	c    *Client
	next time.Duration // when it asks again
	used int64
}

func (g *greedy) turn(k Kind, n int64, l *Limits, now time.Duration) {
	for now >= g.next {
		wait := g.c.SendWait(l, now)
		if k == PullBytes {
			wait = g.c.PullWait(l, now)
		}
		if wait > 0 {
			g.next = now + wait
			return
		}
		g.used += n
		g.c.Charge(one(k, n), l, now)
	}
}

// TestLimitHolds the rate within a tenth over ten seconds, however large what is asked for at once is, however many connections a client
// has, and whether the limit is of messages or bytes.
func TestLimitHolds(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		each, limit int64
		conns       int
		step        time.Duration
	}{
		{SendMessages, 1, 1000, 1, time.Millisecond}, {SendMessages, 1, 1000, 2, time.Millisecond}, {SendMessages, 1, 50_000, 7, 100 * time.Microsecond},
		{SendMessages, 32, 1000, 3, time.Millisecond}, {SendMessages, 1, 10, 1, time.Millisecond}, {SendBytes, 1500, 1 << 20, 2, time.Millisecond},
		{PullBytes, 256 << 10, 4 << 20, 2, time.Millisecond}, {PullBytes, 4 << 20, 4 << 20, 1, 3 * time.Millisecond},
	} {
		tab, _ := table()
		l := limited(c.kind, c.limit, true)
		began := time.Hour
		var all []*greedy
		for range c.conns {
			all = append(all, &greedy{c: tab.Join("one", began, nil)})
		}
		for now := began; now < began+10*time.Second; now += c.step {
			for _, g := range all {
				g.turn(c.kind, c.each, l, now)
			}
		}
		used := int64(0)
		for _, g := range all {
			used += g.used
		}
		if want := 10 * c.limit; math.Abs(float64(used-want)) > float64(want)/10 {
			t.Errorf("%+v: %d in ten seconds, want %d", c, used, want)
		}
	}
}

// TestBurst: who has been idle may use a second's worth at once, and no more; who has just come has saved nothing.
func TestBurst(t *testing.T) {
	tab, _ := table()
	l := limited(SendMessages, 100, true)
	g := &greedy{c: tab.Join("one", time.Hour, nil)}
	g.turn(SendMessages, 1, l, time.Hour)
	if g.used != 1 {
		t.Fatal("a newcomer used", g.used)
	}
	for _, idle := range []time.Duration{time.Minute, time.Hour} {
		g.used = 0
		g.turn(SendMessages, 1, l, 2*time.Hour+idle)
		if g.used != 101 {
			t.Fatal(g.used, "after", idle)
		}
		g.next = 0
	}
}

// TestWaitsAreBounded: a single wait is between ten milliseconds and a second, and nobody owes more than ten seconds.
func TestWaitsAreBounded(t *testing.T) {
	tab, _ := table()
	now := time.Hour
	l := limited(SendBytes, 1, true)
	c := tab.Join("one", now, nil)
	c.Charge(one(SendBytes, math.MaxInt64), l, now)
	waited := time.Duration(0)
	for {
		wait := c.SendWait(l, now+waited)
		if wait == 0 {
			break
		}
		if wait < shortest || wait > longest {
			t.Fatal(wait)
		}
		waited += wait
	}
	if waited < MaxDebt || waited > MaxDebt+longest {
		t.Fatal(waited)
	}
	c.Charge(one(SendBytes, 1), l, 2*now)
	if wait := c.SendWait(limited(SendBytes, 0, true), 2*now); wait != 0 {
		t.Fatal("without a limit", wait)
	}
}

// TestToldOnce: one line when a client comes above a limit, one when it has been below for a while, none in between; whether the limit is
// enforced or not.
func TestToldOnce(t *testing.T) {
	for _, enforced := range []bool{false, true} {
		tab, log := table()
		l := limited(SendMessages, 100, enforced)
		now := time.Hour
		tab.Tick(now, l)
		c := tab.Join("10.0.0.7@1", now, nil)
		second := func(n int64) {
			c.Add(one(SendMessages, n))
			if enforced && n > 100 {
				c.Charge(one(SendMessages, 200), l, now)
				c.SendWait(l, now)
			}
			now += time.Second
			tab.Tick(now, l)
		}
		for range 5 {
			second(100)
		}
		if log.Len() > 0 || tab.Over() != (Counts{}) {
			t.Fatal(log.String())
		}
		for range 20 {
			second(250)
			second(99)
		}
		if n := lines(log, "client is over its quota"); n != 1 || tab.Over() != *one(SendMessages, 1) {
			t.Fatal(log.String())
		}
		if want := "client=10.0.0.7@1 key=clientSendMaxMessagesPerSecond limit=100 perSecond=250 action=" + map[bool]string{false: "log", true: "limit"}[enforced]; lines(log, want) != 1 {
			t.Fatal(log.String(), want)
		}
		for range 20 {
			second(10)
		}
		if lines(log, "within its quota again") != 1 || lines(log, "mostPerSecond=250 seconds=43") != 1 || lines(log, "") != 2 || tab.Over() != (Counts{}) {
			t.Fatal(log.String())
		}
		second(250)
		l.PerSecond[SendMessages] = 0
		second(10)
		if lines(log, "") != 4 {
			t.Fatal("a limit that was taken away:", log.String())
		}
	}
}

// TestTickTwice: a second look in the same moment finds nothing new.
func TestTickTwice(t *testing.T) {
	tab, log := table()
	l := limited(SendMessages, 100, false)
	tab.Tick(time.Second, l)
	c := tab.Join("c", time.Second, nil)
	c.Add(one(SendMessages, 50))
	tab.Tick(time.Second, l)
	tab.Tick(2*time.Second, l)
	if log.Len() > 0 {
		t.Fatal(log.String())
	}
}

// TestManyNames: who calls himself otherwise again and again, or has thousands of names, takes bounded memory and few lines, and does not get
// rid of what he owes.
func TestManyNames(t *testing.T) {
	tab, log := table()
	l := limited(SendMessages, 10, true)
	now := time.Hour
	c := tab.Join("first", now, nil)
	sent := int64(0)
	for i := range 100_000 {
		if c.SendWait(l, now) == 0 {
			c.Charge(one(SendMessages, 1), l, now)
			c.Add(one(SendMessages, 1))
			sent++
		}
		next := tab.Join(fmt.Sprint("name", i), now, c)
		tab.Leave(c, now)
		c = next
		now += 100 * time.Microsecond // ten seconds in all
		if i%10_000 == 0 {
			tab.Tick(now, l)
		}
		if n := tab.Len(); n > maxIdle+1 {
			t.Fatal(n, "clients of one connection")
		}
	}
	if sent > 110 {
		t.Errorf("%d messages in ten seconds, the limit is 10", sent)
	}
	if n := lines(log, ""); n > 11*(maxLines+1) {
		t.Error(n, "lines")
	}
	var many []*Client
	for i := range 20_000 {
		many = append(many, tab.Join(fmt.Sprint("other", i), now, nil))
	}
	tab.Tick(now, l)
	for _, m := range many {
		tab.Leave(m, now)
	}
	tab.Leave(c, now)
	if n := tab.Len(); n > maxIdle {
		t.Error(n, "without a connection")
	}
	for range 30 {
		now += time.Second
		tab.Tick(now, l)
	}
	if n := tab.Len(); n != 0 || tab.idle != 0 {
		t.Error(n, "are never forgotten;", tab.idle)
	}
}

// TestComeAgain: a client that was gone for a moment is the same.
func TestComeAgain(t *testing.T) {
	tab, _ := table()
	l := limited(SendMessages, 10, true)
	now := time.Hour
	c := tab.Join("c", now, nil)
	c.Charge(one(SendMessages, 50), l, now)
	tab.Leave(c, now)
	tab.Tick(now+time.Second, l)
	if again := tab.Join("c", now+time.Second, nil); again != c || again.SendWait(l, now+time.Second) != longest {
		t.Error("it owes nothing any more")
	}
	if stranger := tab.Join("d", now, nil); stranger.SendWait(l, now) != 0 {
		t.Error("a stranger owes something")
	}
	used := map[string]int64{}
	c.Add(one(PullBytes, 7))
	tab.Each(func(name string, _ int64, n *Counts) { used[name] = n[PullBytes] })
	if len(used) != 2 || used["c"] != 7 {
		t.Error(used)
	}
}

// TestSharedByGoroutines, under the race detector.
func TestSharedByGoroutines(t *testing.T) {
	tab, _ := table()
	l := limited(SendMessages, 1_000_000, true)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 2000 {
				now := time.Duration(i) * time.Millisecond
				c := tab.Join(fmt.Sprint(i%5), now, nil)
				c.Charge(one(SendMessages, 1), l, now)
				c.SendWait(l, now)
				c.Add(one(SendMessages, 1))
				if i%100 == 0 {
					tab.Tick(now, l)
				}
				tab.Leave(c, now)
			}
		})
	}
	all.Wait()
	sum := int64(0)
	tab.Each(func(_ string, _ int64, n *Counts) { sum += n[SendMessages] })
	if sum != 8000 {
		t.Error(sum)
	}
}

// TestLooksHoldNobodyUp: connections come and go while all clients are looked at, and who is forgotten meanwhile is forgotten once.
func TestLooksHoldNobodyUp(t *testing.T) {
	tab, _ := table()
	now := time.Hour
	for i := range 3 * atOnce {
		tab.Leave(tab.Join(fmt.Sprint("gone", i), now, nil), now)
	}
	for i := range 10 {
		tab.Join(fmt.Sprint("here", i), now, nil)
	}
	looked := 0
	tab.Each(func(string, int64, *Counts) {
		if looked++; !tab.mu.TryLock() {
			t.Fatal("nobody can come")
		}
		tab.mu.Unlock()
	})
	if looked != 3*atOnce+10 {
		t.Fatal(looked)
	}
	all := append([]*Client(nil), tab.list...)
	later := now + idleTime + time.Second
	tab.forgetIdle(all, later)
	tab.forgetIdle(all, later) // as one that has seen them before they went
	if n := tab.Len(); n != 10 || tab.idle != 0 {
		t.Fatal(n, "are left,", tab.idle, "of them without a connection")
	}
}

func TestNothingIsAllocated(t *testing.T) {
	tab, _ := table()
	l := limited(SendMessages, 1000, true)
	c := tab.Join("c", 0, nil)
	n := Counts{SendMessages: 1, SendBytes: 1000}
	now := time.Duration(0)
	if allocs := testing.AllocsPerRun(1000, func() {
		now += time.Microsecond
		c.SendWait(l, now)
		c.PullWait(l, now)
		c.Charge(&n, l, now)
		c.Add(&n)
	}); allocs != 0 {
		t.Error(allocs)
	}
}

// BenchmarkEnforced is what a message costs more while limits are enforced.
func BenchmarkEnforced(b *testing.B) {
	tab, _ := table()
	l := &Limits{PerSecond: Counts{1 << 40, 1 << 40, 1 << 40}, Enforced: true}
	c := tab.Join("c", 0, nil)
	n := Counts{SendMessages: 1, SendBytes: 1000}
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += time.Microsecond
		if c.SendWait(l, now) != 0 {
			b.Fatal("slowed")
		}
		c.Charge(&n, l, now)
	}
}

// BenchmarkTick is a look at ten thousand clients.
func BenchmarkTick(b *testing.B) {
	tab, _ := table()
	l := &Limits{}
	for i := range 10_000 {
		tab.Join(fmt.Sprint(i), 0, nil)
	}
	now := time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += time.Second
		tab.Tick(now, l)
	}
}
