package broker

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/broker/quota"
	"ringmq/netpoll/remoting"
	"ringmq/replica"
)

// stepped is a clock that stands still, and goes on to the end of the next wait when it is told to.
type stepped struct {
	mu  sync.Mutex
	now time.Duration
	due []dueCall
}

type dueCall struct {
	at time.Duration
	fn func()
}

func (s *stepped) uptime() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stepped) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += d
}

func (s *stepped) after(d time.Duration, fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = append(s.due, dueCall{s.now + d, fn})
}

func (s *stepped) pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.due)
}

// step ends the wait that is over first.
func (s *stepped) step() {
	s.mu.Lock()
	first := 0
	for i := range s.due {
		if s.due[i].at < s.due[first].at {
			first = i
		}
	}
	w := s.due[first]
	s.due = slices.Delete(s.due, first, first+1)
	s.now = max(s.now, w.at)
	s.mu.Unlock()
	w.fn()
}

// newSteppedRig is a broker with limits that are enforced, on such a clock.
func newSteppedRig(t *testing.T, more ...string) (*rig, *stepped) {
	t.Helper()
	s := &stepped{now: time.Hour}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.uptime, b.after = s.uptime, s.after }, append([]string{"clientQuotaAction=limit"}, more...)...)
	return r, s
}

// iAm is a heartbeat that only says who the client is.
func iAm(id string) *remoting.Command {
	body, err := json.Marshal(remoting.HeartbeatData{ClientID: id})
	if err != nil {
		panic(err)
	}
	return withText(remoting.CodeHeartBeat, string(body))
}

// keys changes the configuration by a request.
func (r *rig) keys(pairs ...string) {
	r.t.Helper()
	want(r.t, r.dial().call(withText(remoting.CodeUpdateBrokerConfig, strings.Join(pairs, "\n")+"\n")), 0, "")
}

// TestSendsOverTheQuotaAreSlowed to what is allowed, within a tenth over ten seconds, for two connections of one client together and for
// another client by itself; a client that is within its quota, and heartbeats on other connections of one that is not, do not wait at all;
// every message is stored and acknowledged when there is no limit any more, which a request may say.
func TestSendsOverTheQuotaAreSlowed(t *testing.T) {
	t.Parallel()
	const perSecond, each = 25, 320
	r, s := newSteppedRig(t, fmt.Sprint("clientSendMaxMessagesPerSecond=", perSecond))
	want(t, r.dial().call(sendTo("T", 0, "", "first")), 0, "")
	stored := func() int64 { return r.broker.store.Stats().PutMessages }
	began, before := s.uptime(), stored()
	frames := encoded(each, sendTo("T", 0, "", strings.Repeat("x", 100)))
	var wires []*wire
	for _, id := range []string{"one", "one", "two"} {
		w := r.wire()
		w.exchange(encoded(1, iAm(id)), 1)
		if _, err := w.conn.Write(frames); err != nil {
			t.Fatal(err)
		}
		wires = append(wires, w)
	}
	blocked := func() bool { return s.pending() == len(wires) }
	for s.uptime() < began+10*time.Second {
		until(t, "all three are over their quota", blocked)
		s.step()
	}
	until(t, "all three are over their quota", blocked)
	if got, allowed := stored()-before, float64(2*10*perSecond); math.Abs(float64(got)-allowed) > allowed/10 {
		t.Errorf("%d messages in ten seconds, want %v", got, allowed)
	}
	now := s.uptime()
	other, beside := r.dial(), r.dial()
	want(t, other.call(iAm("three")), 0, "")
	want(t, other.call(sendTo("T", 1, "", "within")), 0, "")
	want(t, beside.call(iAm("one")), 0, "")
	want(t, beside.call(request(remoting.CodeGetMaxOffset, "topic", "T", "queueId", 1)), 0, "")
	if s.uptime() != now || !blocked() {
		t.Fatal("others waited")
	}
	if st := r.broker.net.Stats(); st.HeldBytes > int64(len(wires))*128<<10 {
		t.Errorf("%d bytes are held for clients that are slowed", st.HeldBytes)
	}
	r.keys("clientSendMaxMessagesPerSecond=0")
	for s.pending() > 0 {
		s.step()
	}
	for _, w := range wires {
		w.exchange(nil, each)
		if a := w.answer(); a.Code != 0 {
			t.Fatal(a.Code, string(a.Remark))
		}
	}
	r.visibleMax("T", 0, int64(len(wires)*each)+1)
	if n := stored() - before; n != int64(len(wires)*each)+1 {
		t.Errorf("%d messages were stored", n)
	}
	if n := r.broker.quotaWaits.sends.Load(); n == 0 || n > int64(len(wires)*each) {
		t.Error(n, "sends waited")
	}
}

// TestPullsOverTheQuotaAreSlowed: the bytes that a client is handed are limited, the rest of its connection and other clients do not wait.
func TestPullsOverTheQuotaAreSlowed(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t)
	c := r.dial()
	for range 40 {
		want(t, c.call(sendTo("T", 0, "", strings.Repeat("x", 10<<10))), 0, "")
	}
	r.visibleMax("T", 0, 40)
	want(t, c.call(iAm("reader")), 0, "")
	all := c.call(pullOf("G", "T", 0, 0, "*", 0))
	want(t, all, 0, "FOUND")
	r.keys(fmt.Sprint("clientPullMaxBytesPerSecond=", len(all.Body))) // a pull a second
	began := s.uptime()
	const pulls = 8
	done := make(chan *remoting.Command, pulls)
	for range pulls {
		answer := c.start(pullOf("G", "T", 0, 0, "*", time.Minute))
		go func() { done <- <-answer }()
	}
	until(t, "one is answered, the others wait", func() bool { return len(done) == 1 && s.pending() == 1 })
	want(t, c.call(request(remoting.CodeGetMaxOffset, "topic", "T", "queueId", 0)), 0, "")
	other := r.dial()
	want(t, other.call(iAm("another")), 0, "")
	want(t, other.call(pullOf("G", "T", 0, 0, "*", 0)), 0, "FOUND")
	for {
		until(t, "a wait, or the end", func() bool { return s.pending() > 0 || len(done) == pulls })
		if s.pending() == 0 {
			break
		}
		s.step()
	}
	if took := (s.uptime() - began).Seconds(); math.Abs(took-(pulls-1)) > 0.7 {
		t.Errorf("%d pulls took %v s, want one a second", pulls, took)
	}
	for range pulls {
		want(t, <-done, 0, "FOUND")
	}
	if n := r.broker.holds.bytes.Held(); n != 0 {
		t.Error(n, "bytes are held for nobody")
	}
	if n := r.broker.quotaWaits.pulls.Load(); n != pulls-1 {
		t.Error(n, "pulls waited")
	}
}

// TestASlowedPullDoesNotWaitForEver: its client would have given it up. It is told to ask again.
func TestASlowedPullDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t, "clientPullMaxBytesPerSecond=100")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", strings.Repeat("x", 100_000))), 0, "")
	r.visibleMax("T", 0, 1)
	want(t, c.call(pullOf("G", "T", 0, 0, "*", 0)), 0, "FOUND")
	answers := []<-chan *remoting.Command{}
	for range 3 {
		answers = append(answers, c.start(pullOf("G", "T", 0, 0, "*", time.Minute)))
	}
	until(t, "three wait", func() bool { return r.broker.quotaWaits.pulls.Load() == 3 })
	codes := map[int32]int{}
	for _, ch := range answers {
		for {
			until(t, "a wait, or an answer", func() bool { return s.pending() > 0 || len(ch) > 0 })
			if len(ch) > 0 || s.uptime() > time.Hour+time.Minute {
				break
			}
			s.step()
		}
		a := await(t, ch)
		codes[a.Code]++
		if a.Code == remoting.RespPullRetryImmediately && (a.Text("nextBeginOffset") != "0" || a.Text("maxOffset") != "1") {
			t.Error(a.Text("nextBeginOffset"), a.Text("maxOffset"))
		}
	}
	if took := s.uptime() - time.Hour; took > maxSlowedTime+2*time.Second {
		t.Error("they waited for", took)
	}
	if codes[0] != 1 || codes[remoting.RespPullRetryImmediately] != 2 {
		t.Error(codes)
	}
}

// TestManySlowedPulls of one connection are bounded, and then it is not read from; none is lost; and when it ends nothing of it is left.
func TestManySlowedPulls(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t, "clientPullMaxBytesPerSecond=1000", "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", strings.Repeat("x", 10_000))), 0, "")
	r.visibleMax("T", 0, 1)
	frames := encoded(maxSlowedPulls+100, pullOf("G", "T", 0, 0, "*", time.Minute))
	full := func(id string) *wire {
		w := r.wire()
		w.exchange(encoded(1, iAm(id)), 1)
		if _, err := w.conn.Write(frames); err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := full("reader")
	until(t, "no more are read", func() bool { return s.pending() == 2 && r.broker.net.Stats().Paused == 1 })
	gone := full("gone")
	until(t, "no more are read of two", func() bool { return s.pending() == 4 && r.broker.net.Stats().Paused == 2 })
	at := scrapes(t, r.broker.web.admin)
	if sends, pulls := at[`ringmq_quota_waits_total{request="send"}`], at[`ringmq_quota_waits_total{request="pull"}`]; sends != 0 || pulls != 2*maxSlowedPulls {
		t.Errorf("%v sends and %v pulls waited", sends, pulls)
	}
	if n := r.broker.holds.bytes.Held(); n < 2*maxSlowedPulls*100 || n > 4<<20 {
		t.Error(n, "bytes are held")
	}
	_ = gone.conn.(*net.TCPConn).SetLinger(0) // a paused connection sees only the end of those who break off
	_ = gone.conn.Close()
	until(t, "the end of one", func() bool { return r.broker.net.Stats().Paused == 1 })
	r.keys("clientPullMaxBytesPerSecond=0")
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		w.exchange(nil, maxSlowedPulls+100)
	}()
	for {
		until(t, "a wait, or the end", func() bool {
			select {
			case <-answered:
				return true
			default:
				return s.pending() > 0
			}
		})
		if s.pending() == 0 {
			break
		}
		s.step()
	}
	<-answered
	until(t, "nothing held", func() bool { return r.broker.holds.bytes.Held() == 0 })
}

// TestQuotaInTheLogOnly: without an action nobody is slowed, and who is over the limit is in the log once, and once when it is no more; the
// metrics have him, and for as long in the number of those who are over.
func TestQuotaInTheLogOnly(t *testing.T) {
	t.Parallel()
	s := &stepped{now: time.Hour}
	var log logged
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(b *Broker) { b.uptime, b.after = s.uptime, s.after },
		"clientSendMaxMessagesPerSecond=50", "adminHttpAddress=127.0.0.1:0")
	b := r.broker
	w := r.wire()
	w.exchange(encoded(1, iAm("me@1")), 1)
	w.exchange(encoded(1, sendTo("T", 0, "", "first")), 1)
	sent := int64(1)
	second := func(n int) {
		t.Helper()
		if n > 0 {
			w.exchange(encoded(n, sendTo("T", 0, "", "x")), n)
		}
		sent += int64(n)
		until(t, "what was used is told", func() bool {
			b.tickClients()
			told := int64(0)
			b.clients.Each(func(name string, _ int64, used *quota.Counts) {
				if name == "me@1" {
					told = used[quota.SendMessages]
				}
			})
			return told == sent
		})
		s.add(time.Second)
		b.tickClients()
	}
	second(0)
	second(50)
	if got := log.lines("quota"); len(got) != 0 {
		t.Fatal(got)
	}
	for range 3 {
		second(100)
	}
	if got := log.lines("client is over its quota"); len(got) != 1 || !strings.Contains(got[0], "client=me@1 key=clientSendMaxMessagesPerSecond limit=50 perSecond=100 action=log") {
		t.Fatal(got)
	}
	at := scrapes(t, b.web.admin)
	if at[`ringmq_client_sent_messages_total{client="me@1"}`] != float64(sent) || at[`ringmq_clients_over_quota{quota="send_messages"}`] != 1 || at[`ringmq_clients_over_quota{quota="pull_bytes"}`] != 0 {
		t.Error(at[`ringmq_client_sent_messages_total{client="me@1"}`], at[`ringmq_clients_over_quota{quota="send_messages"}`])
	}
	for range 6 {
		second(1)
	}
	if got := log.lines("quota"); len(got) != 2 || !strings.Contains(got[1], "within its quota again") {
		t.Fatal(got)
	}
	if s.pending() != 0 || scrapes(t, b.web.admin)[`ringmq_clients_over_quota{quota="send_messages"}`] != 0 {
		t.Error("somebody was slowed, or is over still")
	}
}

// TestOneConnectionOfManyNames is one client at a time, and those before are forgotten.
func TestOneConnectionOfManyNames(t *testing.T) {
	t.Parallel()
	r, s := newSteppedRig(t, fmt.Sprint("clientSendMaxMessagesPerSecond=", int64(1)<<40))
	want(t, r.dial().call(sendTo("T", 0, "", "first")), 0, "")
	w := r.wire()
	send := encoded(1, sendTo("T", 0, "", "x"))
	most := 0
	for i := range 100 {
		var frames []byte
		for n := range 100 {
			frames = append(append(frames, encoded(1, iAm(fmt.Sprint("name", i, "-", n)))...), send...)
		}
		w.exchange(frames, 200)
		most = max(most, r.broker.clients.Len())
	}
	for _, odd := range []string{"", "(other)", strings.Repeat("x", 256), "\xff"} {
		w.exchange(append(encoded(1, iAm(odd)), send...), 2)
	}
	if most < 4000 || most > 4100 {
		t.Error(most, "clients are kept")
	}
	_ = w.conn.Close()
	until(t, "they are forgotten", func() bool {
		s.add(time.Second)
		r.broker.tickClients()
		return r.broker.clients.Len() <= 1
	})
}

// TestCapOfConnections: of the broker, which a request may change; who is turned away shows in the metrics, and this machine has places of
// its own.
func TestCapOfConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t, "maxConnections=3", "adminHttpAddress=127.0.0.1:0")
	c := r.dial()
	in := 0
	for range 100 {
		next := r.dial()
		if _, err := next.Call(t.Context(), request(remoting.CodeGetMaxOffset, "topic", "T", "queueId", 0)); err != nil {
			break
		}
		in++
	}
	if in < 10 || in > 50 {
		t.Fatal(in, "connections beside one were let in")
	}
	if at := scrapes(t, r.broker.web.admin); at[`ringmq_connections_turned_away_total{cap="all"}`] != 1 || at[`ringmq_connections_turned_away_total{cap="host"}`] != 0 {
		t.Error(at[`ringmq_connections_turned_away_total{cap="all"}`])
	}
	want(t, c.call(withText(remoting.CodeUpdateBrokerConfig, "maxConnections=0\n")), 0, "")
	want(t, r.dial().call(sendTo("T", 0, "", "x")), 0, "")
}

// TestSlavesArePreferred when clients have taken all connections: those of their networks, or else those who were connected a second ago.
func TestSlavesArePreferred(t *testing.T) {
	t.Parallel()
	f := &fakeLeader{slaves: []replica.SlaveState{{Addr: "10.0.0.2:4711"}, {Addr: "odd"}}}
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{lead: f.lead}, func(*Broker) {})
	r.broker.replication.noteSlaves()
	if !r.broker.isSlave(netip.MustParseAddr("10.0.0.2")) || r.broker.isSlave(netip.MustParseAddr("10.0.0.3")) {
		t.Error("one is connected")
	}
	r.stopBroker()
	r.startWith(Options{lead: f.lead}, func(*Broker) {}, "haAllowedCidrs=10.0.0.0/24")
	if !r.broker.isSlave(netip.MustParseAddr("10.0.0.2")) || r.broker.isSlave(netip.MustParseAddr("10.0.1.2")) {
		t.Error("networks")
	}
}

// TestLimitsAllocateNothing: while they are enforced, and nobody is above them.
func TestLimitsAllocateNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	most := fmt.Sprint(int64(1) << 40)
	r := newRig(t, "clientQuotaAction=limit", "clientSendMaxMessagesPerSecond="+most, "clientSendMaxBytesPerSecond="+most, "clientPullMaxBytesPerSecond="+most)
	want(t, r.dial().call(sendTo("T", 0, "", strings.Repeat("x", 1000))), 0, "")
	r.visibleMax("T", 0, 1)
	for name, cmd := range map[string]*remoting.Command{"send": sendTo("T", 1, "", strings.Repeat("x", 1000)), "pull": pullOf("G", "T", 0, 0, "*", 0)} {
		w := r.wire()
		w.exchange(encoded(1, iAm(name)), 1)
		frames := encoded(64, cmd)
		for range 50 {
			w.exchange(frames, 64)
		}
		if n := mallocs(30, 64, func() { w.exchange(frames, 64) }); n > none {
			t.Errorf("%s: %.3f allocations", name, n)
		}
	}
}
