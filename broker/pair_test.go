package broker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/record"
)

// pairRig is a name server, a master and a slave in this process, copying over loopback.
type pairRig struct {
	t             *testing.T
	master, slave *rig
	masterKeys    []string
	slaveKeys     []string
}

func newPair(t *testing.T, masterKeys ...string) *pairRig {
	t.Helper()
	m := &rig{t: t, root: t.TempDir()}
	m.startRoutes("127.0.0.1", 0)
	p := &pairRig{t: t, master: m, slave: &rig{t: t, root: t.TempDir(), routes: m.routes}, masterKeys: masterKeys,
		slaveKeys: []string{"brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true"}}
	p.startMaster()
	p.startSlave()
	return p
}

// startMaster starts the master, where it was before if it was there: clients know it by its address.
func (p *pairRig) startMaster() {
	p.t.Helper()
	p.master.startBroker(p.masterKeys...)
}

func (p *pairRig) startSlave() {
	p.t.Helper()
	p.slave.startBroker(p.slaveKeys...)
}

// copied waits until the slave has the master's log in its queues.
func (p *pairRig) copied() {
	p.t.Helper()
	until(p.t, "copied", func() bool {
		m, s := p.master.broker.store, p.slave.broker.store
		return s.LogMax() == m.LogMax() && s.Stats().DispatchBehindBytes == 0
	})
}

// hears waits until the slave knows what the name server says of the master.
func (p *pairRig) hears(alive bool) {
	p.t.Helper()
	until(p.t, fmt.Sprint("slave hears that its master lives: ", alive), func() bool {
		return p.slave.broker.replication.group.masterAlive() == alive
	})
}

func field(resp *remoting.Command, key string) string {
	v, _ := resp.Get(key)
	return string(v)
}

func commit(group, topic string, queue int, offset int64) *remoting.Command {
	return request(remoting.CodeUpdateConsumerOffset, "consumerGroup", group, "topic", topic, "queueId", queue, "commitOffset", offset)
}

func progressOf(c *client, group, topic string, queue int) string {
	return field(c.call(request(remoting.CodeQueryConsumerOffset, "consumerGroup", group, "topic", topic, "queueId", queue, "setZeroIfNotFound", false)), "offset")
}

// TestConsumersGoOnAtTheSlave is the whole story: messages are copied, the master ends, consumers go on at the slave, the master comes
// back, and consumers and their progress return to it.
func TestConsumersGoOnAtTheSlave(t *testing.T) {
	t.Parallel()
	p := newPair(t, "brokerRole=SYNC_MASTER", "slaveReadEnable=true")
	m, s := p.master.dial(), p.slave.dial()
	until(t, "slave in step", func() bool { return p.master.broker.replication.leader.Agreed().InStep == 2 })
	var ids []string
	for i := range 10 {
		resp := m.call(sendTo("T", 0, fmt.Sprintf("KEYS\x01order%d\x02UNIQ_KEY\x01uniq%d\x02", i, i), strconv.Itoa(i)))
		want(t, resp, remoting.RespSuccess, "")
		ids = append(ids, field(resp, "msgId"))
	}
	p.master.visibleMax("T", 0, 10)
	want(t, m.call(pullOf("G", "T", 0, 0, "*", 0)), remoting.RespSuccess, "FOUND")
	want(t, m.call(commit("G", "T", 0, 4)), remoting.RespSuccess, "")
	p.copied()
	p.hears(true)
	until(t, "the topic is at the slave", func() bool { _, ok := p.slave.broker.topics.Lookup("T"); return ok })
	until(t, "group and progress are at the slave", func() bool {
		_, ok := p.slave.broker.groups.Lookup("G")
		return ok && progressOf(s, "G", "T", 0) == "4"
	})
	if route := string(p.master.dialRoutes().call(request(remoting.CodeGetRouteinfoByTopic, "topic", "T", "acceptStandardJsonOnly", true)).Body); !strings.Contains(route, `"0":"`+p.master.broker.advertise.String()+`","1":"`+p.slave.broker.advertise.String()+`"`) {
		t.Fatal(route)
	}

	// While the master is there the slave serves, and sends clients back.
	resp := s.call(pullOf("G", "T", 0, 4, "*", 0))
	want(t, resp, remoting.RespSuccess, "FOUND")
	if field(resp, "suggestWhichBrokerId") != "0" || field(resp, "nextBeginOffset") != "10" {
		t.Fatalf("%v", resp.Ext)
	}
	want(t, s.call(pullOf("G", "T", 0, 10, "*", 5*time.Minute)), remoting.RespPullRetryImmediately, "OFFSET_OVERFLOW_ONE")
	want(t, s.call(sendTo("T", 0, "", "x")), remoting.RespSystemBusy, rejected.Remark)

	p.master.stopBroker()
	p.hears(false)
	p.findsAtTheSlave(s, 3, ids[3])
	held := s.start(pullOf("G", "T", 0, 10, "*", 5*time.Minute))
	resp = s.call(pullOf("G", "T", 0, 4, "*", 0))
	want(t, resp, remoting.RespSuccess, "FOUND")
	want(t, s.call(commit("G", "T", 0, 9)), remoting.RespSuccess, "")
	select {
	case resp := <-held:
		t.Fatal("answered while nothing is there and the master is gone:", resp.Code, string(resp.Remark))
	case <-time.After(2 * redirectPause):
	}

	p.startMaster()
	if got := progressOf(p.master.dial(), "G", "T", 0); got != "9" {
		t.Fatalf("the master begins with progress %q", got)
	}
	p.hears(true)
	resp = await(t, held)
	want(t, resp, remoting.RespPullRetryImmediately, "OFFSET_OVERFLOW_ONE")
	if field(resp, "suggestWhichBrokerId") != "0" {
		t.Fatalf("%v", resp.Ext)
	}
	m = p.master.dial()
	until(t, "slave in step", func() bool { return p.master.broker.replication.leader.Agreed().InStep == 2 })
	want(t, m.call(sendTo("T", 0, "", "after")), remoting.RespSuccess, "")
	p.copied()
}

// findsAtTheSlave asks a slave for message i of T by its key, by its unique key and by its id, as tools do.
func (p *pairRig) findsAtTheSlave(s *client, i int, id string) {
	t := p.t
	t.Helper()
	offset, err := strconv.ParseInt(id[len(id)-16:], 16, 64)
	if err != nil {
		t.Fatal(id, err)
	}
	query := func(key string, more ...any) *remoting.Command {
		return request(remoting.CodeQueryMessage, append([]any{"topic", "T", "key", key, "maxNum", 32, "beginTimestamp", 0, "endTimestamp", int64(1) << 62}, more...)...)
	}
	for what, ask := range map[string]*remoting.Command{
		"key":        query(fmt.Sprint("order", i)),
		"unique key": query(fmt.Sprint("uniq", i), "_UNIQUE_KEY_QUERY", true),
		"id":         request(remoting.CodeViewMessageById, "offset", offset),
	} {
		var resp *remoting.Command
		until(t, "found by "+what, func() bool { resp = s.call(ask); return resp.Code == remoting.RespSuccess }) // keys are entered behind the queues
		var r record.Record
		if err := r.Parse(resp.Body); err != nil || int(r.TotalSize) != len(resp.Body) || string(r.Body) != strconv.Itoa(i) || string(r.Topic) != "T" ||
			r.QueueOffset != int64(i) || r.PhysicalOffset != offset || r.StoreHost != p.master.broker.advertise {
			t.Errorf("by %s: %+v, %v", what, r, err)
		}
	}
	want(t, s.call(query("order10")), remoting.RespQueryNotFound, "can not find message, maybe time range not correct")
}

// TestOffsetsSurviveBothRestarts: the master comes back before the slave, which has the newer progress, and gets it when the slave comes.
func TestOffsetsSurviveBothRestarts(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	m := p.master.dial()
	for i := range 10 {
		want(t, m.call(sendTo("T", 0, "", strconv.Itoa(i))), remoting.RespSuccess, "")
	}
	p.master.visibleMax("T", 0, 10)
	want(t, m.call(pullOf("G", "T", 0, 0, "*", 0)), remoting.RespSuccess, "FOUND")
	want(t, m.call(commit("G", "T", 0, 4)), remoting.RespSuccess, "")
	s := p.slave.dial()
	p.copied()
	until(t, "group and progress are at the slave", func() bool {
		_, ok := p.slave.broker.groups.Lookup("G")
		return ok && progressOf(s, "G", "T", 0) == "4"
	})
	p.master.stopBroker()
	want(t, s.call(commit("G", "T", 0, 8)), remoting.RespSuccess, "")
	p.slave.stopBroker()
	p.startMaster()
	m = p.master.dial()
	if got := progressOf(m, "G", "T", 0); got != "4" {
		t.Fatal("nobody could say more, and the master has", got)
	}
	p.startSlave()
	until(t, "the master has it", func() bool { return progressOf(m, "G", "T", 0) == "8" })

	// What is set back at the master reaches the slave, and stays set back when the master restarts.
	want(t, m.call(request(remoting.CodeInvokeBrokerToResetOffset, "group", "G", "topic", "T", "queueId", 0, "offset", 2, "timestamp", -1, "isForce", true)), remoting.RespSuccess, "")
	s = p.slave.dial()
	until(t, "the slave follows", func() bool { return progressOf(s, "G", "T", 0) == "2" })
	p.master.stopBroker()
	p.startMaster()
	if got := progressOf(p.master.dial(), "G", "T", 0); got != "2" {
		t.Fatal("after the reset and a restart:", got)
	}
}

// TestTablesAreCopied: topics, groups, delays and modes of requests are the master's, and what is gone there goes here.
func TestTablesAreCopied(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	m := p.master.dial()
	want(t, m.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "Made", "defaultTopic", "TBW102", "readQueueNums", 3, "writeQueueNums", 3, "perm", 6,
		"topicFilterType", "SINGLE_TAG", "topicSysFlag", 0, "order", false)), remoting.RespSuccess, made.Remark)
	group := request(remoting.CodeUpdateAndCreateSubscriptiongroup)
	group.Body = []byte(`{"groupName":"Grp","consumeEnable":false,"retryQueueNums":2,"brokerId":0,"whichBrokerWhenConsumeSlowly":1}`)
	want(t, m.call(group), remoting.RespSuccess, "")
	// Modes cannot be set here (401): a master has what a stock broker left in its store.
	const modes = `{"messageRequestModeMap":{"Made":{"Grp":{"consumerGroup":"Grp","mode":"POP","popShareQueueNum":2,"topic":"Made"}}}}`
	if err := p.master.broker.store.SaveDoc(store.DocRequestMode, []byte(modes)); err != nil {
		t.Fatal(err)
	}
	want(t, m.call(sendTo("Made", 0, "DELAY\x011\x02", "later")), remoting.RespSuccess, "")
	b := p.slave.broker
	until(t, "topics and groups are copied", func() bool {
		c, ok := b.topics.Lookup("Made")
		g, there := b.groups.Lookup("Grp")
		return ok && c.ReadQueueNums == 3 && there && !g.ConsumeEnable && b.topics.Version() == p.master.broker.topics.Version()
	})
	has := func(doc store.Doc, text string) func() bool {
		return func() bool {
			loaded, err := b.store.LoadDoc(doc)
			var plain bytes.Buffer
			return err == nil && json.Compact(&plain, loaded) == nil && strings.Contains(plain.String(), text)
		}
	}
	until(t, "modes of requests are copied", has(store.DocRequestMode, modes))
	p.master.visibleMax("Made", 0, 1)
	until(t, "how far delays were delivered is copied", has(store.DocDelayOffsets, `"offsetTable":{"1":1`))
	want(t, m.call(request(remoting.CodeDeleteTopicInBroker, "topic", "Made")), remoting.RespSuccess, "")
	want(t, m.call(request(remoting.CodeDeleteSubscriptiongroup, "groupName", "Grp")), remoting.RespSuccess, "")
	until(t, "gone", func() bool {
		_, topic := b.topics.Lookup("Made")
		_, group := b.groups.Lookup("Grp")
		return !topic && !group
	})
}

// TestHAStatus: both sides say how the copying goes, as the tool asks.
func TestHAStatus(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	want(t, p.master.dial().call(sendTo("T", 0, "", "x")), remoting.RespSuccess, "")
	p.copied()
	var m, s remoting.HARuntimeInfo
	end := p.master.broker.store.LogMax()
	until(t, "acknowledged", func() bool {
		if err := remoting.Unmarshal(p.master.dial().call(request(remoting.CodeGetBrokerHaStatus)).Body, &m); err != nil {
			t.Fatal(err)
		}
		return len(m.HAConnectionInfo) == 1 && m.HAConnectionInfo[0].AckOffset == end && m.InSyncSlaves == 1 && m.HAConnectionInfo[0].InSync
	})
	if !m.Master || m.MasterMaxOffset != end || m.InSyncSlaves != 1 || m.HAConnectionInfo[0].Diff != 0 || !m.HAConnectionInfo[0].InSync || m.Client != (remoting.HAClientInfo{}) {
		t.Errorf("master: %+v", m)
	}
	slave := p.slave.dial()
	want(t, slave.call(request(remoting.CodeResetMasterFlushOffset, "masterFlushOffset", 100)), remoting.RespSuccess, "")
	if err := remoting.Unmarshal(slave.call(request(remoting.CodeGetBrokerHaStatus)).Body, &s); err != nil {
		t.Fatal(err)
	}
	if s.Master || s.MasterMaxOffset != 0 || len(s.HAConnectionInfo) != 0 || s.Client.MaxOffset != end || s.Client.MasterFlushOffset != 100 ||
		s.Client.MasterAddr != p.master.broker.replication.leader.Addr().String() || s.Client.LastReadTimestamp == 0 {
		t.Errorf("slave: %+v", s)
	}
	if info := p.slave.broker.runtimeInfo(nil, request(remoting.CodeGetBrokerRuntimeInfo)); !strings.Contains(string(info.Body), `"brokerActive":"false"`) {
		t.Error("the slave says that it is active")
	}
	if info := p.master.broker.runtimeInfo(nil, request(remoting.CodeGetBrokerRuntimeInfo)); !strings.Contains(string(info.Body), `"brokerActive":"true"`) {
		t.Error("the master does not say that it is active")
	}
}
