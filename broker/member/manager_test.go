package member

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
)

// ticker is a clock that moves when told.
type ticker struct {
	mu  sync.Mutex
	now time.Time
}

func newTicker() *ticker { return &ticker{now: time.Unix(1_700_000_000, 0)} }

func (c *ticker) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *ticker) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func always(string) bool { return true }

func client(conn uint64, id string) Client {
	return Client{Conn: conn, ID: id, Addr: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(conn)), Language: "JAVA", Version: 479}
}

func beat(group string, subs ...remoting.SubscriptionData) *remoting.HeartbeatData {
	return &remoting.HeartbeatData{ConsumerDataSet: []remoting.ConsumerData{{
		GroupName: group, ConsumeType: ConsumePassively, MessageModel: Clustering, ConsumeFromWhere: "CONSUME_FROM_LAST_OFFSET", SubscriptionDataSet: subs,
	}}}
}

func sub(topic string, version int64) remoting.SubscriptionData {
	return remoting.SubscriptionData{Topic: topic, SubString: "*", SubVersion: version}
}

// conns are the connections that are told that groups changed.
func conns(m *Manager, changed []string) []uint64 {
	var all []uint64
	for _, group := range changed {
		all = append(all, m.Conns(group)...)
	}
	return all
}

func TestWhoIsToldOfAChange(t *testing.T) {
	m := New(newTicker().read)
	step := func(what string, changed []string, want ...uint64) {
		t.Helper()
		if got := conns(m, changed); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: told %v, want %v", what, got, want)
		}
	}
	heartbeat := func(conn uint64, id string, d *remoting.HeartbeatData, wants Wants) []string {
		_, changed := m.Heartbeat(client(conn, id), d, wants)
		return changed
	}
	step("the first member", heartbeat(1, "a", beat("g", sub("T", 1)), always), 1)
	step("the same again", heartbeat(1, "a", beat("g", sub("T", 1)), always))
	step("a second member", heartbeat(2, "b", beat("g", sub("T", 1)), always), 1, 2)
	step("a newer version of the same topic", heartbeat(1, "a", beat("g", sub("T", 2)), always))
	step("another topic", heartbeat(1, "a", beat("g", sub("T", 2), sub("U", 1)), always), 1, 2)
	step("a topic less", heartbeat(1, "a", beat("g", sub("T", 2)), always), 1, 2)
	step("a group that does not want it", heartbeat(3, "c", beat("g", sub("T", 2)), func(string) bool { return false }))
	step("one leaves", m.Unregister(3, "", "g", always), 1, 2)
	step("one leaves twice", m.Unregister(3, "", "g", always))
	step("a connection ends", m.ConnClosed(2, always), 1)
	step("the last one leaves", m.ConnClosed(1, always))
	if m.Group([]byte("g")) != nil {
		t.Fatal("a group without members")
	}
	broadcast := beat("b", sub("T", 1))
	broadcast.ConsumerDataSet[0].MessageModel = Broadcasting
	step("broadcast groups share nothing", heartbeat(4, "d", broadcast, always))
	if !m.Broadcasting([]byte("b")) || m.Broadcasting([]byte("g")) {
		t.Fatal("broadcasting")
	}
	step("a broadcast member ends", m.ConnClosed(4, always))
}

func TestSubscriptions(t *testing.T) {
	m := New(newTicker().read)
	g, topic := []byte("g"), []byte("T")
	if s, known := m.Subscription(g, topic); s != nil || known {
		t.Fatal("an unknown group")
	}
	m.Heartbeat(client(1, "a"), beat("g", sub("T", 5)), always)
	held, known := m.Subscription(g, topic)
	if !known || held.SubVersion != 5 {
		t.Fatal(held, known)
	}
	if s, known := m.Subscription(g, []byte("U")); s != nil || !known {
		t.Fatal("a topic that is not subscribed to")
	}
	m.Heartbeat(client(1, "a"), beat("g", sub("T", 4)), always)
	if s, _ := m.Subscription(g, topic); s.SubVersion != 5 {
		t.Fatal("an older subscription wins")
	}
	m.Heartbeat(client(1, "a"), beat("g", sub("T", 6)), always)
	if s, _ := m.Subscription(g, topic); s.SubVersion != 6 || held.SubVersion != 5 {
		t.Fatal("the newer one, and what was handed out stays as it is")
	}
	if got := m.GroupsOfTopic("T"); !reflect.DeepEqual(got, []string{"g"}) || m.GroupsOfTopic("U") != nil {
		t.Fatal(got)
	}
}

// TestHeartbeatsOfTheSecondVersion: a fingerprint, and subscriptions only when asked for.
func TestHeartbeatsOfTheSecondVersion(t *testing.T) {
	m := New(newTicker().read)
	send := func(print int32, withoutSub bool, subs ...remoting.SubscriptionData) bool {
		d := beat("g", subs...)
		d.HeartbeatFingerprint, d.WithoutSub = print, withoutSub
		changed, _ := m.Heartbeat(client(1, "a"), d, always)
		return changed
	}
	if !send(0, false, sub("T", 1)) {
		t.Fatal("the first version is always answered with a change")
	}
	if !send(11, false, sub("T", 1)) {
		t.Fatal("another fingerprint than the last one")
	}
	if send(11, true) {
		t.Fatal("the same fingerprint")
	}
	if s, _ := m.Subscription([]byte("g"), []byte("T")); s == nil {
		t.Fatal("without subscriptions they stay")
	}
	if !send(12, true) {
		t.Fatal("a new fingerprint")
	}
	if !send(0, true) {
		t.Fatal("first version")
	}
	if s, _ := m.Subscription([]byte("g"), []byte("T")); s != nil {
		t.Fatal("in the first version an empty list is a list")
	}
}

// TestGroupsLeaveNothing: of a group whose members are gone its fingerprint is forgotten too, and a client that returns and leaves out what it
// subscribes to is asked for it.
func TestGroupsLeaveNothing(t *testing.T) {
	m := New(newTicker().read)
	send := func(group string, print int32, withoutSub bool) bool {
		d := beat(group, sub("T", 1))
		d.HeartbeatFingerprint, d.WithoutSub = print, withoutSub
		changed, _ := m.Heartbeat(client(1, "a"), d, always)
		return changed
	}
	for i := range 100 {
		group := fmt.Sprint("g", i)
		if send(group, 1, false) || send(group, 1, true) || !send(group, 2, true) {
			t.Fatal("its fingerprint is not known while it has members")
		}
		if i%2 == 0 {
			m.Unregister(1, "", group, always)
		} else {
			m.ConnClosed(1, always)
		}
		if send(group, 3, false) {
			t.Fatal("its fingerprint is known when it has no members")
		}
		m.ConnClosed(1, always)
		if !send(group, 3, true) {
			t.Fatal("nobody knows what it subscribes to, and it is not asked")
		}
		m.ConnClosed(1, always)
	}
	for i := range m.parts {
		if n := len(m.parts[i].groups); n != 0 {
			t.Error(n, "groups are left")
		}
	}
	if n := m.held(); n != 0 {
		t.Error(n, "bytes are held for nobody")
	}
}

func TestExpiry(t *testing.T) {
	clock := newTicker()
	m := New(clock.read)
	m.Heartbeat(client(1, "a"), beat("g", sub("T", 1)), always)
	m.Heartbeat(client(2, "b"), beat("g", sub("T", 1)), always)
	d := &remoting.HeartbeatData{ProducerDataSet: []remoting.ProducerData{{GroupName: "p"}}}
	m.Heartbeat(client(3, "c"), d, always)
	const timeout = 120 * time.Second
	clock.pass(timeout)
	m.Heartbeat(client(2, "b"), beat("g", sub("T", 1)), always)
	if stale, changes := m.Expire(timeout, always); stale != nil || changes != nil {
		t.Fatal("not later than the limit", stale, changes)
	}
	clock.pass(time.Millisecond)
	stale, changes := m.Expire(timeout, always)
	if !reflect.DeepEqual(stale, []uint64{1, 3}) || !reflect.DeepEqual(conns(m, changes), []uint64{2}) {
		t.Fatal(stale, changes)
	}
	if got := m.ConsumerIDs("g"); !reflect.DeepEqual(got, []string{"b"}) {
		t.Fatal(got)
	}
	if _, ok := m.ProducerConnection("p"); ok {
		t.Fatal("the producer is still there")
	}
	if len(m.byConn) != 1 {
		t.Fatal("connections kept:", m.byConn)
	}
}

// TestExpiryOfMany: more memberships than are forgotten at once, some connections in several groups and in both roles; each is told once.
func TestExpiryOfMany(t *testing.T) {
	clock := newTicker()
	m := New(clock.read)
	const clients = forgottenAtOnce
	for i := range uint64(clients) {
		d := beat("g", sub("T", 1))
		d.ConsumerDataSet = append(d.ConsumerDataSet, beat("h", sub("T", 1)).ConsumerDataSet...)
		d.ProducerDataSet = []remoting.ProducerData{{GroupName: "p"}, {GroupName: "q"}}
		m.Heartbeat(client(i, strconv.FormatUint(i, 10)), d, always)
	}
	clock.pass(time.Minute)
	m.Heartbeat(client(0, "0"), beat("g", sub("T", 1)), always)
	clock.pass(time.Minute + time.Millisecond)
	stale, _ := m.Expire(2*time.Minute, always)
	slices.Sort(stale)
	for i := range uint64(clients) { // client 0 was silent in h and as a producer
		if i >= uint64(len(stale)) || stale[i] != i {
			t.Fatal(len(stale), i)
		}
	}
	if len(stale) != clients || !reflect.DeepEqual(m.ConsumerIDs("g"), []string{"0"}) || len(m.ConsumerIDs("h")) != 0 || len(m.byConn) != 1 || len(m.conns) != 0 {
		t.Fatal(len(stale), m.ConsumerIDs("g"), len(m.byConn), len(m.conns))
	}
}

func TestProducers(t *testing.T) {
	m := New(newTicker().read)
	d := &remoting.HeartbeatData{ProducerDataSet: []remoting.ProducerData{{GroupName: "p"}, {GroupName: "CLIENT_INNER_PRODUCER"}}}
	m.Heartbeat(client(1, "a"), d, always)
	m.Heartbeat(client(2, "b"), d, always)
	asked := map[string]int{}
	for range 4 {
		c, ok := m.Producer("p")
		if !ok {
			t.Fatal("nobody")
		}
		asked[c.ID]++
	}
	if asked["a"] != 2 || asked["b"] != 2 {
		t.Fatal(asked)
	}
	if got := m.ProducerTable().Data; len(got["p"]) != 2 || len(got["CLIENT_INNER_PRODUCER"]) != 2 || got["p"][0].RemoteIP != "/10.0.0.1:1" {
		t.Fatal(got)
	}
	m.Unregister(1, "p", "", always)
	if got := m.Producers("p"); len(got) != 1 || got[0].ID != "b" {
		t.Fatal(got)
	}
	m.ConnClosed(2, always)
	if _, ok := m.Producer("p"); ok {
		t.Fatal("still there")
	}
	if got := m.ProducerTable().Data; len(got) != 1 || len(m.conns) != 1 {
		t.Fatal(got, m.conns)
	}
	if m.ConnClosed(1, always); len(m.conns) != 0 || len(m.ProducerTable().Data) != 0 {
		t.Fatal("left over:", m.conns)
	}
}

// TestGoldenConnections: the stock broker's recorded heartbeats give its recorded answers to 203, 204 and 328.
func TestGoldenConnections(t *testing.T) {
	// raw-clients is replayed below. The rest of the recordings says the same again, at the price of reading it.
	scenarios := slices.DeleteFunc(golden.Scenarios(t), func(name string) bool {
		return !strings.Contains(name, "consumer") && !strings.Contains(name, "hold") && !strings.HasPrefix(name, "go-")
	})
	var heartbeats int
	seen := map[string]*remoting.HeartbeatData{}
	for _, name := range scenarios {
		for _, e := range golden.Scenario(t, name) {
			if e.Code == nil || *e.Code != int(remoting.CodeHeartBeat) {
				continue
			}
			var c remoting.Command
			var d remoting.HeartbeatData
			if c.Decode(e.Request) != nil || remoting.Unmarshal(c.Body, &d) != nil || e.ResponseHeader == nil || e.ResponseHeader.Code != 0 {
				continue
			}
			heartbeats++
			m := New(newTicker().read)
			changed, _ := m.Heartbeat(client(1, d.ClientID), &d, always)
			if want := e.ResponseHeader.Ext["IS_SUB_CHANGE"]; d.HeartbeatFingerprint == 0 && want != nil && (*want == "true") != changed {
				t.Errorf("%s %d: IS_SUB_CHANGE %v, recorded %s", name, e.N, changed, *want)
			}
			for _, g := range d.ConsumerDataSet {
				if len(g.SubscriptionDataSet) > 0 { // an empty list ends what the one before it said
					seen[g.GroupName] = &d
				}
			}
		}
	}
	if heartbeats < 20 {
		t.Fatal("heartbeats found:", heartbeats)
	}
	compared := 0
	for _, name := range scenarios {
		for _, e := range golden.Scenario(t, name) {
			if e.Code == nil || *e.Code != int(remoting.CodeGetConsumerConnectionList) || e.ResponseHeader == nil || e.ResponseHeader.Code != 0 {
				continue
			}
			var answer remoting.Command
			var want remoting.ConsumerConnection
			if err := answer.Decode(e.Response); err != nil {
				t.Fatal(err)
			}
			if err := remoting.Unmarshal(answer.Body, &want); err != nil {
				t.Fatal(err)
			}
			group := *e.RequestHeader.Ext["consumerGroup"]
			d := seen[group]
			if d == nil {
				continue
			}
			m := New(newTicker().read)
			for i, c := range want.ConnectionSet {
				m.Heartbeat(Client{Conn: uint64(i + 1), ID: c.ClientID, Addr: netip.MustParseAddrPort(c.ClientAddr), Language: c.Language, Version: c.Version}, d, always)
			}
			got, ok := m.ConsumerConnection(group)
			if !ok {
				t.Fatalf("%s: %s is not there", name, group)
			}
			// Tag codes and versions differ from heartbeat to heartbeat; the topics and the shape may not.
			if !reflect.DeepEqual(got.ConnectionSet, want.ConnectionSet) || got.ConsumeFromWhere != want.ConsumeFromWhere || got.ConsumeType != want.ConsumeType ||
				got.MessageModel != want.MessageModel || len(got.SubscriptionTable) != len(want.SubscriptionTable) {
				t.Errorf("%s: %+v, recorded %+v", name, got, want)
			}
			text, err := json.Marshal(got)
			if err != nil || !strings.HasPrefix(string(text), `{"connectionSet":[{"clientAddr":"`) {
				t.Errorf("%s %v", text, err)
			}
			compared++
		}
	}
	if compared == 0 {
		t.Fatal("no answer to 203 compared")
	}
}

// TestGoldenReplay runs the recorded raw-clients scenario against the table: every answer and every notification.
func TestGoldenReplay(t *testing.T) {
	m := New(newTicker().read)
	answers, told, recorded := 0, 0, 0
	for _, e := range golden.Scenario(t, "raw-clients") {
		if e.Code == nil {
			continue
		}
		if e.From == "server" {
			recorded++
			continue
		}
		var req remoting.Command
		if req.Decode(e.Request) != nil || e.Response == nil {
			continue
		}
		var want remoting.Command
		if err := want.Decode(e.Response); err != nil {
			t.Fatal(err)
		}
		me := Client{Conn: uint64(e.Conn), ID: req.Text("clientID"), Addr: netip.MustParseAddrPort("127.0.0.1:34496"), Language: "JAVA", Version: 479}
		var body any
		var ok bool
		switch req.Code {
		case remoting.CodeHeartBeat:
			var d remoting.HeartbeatData
			if len(req.Body) == 0 || remoting.Unmarshal(req.Body, &d) != nil {
				continue
			}
			me.ID = d.ClientID
			changed, changes := m.Heartbeat(me, &d, always)
			told += len(conns(m, changes))
			if recorded, _ := want.Get("IS_SUB_CHANGE"); (string(recorded) == "true") != changed {
				t.Errorf("%d: IS_SUB_CHANGE %v, recorded %s", e.N, changed, recorded)
			}
			answers++
			continue
		case remoting.CodeUnregisterClient:
			told += len(conns(m, m.Unregister(me.Conn, req.Text("producerGroup"), req.Text("consumerGroup"), always)))
			answers++
			continue
		case remoting.CodeGetConsumerListByGroup:
			ids := m.ConsumerIDs(req.Text("consumerGroup"))
			body, ok = remoting.ConsumerIDList{ConsumerIDList: ids}, len(ids) > 0
		case remoting.CodeGetConsumerConnectionList:
			body, ok = m.ConsumerConnection(req.Text("consumerGroup"))
		case remoting.CodeGetProducerConnectionList:
			body, ok = m.ProducerConnection(req.Text("producerGroup"))
		default:
			continue
		}
		answers++
		if ok != (want.Code == 0) {
			t.Errorf("%d: request %d is answered %d, ours %v", e.N, req.Code, want.Code, ok)
			continue
		}
		if got, err := json.Marshal(body); ok && (err != nil || string(got) != string(want.Body)) {
			t.Errorf("%d: %s\nrecorded %s", e.N, got, want.Body)
		}
	}
	if answers < 12 || told != recorded || recorded == 0 {
		t.Fatalf("%d answers; %d notifications, recorded %d", answers, told, recorded)
	}
}

func TestPullSideDoesNotAllocate(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	m := New(newTicker().read)
	m.Heartbeat(client(1, "a"), beat("g", sub("T", 5)), always)
	g, topic := []byte("g"), []byte("T")
	if n := testing.AllocsPerRun(200, func() { m.Subscription(g, topic); m.Broadcasting(g) }); n != 0 {
		t.Fatal(n)
	}
}

// TestManyAtOnce has members come, go and expire beside readers; at the end nothing is left over.
func TestManyAtOnce(t *testing.T) {
	clock := newTicker()
	m := New(clock.read)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 300 {
				conn := uint64(w*10 + i%7)
				switch i % 4 {
				case 0, 1:
					m.Heartbeat(client(conn, "c"), beat("g", sub("T", int64(i))), always)
				case 2:
					m.ConnClosed(conn, always)
				default:
					m.Expire(time.Hour, always)
					m.Subscription([]byte("g"), []byte("T"))
					m.ConsumerConnection("g")
				}
			}
			for i := range 7 {
				m.ConnClosed(uint64(w*10+i), always)
			}
		}()
	}
	wg.Wait()
	if m.Group([]byte("g")) != nil || len(m.byConn) != 0 {
		t.Fatal("left over:", m.Consumers("g"), m.byConn)
	}
	if n := m.held(); n != 0 {
		t.Fatal("bytes held for nobody:", n)
	}
}
