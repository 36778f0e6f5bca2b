package broker

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/broker/lag"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
)

// TestLagOfSlowLog judges figures.
func TestLagOfSlowLog(t *testing.T) {
	t.Parallel()
	const far = 100 << 20
	for _, one := range []struct {
		end, safe, seen, queued int64
		disk, slaves, queues    time.Duration
		slave, want             string
	}{
		{far, far, far, far, 0, 0, 0, "", ""},
		{far, far, far, far, 0, 0, 0, "a slave", ""}, // behind, and nobody waits for it
		{far, far, 1, 1, 0, 0, 0, "a slave", lag.ReplicationSlow},
		{far, 1, 1, 1, 0, 0, 0, "", lag.BrokerSlow},
		{far, far, far, 1, 0, 0, 0, "", lag.BrokerSlow},
		{10, 1, 1, 1, 10 * time.Second, 0, 0, "a slave", lag.BrokerSlow}, // few bytes, for long
		{10, 10, 1, 1, 0, 10 * time.Second, 0, "a slave", lag.ReplicationSlow},
		{10, 10, 10, 1, 0, 0, 10 * time.Second, "a slave", lag.BrokerSlow},
		{10, 1, 1, 1, time.Second, time.Second, time.Second, "a slave", ""},
	} {
		l := logState{end: one.end, safe: one.safe, seen: one.seen, queued: one.queued}
		l.waits.disk, l.waits.slaves, l.waits.queues = one.disk, one.slaves, one.queues
		got := l.slow(one.slave)
		if got.cause != one.want || got.hides != (one.want != "") || (one.want != "") != (len(got.evidence) > 0) {
			t.Errorf("%+v: %+v, want %s", one, got, one.want)
		}
	}
}

// TestLagOfStalledDisk: the disk takes no writes. What producers have sent nobody can consume; a member that has consumed all that there is to see
// is not to blame, and one that has not is.
func TestLagOfStalledDisk(t *testing.T) {
	t.Parallel()
	f := disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, alterStore: func(o *store.Options) { o.FS = f }}, func(b *Broker) { b.lags.every = time.Hour }, "flushDiskType=SYNC_FLUSH", "syncFlushTimeout=3600000", "lagAlarmMessages=5", "lagAlarmHoldMs=0")
	l := &lagRig{rig: r, c: r.dial(), w: r.broker.lags, now: time.Now()}
	l.makeTopic()
	l.join()
	l.send(20)
	l.commit(0, 10)
	l.commit(1, 10)
	l.turn(0)
	wantCause(t, l.state(), lag.None)
	reached, release := stall(f)
	t.Cleanup(release)
	var waits []<-chan *remoting.Command
	for i := range 10 {
		waits = append(waits, l.c.start(sendTo("T", i%2, "", "x")))
	}
	<-reached
	r.parkedNow(10)
	l.turn(lagLookEvery)
	wantCause(t, l.state(), lag.None) // it has not taken long yet
	news := l.turn(lagLookEvery)
	wantCause(t, l.state(), lag.BrokerSlow, "bytes of the log are not on disk yet (engine pwrite), for 10s at least")
	if s := l.state(); len(news) != 1 || s.Diff != 10 || s.BehindMs != lagLookEvery.Milliseconds() {
		t.Errorf("%+v, %d alarms", s, len(news))
	}
	l.turn(2 * time.Minute)
	wantCause(t, l.state(), lag.BrokerSlow, "for 2m10s at least")
	standsStill := func() string {
		var table remoting.KVTable
		if err := remoting.Unmarshal(l.c.call(request(remoting.CodeGetBrokerRuntimeInfo, "diskEngine", true)).Body, &table); err != nil {
			t.Fatal(err)
		}
		return table.Table["logStandsStillMs"]
	}
	until(t, "an operator's command is told", func() bool { v, err := strconv.Atoi(standsStill()); return err == nil && v > 0 })
	release()
	for _, w := range waits {
		want(t, await(t, w), 0, "")
	}
	until(t, "that it is over", func() bool { return standsStill() == "0" })
	r.visibleMax("T", 0, 15)
	r.visibleMax("T", 1, 15)
	l.turn(lagLookEvery)
	l.turn(2 * time.Minute)
	wantCause(t, l.state(), lag.NotPulling) // now it is the member's
	l.commit(0, 15)
	l.commit(1, 15)
	if l.turn(lagLookEvery); l.state().Cause != lag.None || l.state().Diff != 0 {
		t.Errorf("%+v", l.state())
	}
}

// TestLagOfMemberBesideAStalledDisk: what it does not consume it can see. The disk is not why.
func TestLagOfMemberBesideAStalledDisk(t *testing.T) {
	t.Parallel()
	f := disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1, alterStore: func(o *store.Options) { o.FS = f }}, func(b *Broker) { b.lags.every = time.Hour }, "flushDiskType=SYNC_FLUSH", "syncFlushTimeout=3600000", "lagAlarmMessages=5")
	l := &lagRig{rig: r, c: r.dial(), w: r.broker.lags, now: time.Now()}
	l.makeTopic()
	l.join()
	l.commit(0, 0)
	l.send(20)
	want(t, l.c.call(pullOf("G", "T", 0, 0, "*", 0)), 0, "FOUND")
	reached, release := stall(f)
	t.Cleanup(release)
	wait := l.c.start(sendTo("T", 0, "", "x"))
	<-reached
	r.parkedNow(1)
	l.turn(0)
	l.turn(2 * time.Minute)
	wantCause(t, l.state(), lag.Stuck, "queue 0: 10 behind at offset 0")
	release()
	want(t, await(t, wait), 0, "")
}

// TestLagOfSlowReads: the messages lie on a disk that does not give them. The look itself waits for that disk no longer than a moment, and names
// it; also when the reads have come back, until they do not take long any more.
func TestLagOfSlowReads(t *testing.T) {
	t.Parallel()
	var later atomic.Int64 // a clock that goes on only with the looks: what it says of a span is told to the second
	r, f := coldStoreAltered(t, 100, Options{}, func(b *Broker) {
		b.lags.every = time.Hour
		b.uptime = func() time.Duration { return time.Hour + time.Duration(later.Load()) }
	}, "lagAlarmMessages=5")
	f.SetCold(inLog(1 << 30))
	gate, reached := make(chan struct{}), make(chan struct{})
	tell := sync.OnceFunc(func() { close(reached) })
	f.OnRead(func(name string, off int64, _ int) {
		if inLog(1<<30)(name, off, 0) {
			tell()
			<-gate
		}
	})
	release := sync.OnceFunc(func() { f.OnRead(nil); close(gate) })
	t.Cleanup(release)
	c := r.dial()
	want(t, c.call(beat("the-client", "G", "Cold", "*", 1)), 0, "")
	want(t, c.call(commit("G", "Cold", 0, 3)), 0, "")
	w, now := r.broker.lags, time.Now()
	look := func(d time.Duration) lag.State {
		t.Helper()
		now = now.Add(d)
		later.Add(int64(d))
		w.turn(now)
		for _, s := range *w.last.Load() {
			if s.Group == "G" {
				return s
			}
		}
		t.Fatal("the look found nothing")
		return lag.State{}
	}
	look(0)
	wait := c.start(pullOf("G", "Cold", 0, 3, "*", 0))
	<-reached
	until(t, "the pull waits", func() bool {
		r.broker.readWaits.mu.Lock()
		defer r.broker.readWaits.mu.Unlock()
		return len(r.broker.readWaits.under) == 1
	})
	s := look(2 * time.Minute)
	wantCause(t, s, lag.BrokerSlow, "its pulls waited for the disk for 2m0s", "the disk is not done")
	if s.Diff != 97 {
		t.Errorf("%+v", s)
	}
	later.Add(int64(lagLookEvery))
	release()
	want(t, await(t, wait), 0, "FOUND")
	s = look(0)
	wantCause(t, s, lag.BrokerSlow, "in the last 10s its pulls waited for the disk for 10s")
	until(t, "the age is read", func() bool { return look(0).BehindMs > 0 })
	s = look(2 * time.Minute)
	wantCause(t, s, lag.Stuck, "queue 0: 97 behind at offset 3") // it has what it pulled, and does not finish it
}

// late hands on what slave and master say to each other; what slaves say it keeps back while it is told to.
type late struct {
	listener net.Listener
	mu       sync.Mutex
	on       sync.Cond
	keeps    bool
}

func newLate(t *testing.T, master func() string) *late {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &late{listener: l}
	p.on.L = &p.mu
	var all sync.WaitGroup
	var conns []net.Conn
	keep := func(c net.Conn) {
		p.mu.Lock()
		defer p.mu.Unlock()
		conns = append(conns, c)
	}
	all.Go(func() {
		for {
			slave, err := l.Accept()
			if err != nil {
				return
			}
			keep(slave)
			up, err := net.Dial("tcp", master())
			if err != nil {
				_ = slave.Close()
				continue
			}
			keep(up)
			all.Go(func() { _, _ = io.Copy(slave, up); _ = slave.Close() })
			all.Go(func() { _, _ = io.Copy(up, said{slave, p}); _ = up.Close() })
		}
	})
	t.Cleanup(func() {
		p.keep(false)
		_ = l.Close()
		p.mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		all.Wait()
	})
	return p
}

func (p *late) keep(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeps = on
	p.on.Broadcast()
}

// said is what a slave says.
type said struct {
	net.Conn
	p *late
}

func (s said) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	for s.p.keeps {
		s.p.on.Wait()
	}
	return n, err
}

// newLatePair is a pair whose slave is in step, and says late what it has when it is told to.
func newLatePair(t *testing.T, start func(master *rig)) (master *rig, p *late) {
	t.Helper()
	master = &rig{t: t, root: t.TempDir()}
	master.startRoutes("127.0.0.1", 0)
	start(master)
	p = newLate(t, func() string { return fmt.Sprint("127.0.0.1:", master.broker.replication.haPort) })
	slave := &rig{t: t, root: t.TempDir(), routes: master.routes}
	slave.startBroker("brokerRole=SLAVE", "brokerId=1", "haMasterAddress="+p.listener.Addr().String())
	until(t, "slave in step", func() bool { return master.broker.replication.leader.Agreed().InStep == 2 })
	return master, p
}

// TestLagOfSlowSlave: a slave says late what it has. What it keeps hidden is why consumers are behind, and it is named.
func TestLagOfSlowSlave(t *testing.T) {
	t.Parallel()
	r, p := newLatePair(t, func(m *rig) {
		m.startAltered(func(b *Broker) { b.lags.every = time.Hour }, "brokerRole=SYNC_MASTER", "slaveTimeout=600000", "lagAlarmMessages=5", "lagAlarmHoldMs=0")
	})
	l := &lagRig{rig: r, c: r.dial(), w: r.broker.lags, now: time.Now()}
	l.makeTopic()
	l.join()
	l.send(20)
	l.commit(0, 10)
	l.commit(1, 10)
	p.keep(true)
	var waits []<-chan *remoting.Command
	for i := range 10 {
		waits = append(waits, l.c.start(sendTo("T", i%2, "", "x")))
	}
	r.parkedNow(10)
	end := r.broker.store.LogMax()
	until(t, "the disk has them", func() bool { return r.broker.store.Sendable().Load() == end })
	l.turn(0)
	wantCause(t, l.state(), lag.None)
	news := l.turn(lagLookEvery)
	wantCause(t, l.state(), lag.ReplicationSlow, "the slave at 127.0.0.1:", "bytes of the log wait for slaves before consumers may see them, for 10s at least")
	if s := l.state(); len(news) != 1 || s.Diff != 10 || s.BehindMs != lagLookEvery.Milliseconds() {
		t.Errorf("%+v, %d alarms", s, len(news))
	}
	if hidden, held := l.hidden(), l.held(); hidden != 10 || held <= 0 {
		t.Errorf("an operator's command is told that %d messages in %d bytes wait", hidden, held)
	}
	if since := l.told().SlowerSince; !since.Equal(l.now.Add(-lagLookEvery)) {
		t.Errorf("an operator's command is told that more comes in since %v, not since the look before %v", since, l.now)
	}
	p.keep(false)
	for _, w := range waits {
		want(t, await(t, w), 0, "")
	}
	r.visibleMax("T", 0, 15)
	r.visibleMax("T", 1, 15)
	if hidden, held := l.hidden(), l.held(); hidden != 0 || held != 0 {
		t.Errorf("an operator's command is told that %d messages in %d bytes wait still", hidden, held)
	}
	l.turn(lagLookEvery)
	l.turn(2 * time.Minute)
	wantCause(t, l.state(), lag.NotPulling)
}
