package broker

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
)

// bodyAt is where the body of a record begins behind its beginning, with IPv4 hosts.
const bodyAt = 88

// gapRig is a broker with messages "0" to "5" in Rot-0, of which "3" is damaged, and a copy that may have it, of which the test says what it has.
type gapRig struct {
	*rig
	ahead  atomic.Int64 // of the store's clock
	at     int64
	good   []byte
	healer *store.Healer
}

func newGapRig(t *testing.T) *gapRig {
	f := disk.NewFaulty()
	g := &gapRig{rig: &rig{t: t, root: t.TempDir()}}
	g.startRoutes("127.0.0.1", 0)
	start := func() {
		g.startWith(Options{alterStore: func(o *store.Options) {
			o.FS, o.Clock = f, func() time.Time { return time.Now().Add(time.Duration(g.ahead.Load())) }
		}}, func(*Broker) {})
	}
	start()
	g.at, g.good = g.fillRot(6, "")
	g.stopBroker()
	g.rot(f, g.at)
	start()
	g.healer = g.broker.store.Healer(func() {})
	t.Cleanup(g.healer.Leave)
	return g
}

// fillRot stores n messages in Rot-0, their numbers with something behind, and says where in the log the one of queue offset 3 lies, and its bytes.
func (r *rig) fillRot(n int, more string) (at int64, raw []byte) {
	r.t.Helper()
	c := r.dial()
	for i := range n {
		want(r.t, c.call(sendTo("Rot", 0, "", fmt.Sprint(i, more))), remoting.RespSuccess, "")
	}
	r.visibleMax("Rot", 0, int64(n))
	raw, found, err := r.broker.store.Read(&store.Want{Topic: []byte("Rot"), Offset: 3, MaxMessages: 1}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return found.LastPhysical, raw
}

// rot turns a bit of the body of a message in the log's first file.
func (r *rig) rot(f *disk.Faulty, at int64) {
	r.t.Helper()
	if err := f.FlipBit(r.root+"/store/commitlog/00000000000000000000", at+bodyAt, 1); err != nil {
		r.t.Fatal(err)
	}
}

// TestPullAtADamagedMessage: it is held until the message is healed or nobody has it, and goes on behind it only then, or when it has waited
// for too long; messages that arrive change nothing.
func TestPullAtADamagedMessage(t *testing.T) {
	const long = 15 * time.Second
	for name, c := range map[string]struct {
		hold time.Duration // of the pull; 0: it may not be held
		then func(g *gapRig)
		code int32
		next string
		body string
	}{
		"healed": {long, func(g *gapRig) {
			if err := g.broker.store.Heal(g.at, g.good); err != nil {
				g.t.Error(err)
			}
		}, remoting.RespSuccess, "7", "[3 4 5 more]"},
		"nobody has it":    {long, func(g *gapRig) { g.healer.HasNot(g.at) }, remoting.RespSuccess, "7", "[4 5 more]"},
		"the copy is gone": {long, func(g *gapRig) { g.healer.Leave() }, remoting.RespSuccess, "7", "[4 5 more]"},
		"too long": {long, func(g *gapRig) {
			g.ahead.Add(int64(time.Hour))
			g.broker.holds.checkAll()
		}, remoting.RespSuccess, "7", "[4 5 more]"},
		"its time is over": {50 * time.Millisecond, nil, remoting.RespPullNotFound, "3", "[]"},
		"not to be held":   {0, nil, remoting.RespPullNotFound, "3", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGapRig(t)
			client := g.dial()
			if a := client.call(pullOf("G", "Rot", 0, 0, "*", c.hold)); a.Text("nextBeginOffset") != "3" || fmt.Sprint(bodies(t, a)) != "[0 1 2]" {
				t.Fatal(a.Code, a.Text("nextBeginOffset"), bodies(t, a))
			}
			answer := client.start(pullOf("G", "Rot", 0, 3, "*", c.hold))
			if c.then != nil {
				g.heldNow(1)
				want(t, g.dial().call(sendTo("Rot", 0, "", "more")), remoting.RespSuccess, "")
				g.visibleMax("Rot", 0, 7)
				g.broker.holds.checkAll()
				g.heldNow(1)
				c.then(g)
			}
			if a := await(t, answer); a.Code != c.code || a.Text("nextBeginOffset") != c.next || fmt.Sprint(bodies(t, a)) != c.body {
				t.Error(a.Code, string(a.Remark), a.Text("nextBeginOffset"), bodies(t, a))
			}
		})
	}
}

// TestPairSkipsNothing: whoever pulls from a side of a pair that has a damaged message gets it from there with all others, in their order.
func TestPairSkipsNothing(t *testing.T) {
	for _, side := range []string{"master", "slave"} {
		t.Run(side, func(t *testing.T) {
			t.Parallel()
			m := &rig{t: t, root: t.TempDir()}
			m.startRoutes("127.0.0.1", 0)
			s := &rig{t: t, root: t.TempDir(), routes: m.routes}
			ill, f := m, disk.NewFaulty()
			if side == "slave" {
				ill = s
			}
			start := func(r *rig) {
				o, keys := Options{}, []string{"slaveReadEnable=true"}
				if r == ill {
					o.alterStore = func(o *store.Options) { o.FS = f }
				}
				if r == s {
					keys = append(keys, "brokerRole=SLAVE", "brokerId=1")
				}
				r.startWith(o, func(*Broker) {}, keys...)
			}
			start(m)
			start(s)
			// The last MiB is compared when they meet: a reader has to come upon it.
			const n = 30
			at, _ := m.fillRot(n, strings.Repeat(" ", 64<<10))
			m.dial().call(pullOf("G", "Rot", 0, 0, "*", 0))
			until(t, "copied", func() bool { return s.broker.store.MaxOffset([]byte("Rot"), 0) == n })
			ill.stopBroker()
			ill.rot(f, at)
			start(ill)
			until(t, "they are connected, and the slave has the tables", func() bool {
				_, topic := s.broker.topics.Lookup("Rot")
				_, group := s.broker.groups.Lookup("G")
				return topic && group && s.broker.replication.follower.FollowsOurs() && m.broker.replication.leader.AllOurs()
			})
			c := ill.dial()
			for next := 0; next < n; {
				a := c.call(pullOf("G", "Rot", 0, int64(next), "*", 15*time.Second))
				for _, body := range bodies(t, a) {
					if number := strings.TrimSpace(body); number != strconv.Itoa(next) {
						t.Fatal("message", number, "came where", next, "was next")
					}
					next++
				}
				if after := a.Text("nextBeginOffset"); after != strconv.Itoa(next) {
					t.Fatal("the next one is", after, "and not", next, "after", a.Code, string(a.Remark))
				}
			}
			if healed := ill.broker.store.Stats().HealedGaps; healed != 1 {
				t.Error(healed, "gaps were healed")
			}
		})
	}
}
