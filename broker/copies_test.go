package broker

import (
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/replica"
)

// fakeLeader has the agreement that a test gives it, and confirms what the test confirms.
type fakeLeader struct {
	agreed atomic.Pointer[replica.Agreement]
	slaves []replica.SlaveState
	ours   atomic.Bool  // they speak the extension
	have   atomic.Int64 // they have everything before it
	began  time.Time
	o      replica.LeaderOptions
}

func (f *fakeLeader) lead(o replica.LeaderOptions) (leader, error) {
	f.o, f.began = o, time.Now()
	first := replica.Agreement{Enough: true, InStep: 2}
	if o.Copies == 1 {
		first.Offset = math.MaxInt64
	}
	f.agree(first)
	return f, nil
}

// agree changes the agreement as a leader does: first it is known, then the store goes by it.
func (f *fakeLeader) agree(a replica.Agreement) {
	f.agreed.Store(&a)
	limit := a.Offset
	if !a.Enough {
		limit = math.MaxInt64
	}
	f.o.Store.Confirm(limit)
	f.o.Changed()
}

func (f *fakeLeader) Addr() netip.AddrPort         { return netip.MustParseAddrPort("127.0.0.1:1") }
func (f *fakeLeader) Close()                       { f.o.Store.Confirm(math.MaxInt64) }
func (f *fakeLeader) Agreed() replica.Agreement    { return *f.agreed.Load() }
func (f *fakeLeader) Uptime() time.Duration        { return time.Since(f.began) }
func (f *fakeLeader) Slaves() []replica.SlaveState { return f.slaves }

func (f *fakeLeader) TurnedAway() int64           { return 0 }
func (f *fakeLeader) Refusals() []replica.Refusal { return nil }

func (f *fakeLeader) AllOurs() bool             { return f.ours.Load() }
func (f *fakeLeader) AllHave(offset int64) bool { return f.have.Load() >= offset }

func newLedRig(t *testing.T, more ...string) (*rig, *fakeLeader) {
	t.Helper()
	f := &fakeLeader{}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{lead: f.lead}, func(*Broker) {}, more...)
	return r, f
}

// TestSendsWaitForCopies: an answer leaves when enough copies are there, and says what is wrong where they are not.
func TestSendsWaitForCopies(t *testing.T) {
	t.Parallel()
	r, f := newLedRig(t, "brokerRole=SYNC_MASTER", "slaveTimeout=600000")
	if f.o.Copies != 2 || f.o.MinCopies != 1 {
		t.Fatalf("%+v", f.o)
	}
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "WAIT\x01false\x02", "nobody waits")), remoting.RespSuccess, "")
	var end int64
	until(t, "stored", func() bool { end = r.broker.store.Sendable().Load(); return end > 0 })
	waits := c.start(sendTo("T", 0, "", "copied"))
	until(t, "stored", func() bool { return r.broker.store.Sendable().Load() > end })
	if got := r.broker.store.MaxOffset([]byte("T"), 0); got != 0 {
		t.Fatal("consumers see up to", got)
	}
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: end})
	select {
	case resp := <-waits:
		t.Fatal("answered with one copy:", resp.Code)
	case <-time.After(50 * time.Millisecond):
	}
	end = r.broker.store.Sendable().Load()
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: end})
	want(t, await(t, waits), remoting.RespSuccess, "")
	until(t, "consumers see both", func() bool { return r.broker.store.MaxOffset([]byte("T"), 0) == 2 })

	// A slave that is lost while a send waits, and one that is not there.
	waits = c.start(sendTo("T", 0, "", "lost"))
	until(t, "stored", func() bool { return r.broker.store.Sendable().Load() > end })
	f.agree(replica.Agreement{InStep: 1, Offset: end, Since: f.Uptime()})
	resp := await(t, waits)
	want(t, resp, remoting.RespFlushSlaveTimeout, "")
	if id, ok := resp.Get("msgId"); !ok || len(id) != 32 {
		t.Fatalf("no id: %q", id)
	}
	want(t, c.call(sendTo("T", 0, "", "alone")), remoting.RespSlaveNotAvailable, "")
	until(t, "consumers go on", func() bool { return r.broker.store.MaxOffset([]byte("T"), 0) == 4 })

	// It comes back.
	end = r.broker.store.Sendable().Load()
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: end})
	waits = c.start(sendTo("T", 0, "", "again"))
	until(t, "stored", func() bool { return r.broker.store.Sendable().Load() > end })
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: r.broker.store.Sendable().Load()})
	want(t, await(t, waits), remoting.RespSuccess, "")
}

// TestSlowSlaveIsNamed: what waits for nothing but a slave in step for longer than slaveTimeout is told so, as stock tells each message,
// and stays hidden until it is copied.
func TestSlowSlaveIsNamed(t *testing.T) {
	t.Parallel()
	r, f := newLedRig(t, "brokerRole=SYNC_MASTER", "slaveTimeout=1")
	want(t, r.dial().call(sendTo("T", 0, "", "slow")), remoting.RespFlushSlaveTimeout, "")
	if got := r.broker.store.MaxOffset([]byte("T"), 0); got != 0 {
		t.Fatal("consumers see up to", got)
	}
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: math.MaxInt64})
	until(t, "consumers see it", func() bool { return r.broker.store.MaxOffset([]byte("T"), 0) == 1 })
}

func TestTooFewInStepRefuses(t *testing.T) {
	t.Parallel()
	r, f := newLedRig(t, "brokerRole=SYNC_MASTER", "inSyncReplicas=3", "minInSyncReplicas=2", "enableAutoInSyncReplicas=true")
	if f.o.Copies != 3 || f.o.MinCopies != 2 || !f.o.Auto {
		t.Fatalf("%+v", f.o)
	}
	f.agree(replica.Agreement{InStep: 1, Refuses: true})
	c := r.dial()
	resp := c.call(sendTo("T", 0, "", "x"))
	want(t, resp, remoting.RespSystemError, notEnough)
	if region, _ := resp.Get("MSG_REGION"); string(region) != "DefaultRegion" {
		t.Fatalf("region %q", region)
	}
	want(t, c.call(sendTo("T", 0, "WAIT\x01false\x02", "x")), remoting.RespSuccess, "")
	f.agree(replica.Agreement{Enough: true, InStep: 2, Offset: math.MaxInt64})
	want(t, c.call(sendTo("T", 0, "", "x")), remoting.RespSuccess, "")
}

// TestNobodyWaitsWithoutCopies: where one copy is enough, nothing asks the leader.
func TestNobodyWaitsWithoutCopies(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"brokerRole=ASYNC_MASTER", "inSyncReplicas=1"} {
		r, f := newLedRig(t, "brokerRole=SYNC_MASTER", "inSyncReplicas=1", role)
		f.agreed.Store(&replica.Agreement{Refuses: true})
		if r.broker.copies.Load() != nil {
			t.Error(role, "waits for copies")
		}
		want(t, r.dial().call(sendTo("T", 0, "", "x")), remoting.RespSuccess, "")
	}
}
