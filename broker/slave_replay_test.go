package broker

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringmq/broker/meta"
	"ringmq/interop/golden"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// TestReplaySlave replays what was asked of a recorded slave that may not be read from.
func TestReplaySlave(t *testing.T) {
	t.Parallel()
	r := newReplay(t, "brokerRole=SLAVE", "brokerId=1")
	r.broker.groups.Find([]byte("H_CG_pull"))
	r.broker.offsets.Commit([]byte("H_CG_pull"), []byte("H_Feed"), 0, 2)
	r.leaveOut = func(e *golden.Exchange, _ *remoting.Command) bool {
		// Progress of a queue that the recorded slave had.
		return e.Name == "GET_MAX_OFFSET"
	}
	r.scenario("ha-raw-slave-send")
	r.scenario("ha-raw-slave-pull")
	r.scenario("ha-mqadmin-brokerStatus")
	r.scenario("ha-mqadmin-clusterList-2")
	r.scenario("ha-mqadmin-haStatus-2")
	r.scenario("ha-mqadmin-resetMasterFlushOffset")
	r.enough(50, 0)
}

// TestReplayStockSlave: a stock slave is answered by our master as by its own.
func TestReplayStockSlave(t *testing.T) {
	t.Parallel()
	r := newReplay(t)
	r.broker.offsets.Commit([]byte("H_CG_pull"), []byte("H_Feed"), 0, 2)
	r.scenario("background-ha")
	r.scenario("ha-mqadmin-haStatus")
	r.scenario("mqadmin-haStatus")
	r.scenario("mqadmin-getBrokerEpoch")
	r.enough(50, 0)
}

// TestReplaySyncMaster replays what clients did with a recorded SYNC_MASTER of two copies: alone before its slave came, with it, without it
// again, and while it came back. What was answered without a second copy is in its queue like the rest.
func TestReplaySyncMaster(t *testing.T) {
	t.Parallel()
	m := &rig{t: t, root: t.TempDir()}
	m.startRoutes("127.0.0.1", 0)
	// A send that waits for a slave, where it is to be told that there is none, does not end within the test.
	m.startBroker("brokerRole=SYNC_MASTER", "inSyncReplicas=2", "slaveTimeout=600000", "messageDelayLevel="+strings.Repeat("0s ", 18))
	s := &rig{t: t, root: t.TempDir(), routes: m.routes}
	slaveComes := func() {
		s.startBroker("brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true")
		inStep(t, m, 2)
	}
	r := &replay{rig: m, slave: s, conns: map[string]*client{}, physical: map[int64]int64{}, skipped: map[string]int{}}
	r.scenario("ha-alone")
	slaveComes()
	for _, name := range []string{"mqadmin-updateTopic", "mqadmin-updateSubGroup", "mqadmin-clusterList", "fill-feed", "produce",
		"produce-batch", "produce-props", "produce-delay", "consume"} {
		r.scenario("ha-" + name)
	}
	s.stopBroker()
	inStep(t, m, 1)
	r.scenario("ha-slave-restarts")
	r.before = map[string]func(){"ha-produce-more/10": slaveComes}
	r.scenario("ha-produce-more")
	r.enough(150, 10)
	for topic, ends := range map[string][]int64{"H_Alone": {1, 1, 1, 0}, "H_Ha": {19, 19, 18, 17}} {
		for q, end := range ends {
			until(t, fmt.Sprint(topic, " ", q, " ends where the recorded queue did"), func() bool { return m.broker.store.MaxOffset([]byte(topic), int32(q)) == end })
		}
	}
}

// recordedMaster is a stock master as it was recorded: it answers each code with what it answered first or, from more on, last.
type recordedMaster struct {
	t       *testing.T
	ln      net.Listener
	all     sync.WaitGroup
	mu      sync.Mutex
	open    []net.Conn
	answers map[int32][][]byte
	asked   map[int32]int
	offsets []*remoting.Command // progress that was offered
}

func newRecordedMaster(t *testing.T) *recordedMaster {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &recordedMaster{t: t, ln: ln, answers: map[int32][][]byte{}, asked: map[int32]int{}}
	for _, e := range golden.Scenario(t, "background-ha") {
		if e.Code != nil && e.Client == "slave" && len(e.Response) > 0 {
			m.answers[int32(*e.Code)] = append(m.answers[int32(*e.Code)], e.Response)
		}
	}
	m.listen(ln)
	t.Cleanup(func() {
		_ = m.ln.Close()
		m.all.Wait()
	})
	return m
}

func (m *recordedMaster) listen(ln net.Listener) {
	m.ln = ln
	m.all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.open = append(m.open, c)
			m.mu.Unlock()
			m.all.Go(func() { m.serve(c) })
		}
	})
}

// die ends it as a kill does.
func (m *recordedMaster) die() {
	_ = m.ln.Close()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.open {
		_ = c.Close()
	}
	m.open = nil
}

func (m *recordedMaster) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := make([]byte, 0, 1<<16)
	for {
		n, err := c.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		for len(in) >= 4 {
			size := 4 + int(in[0])<<24 + int(in[1])<<16 + int(in[2])<<8 + int(in[3])
			if len(in) < size {
				break
			}
			var req remoting.Command
			if err := req.Decode(in[:size]); err != nil {
				m.t.Error(err)
				return
			}
			if _, err := c.Write(m.answer(req.Clone())); err != nil {
				return
			}
			in = append(in[:0], in[size:]...)
		}
	}
}

func (m *recordedMaster) answer(req *remoting.Command) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[req.Code]++
	if req.Code == remoting.CodeUpdateConsumerOffset {
		m.offsets = append(m.offsets, req)
		return remoting.AppendReply(nil, req.Encoding, req.Opaque, remoting.RespSuccess, "")
	}
	all := m.answers[req.Code]
	if len(all) == 0 {
		return remoting.AppendReply(nil, req.Encoding, req.Opaque, remoting.RespRequestCodeNotSupported, "not recorded")
	}
	var resp remoting.Command
	if err := resp.Decode(all[min(m.asked[req.Code], len(all))-1]); err != nil {
		m.t.Error(err)
	}
	resp.Opaque = req.Opaque
	return remoting.AppendCommand(nil, &resp)
}

// slave starts a slave of it.
func (m *recordedMaster) slave(o Options) *rig {
	r := &rig{t: m.t, root: m.t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	// The master is in the route before the slave asks.
	register := request(remoting.CodeRegisterBroker, "brokerName", "broker-a", "clusterName", "DefaultCluster", "brokerId", 0, "brokerAddr", m.ln.Addr().String(),
		"haServerAddr", "127.0.0.1:9", "enableActingMaster", false, "compressed", false, "bodyCrc32", 0)
	want(m.t, r.dialRoutes().call(register), remoting.RespSuccess, "")
	r.startWith(o, func(*Broker) {}, "brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true")
	return r
}

// TestSlaveOfAStockMaster: our slave takes the tables of a recorded stock master, in its dialect of JSON.
func TestSlaveOfAStockMaster(t *testing.T) {
	t.Parallel()
	m := newRecordedMaster(t)
	r := m.slave(Options{})
	b := r.broker
	if known := b.replication.group.master(); known.addr != m.ln.Addr().String() || known.haAddr != "127.0.0.1:9" || b.masterHA() != "127.0.0.1:9" {
		t.Fatalf("%+v", known)
	}
	until(t, "all is copied", func() bool {
		offset, ok := b.offsets.Query([]byte("H_CG_pull"), []byte("H_Feed"), 3)
		return ok && offset == 2 && b.topics.Len() > 0
	})
	until(t, "modes of requests are copied", func() bool { // the last of what is asked for
		saved, err := b.store.LoadDoc(store.DocRequestMode)
		return err == nil && strings.Contains(string(saved), "HaGroup")
	})
	var topics remoting.TopicConfigTable
	if err := remoting.Unmarshal(bodyOf(t, m.answers[remoting.CodeGetAllTopicConfig][0]), &topics); err != nil {
		t.Fatal(err)
	}
	if all, version := b.topics.Snapshot(); version != topics.DataVersion || len(all) != len(topics.TopicConfigTable) || all["H_Feed"] == nil {
		t.Errorf("%d topics of version %v, the master has %d of %v", len(all), version, len(topics.TopicConfigTable), topics.DataVersion)
	}
	if _, ok := b.groups.Lookup("SELF_TEST_C_GROUP"); !ok {
		t.Error("groups were not copied")
	}
	// What is committed here the master is offered, once it is asked again.
	b.offsets.Commit([]byte("H_CG_pull"), []byte("H_Feed"), 0, 5)
	var o *remoting.Command
	until(t, "progress is offered", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.offsets) > 0 {
			o = m.offsets[0]
		}
		return o != nil
	})
	if o.Text("consumerGroup") != "H_CG_pull" || o.Text("topic") != "H_Feed" || o.Text("queueId") != "0" || o.Text("commitOffset") != "5" {
		t.Errorf("offered %v", o.Ext)
	}
}

// TestStockMasterThatWasAway: a name server hears of a master's end before the slave looks at it again, and when the master is back with an older
// table, of the same version as stock's mostly are, the slave has kept what it knew, and offers it.
func TestStockMasterThatWasAway(t *testing.T) {
	t.Parallel()
	m := newRecordedMaster(t)
	addr := m.ln.Addr().String()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	register := func() *client {
		c := r.dialRoutes()
		want(t, c.call(request(remoting.CodeRegisterBroker, "brokerName", "broker-a", "clusterName", "DefaultCluster", "brokerId", 0, "brokerAddr", addr,
			"haServerAddr", "127.0.0.1:9", "enableActingMaster", false, "compressed", false, "bodyCrc32", 0)), remoting.RespSuccess, "")
		return c
	}
	registered := register()
	r.startBroker("brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true")
	b := r.broker
	knows := func() bool {
		offset, ok := b.offsets.Query([]byte("H_CG_pull"), []byte("H_Feed"), 3)
		return ok && offset == 2
	}
	until(t, "progress is copied", knows)
	m.die()
	registered.Close()
	until(t, "the master is gone", func() bool { return b.replication.group.master().addr == "" && b.replication.sync.gone.Load() })
	m.mu.Lock()
	var older meta.OffsetsDoc
	last := m.answers[remoting.CodeGetAllConsumerOffset]
	if err := remoting.Unmarshal(bodyOf(t, last[len(last)-1]), &older); err != nil {
		t.Fatal(err)
	}
	delete(older.OffsetTable, "H_Feed@H_CG_pull")
	text, err := json.Marshal(&older)
	if err != nil {
		t.Fatal(err)
	}
	m.answers[remoting.CodeGetAllConsumerOffset] = [][]byte{remoting.AppendCommand(nil, &remoting.Command{Flag: 1, Body: text})}
	m.mu.Unlock()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	m.listen(ln)
	register()
	until(t, "progress is offered", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.ContainsFunc(m.offsets, func(o *remoting.Command) bool {
			return o.Text("consumerGroup") == "H_CG_pull" && o.Text("topic") == "H_Feed" && o.Text("queueId") == "3" && o.Text("commitOffset") == "2"
		})
	})
	if !knows() {
		t.Error("the slave has forgotten it")
	}
}

func bodyOf(t *testing.T, frame []byte) []byte {
	t.Helper()
	var c remoting.Command
	if err := c.Decode(frame); err != nil {
		t.Fatal(base64.StdEncoding.EncodeToString(frame), err)
	}
	return c.Body
}

// TestAbsentNameServersLeaveTheSlaveAsStock: without word of the group the master counts as alive.
func TestAbsentNameServersLeaveTheSlaveAsStock(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startBroker("brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true", "namesrvAddr=")
	r.broker.topics.Ensure(remoting.NewTopicConfig("T", 1, 6))
	resp := r.dial().call(pullOf("G", "T", 0, 7, "*", 0))
	want(t, resp, remoting.RespPullRetryImmediately, "NO_MESSAGE_IN_QUEUE")
	if field(resp, "nextBeginOffset") != "7" || field(resp, "suggestWhichBrokerId") != "0" {
		t.Errorf("%v", resp.Ext)
	}
}

// TestOffsetsOfASlave: what is not right with an offset is corrected where offsetCheckInSlave says so, as formats 6.4 has it.
func TestOffsetsOfASlave(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alive bool
		check string
		code  int32
		next  string
	}{
		{false, "false", remoting.RespPullRetryImmediately, "7"},
		{false, "true", remoting.RespPullOffsetMoved, "0"},
		{true, "true", remoting.RespPullRetryImmediately, "0"},
		{true, "false", remoting.RespPullRetryImmediately, "7"},
	} {
		r := newRig(t, "brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true", "offsetCheckInSlave="+c.check)
		r.broker.topics.Ensure(remoting.NewTopicConfig("T", 1, 6))
		until(t, "the group is known", func() bool { return !r.broker.replication.group.masterAlive() })
		if c.alive {
			want(t, r.dialRoutes().call(request(remoting.CodeRegisterBroker, "brokerName", "broker-a", "clusterName", "DefaultCluster", "brokerId", 0,
				"brokerAddr", "127.0.0.1:9", "haServerAddr", "127.0.0.1:9", "enableActingMaster", false, "compressed", false, "bodyCrc32", 0)), remoting.RespSuccess, "")
			want(t, r.dial().call(request(remoting.CodeNotifyMinBrokerIdChange)), remoting.RespSuccess, "")
			until(t, "the master is known", r.broker.replication.group.masterAlive)
		}
		resp := r.dial().call(pullOf("G", "T", 0, 7, "*", 0))
		if resp.Code != c.code || field(resp, "nextBeginOffset") != c.next || field(resp, "suggestWhichBrokerId") != "0" {
			t.Errorf("%+v: %d %v", c, resp.Code, resp.Ext)
		}
	}
}
