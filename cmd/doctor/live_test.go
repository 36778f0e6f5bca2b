package doctor

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// liveSetUps are set-ups that are broken on purpose, most with our own servers, some with servers that answer what the test wants.
// Each is diagnosed by name.
var liveSetUps = []struct {
	what  string // is broken
	state State
	want  string // the diagnosis
	make  func(t *testing.T) Options
}{
	{"nothing listens at the name server's address", Broken, "name-server-unreachable", func(t *testing.T) Options {
		return Options{NameServers: []string{deadAddr(t)}}
	}},
	{"the name server's host is not known", Broken, "name-server-unreachable", func(*testing.T) Options {
		return Options{NameServers: []string{"no-such-host.invalid:9876"}}
	}},
	{"the name server's address is the broker's", Broken, "not-a-name-server", func(t *testing.T) Options {
		r := newRig(t)
		return Options{NameServers: []string{r.addr()}}
	}},
	{"no broker registers", Broken, "no-broker-registered", func(t *testing.T) Options {
		return Options{NameServers: []string{newNamesrv(t).Addr().String()}}
	}},
	{"the broker registers at one of two name servers", Broken, "name-servers-disagree", func(t *testing.T) Options {
		r := newRig(t)
		r.o.NameServers = append(r.o.NameServers, newNamesrv(t).Addr().String())
		return r.o
	}},
	{"the broker registers elsewhere", Broken, "broker-not-registered", func(t *testing.T) Options {
		r := newRig(t)
		return Options{NameServers: []string{newNamesrv(t).Addr().String()}, Broker: r.addr()}
	}},
	{"the broker has ended without leaving", Broken, "advertised-address-unreachable", func(t *testing.T) Options {
		return Options{NameServers: []string{fakeNames(t, "broker-a="+deadAddr(t))}}
	}},
	{"the broker advertises an address that it does not listen on", Broken, "advertised-address-unreachable", func(t *testing.T) Options {
		return newRig(t, "brokerIP1=127.0.0.9").o
	}},
	{"the broker advertises 0.0.0.0", Broken, "advertised-address-unspecified", func(t *testing.T) Options {
		return Options{NameServers: []string{fakeNames(t, "broker-a=0.0.0.0:10911")}}
	}},
	{"the route leads to a name server", Broken, "not-a-broker", func(t *testing.T) Options {
		return Options{NameServers: []string{fakeNames(t, "broker-a="+newNamesrv(t).Addr().String())}}
	}},
	{"another broker has the address", Broken, "another-broker-answers", func(t *testing.T) Options {
		return Options{NameServers: []string{fakeNames(t, "broker-b="+newRig(t).addr())}}
	}},
	{"two brokers advertise one address", Broken, "two-brokers-one-address", func(t *testing.T) Options {
		addr := newRig(t).addr()
		return Options{NameServers: []string{fakeNames(t, "broker-a="+addr, "broker-b="+addr)}}
	}},
	{"the second port is closed", Warning, "fast-port-closed", func(t *testing.T) Options {
		return Options{NameServers: []string{fakeNames(t, "fake="+fakeBroker(t, nil, nil))}}
	}},
	{"the broker may only be read", Broken, "broker-not-writable", func(t *testing.T) Options { return newRig(t, "brokerPermission=4").o }},
	{"the broker was drained", Warning, "broker-drained", func(t *testing.T) Options { return drained(t).o }},
	{"no message is sent to a broker that was drained", Unknown, "test-message-not-sent", func(t *testing.T) Options { return drained(t).o }},
	{"the test message is not permitted", Broken, "test-message-not-permitted", func(t *testing.T) Options {
		return fakeOnly(t, func(a *reply) { a.code = remoting.RespNoPermission }, nil)
	}},
	{"the broker may only be written", Broken, "broker-not-readable", func(t *testing.T) Options { return newRig(t, "brokerPermission=2").o }},
	{"the disk is full by its warning level", Broken, "disk-full", func(t *testing.T) Options { return newRig(t, "diskSpaceWarningLevelRatio=1").o }},
	{"a message to a broker whose disk is full", Broken, "broker-takes-no-messages", func(t *testing.T) Options { return newRig(t, "diskSpaceWarningLevelRatio=1").o }},
	{"messages go before their time", Warning, "disk-nearly-full", func(t *testing.T) Options {
		return newRig(t, "diskMaxUsedSpaceRatio=1", "diskSpaceCleanForciblyRatio=1").o
	}},
	{"the clocks are five minutes apart", Broken, "clock-skew", func(t *testing.T) Options {
		r := newRig(t)
		r.o.Clock = func() time.Time { return time.Now().Add(-5 * time.Minute) }
		return r.o
	}},
	{"a key of the running broker does not exist", Warning, "config-key-unknown", func(t *testing.T) Options { return newRig(t, "sendFaster=true").o }},
	{"a key of the running broker does nothing", Warning, "config-key-without-effect", func(t *testing.T) Options { return newRig(t, "warmMapedFileEnable=true").o }},
	{"a key of the name server does not exist", Warning, "config-key-unknown", func(t *testing.T) Options {
		return Options{NameServers: []string{newNamesrv(t, "routesFaster=true").Addr().String()}}
	}},
	{"a key of the name server does nothing", Warning, "config-key-without-effect", func(t *testing.T) Options {
		return Options{NameServers: []string{newNamesrv(t, "serverWorkerThreads=16").Addr().String()}}
	}},
	{"a key of a name server's file is misspelt", Warning, "config-key-misspelt", func(t *testing.T) Options { return Options{ConfigFile: namesFile(t, "orderMessageEnabl=true\n")} }},
	{"the name server of the file knows no broker", Broken, "no-broker-registered", func(t *testing.T) Options { return Options{ConfigFile: namesFile(t, "")} }},
	{"the file was changed after the start", Warning, "config-not-in-force", func(t *testing.T) Options {
		r := newRig(t)
		r.o.ConfigFile = r.file("brokerName=broker-a\nbrokerIP1=127.0.0.1\nfileReservedTime=5\nnamesrvAddr=" + r.o.NameServers[0] + "\n")
		return r.o
	}},
	{"the message comes back with another body", Broken, "test-message-differs", func(t *testing.T) Options {
		return fakeOnly(t, nil, func(r *record.Record, _ *reply) { r.Body[7] ^= 1 })
	}},
	{"another message comes back", Broken, "test-message-differs", func(t *testing.T) Options {
		return fakeOnly(t, nil, func(r *record.Record, _ *reply) { r.Properties = []byte("UNIQ_KEY\x01another\x02") })
	}},
	{"the message does not come back", Broken, "test-message-not-returned", func(t *testing.T) Options {
		return fakeOnly(t, nil, func(_ *record.Record, a *reply) { a.code = remoting.RespPullNotFound })
	}},
	{"the broker does not answer sends", Broken, "broker-does-not-answer", func(t *testing.T) Options {
		return fakeOnly(t, func(a *reply) { a.silent = true }, nil)
	}},
	{"the disk does not sync in time", Warning, "disk-too-slow", func(t *testing.T) Options {
		return fakeOnly(t, func(a *reply) { a.code = remoting.RespFlushDiskTimeout }, nil)
	}},
	{"the slave is away", Warning, "slave-too-slow", func(t *testing.T) Options {
		return fakeOnly(t, func(a *reply) { a.code = remoting.RespSlaveNotAvailable }, nil)
	}},
	{"the broker is busy", Broken, "broker-busy", func(t *testing.T) Options {
		return fakeOnly(t, func(a *reply) { a.code = remoting.RespSystemBusy }, nil)
	}},
	{"a synchronous master has no slave", Warning, "too-few-copies", func(t *testing.T) Options { return newRig(t, "brokerRole=SYNC_MASTER").o }},
	{"a synchronous master without slaves refuses sends", Broken, "too-few-copies", func(t *testing.T) Options {
		return newRig(t, "brokerRole=SYNC_MASTER", "minInSyncReplicas=2").o
	}},
	{"the topic does not exist", Broken, "topic-not-there", func(t *testing.T) Options {
		r := newRig(t, "autoCreateTopicEnable=false")
		r.o.Topic = "Orders"
		return r.o
	}},
	{"the topic may not be read", Broken, "topic-not-readable", func(t *testing.T) Options { return topicRig(t, 4, 4, 2).o }},
	{"the topic may not be written", Warning, "topic-not-writable", func(t *testing.T) Options { return topicRig(t, 4, 4, 4).o }},
	{"the topic has queues that nobody reads", Broken, "topic-queues-never-read", func(t *testing.T) Options { return topicRig(t, 2, 4, 6).o }},
	{"the topic has no queue to write", Broken, "topic-without-queues", func(t *testing.T) Options { return topicRig(t, 4, 0, 6).o }},
	{"the name server has lost the topic", Broken, "topic-not-in-route", func(t *testing.T) Options {
		r := topicRig(t, 4, 4, 6)
		dial(t, r.o.NameServers[0], nil).must(remoting.CodeDeleteTopicInNamesrv, "", "topic", "T")
		r.o.NoMessage = true // to make a topic registers all of them
		return r.o
	}},
}

// deadAddr is an address that nothing listens on.
func deadAddr(t *testing.T) string { return "127.0.0.1:" + strings.Split(startStopped(t), ":")[1] }

// startStopped is the address of a name server that has ended.
func startStopped(t *testing.T) string {
	s := newNamesrv(t)
	addr := s.Addr().String()
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	return addr
}

// file writes a broker.conf.
func (r *rig) file(text string) string {
	r.t.Helper()
	name := filepath.Join(r.root, "broker.conf")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return name
}

// namesFile writes a namesrv.conf of a name server that runs.
func namesFile(t *testing.T, more string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(newNamesrv(t).Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "namesrv.conf")
	if err := os.WriteFile(name, []byte("kvConfigPath=/srv/kv.json\nlistenPort="+port+"\n"+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func fakeOnly(t *testing.T, sent func(*reply), pulled func(*record.Record, *reply)) Options {
	return Options{NameServers: []string{fakeNames(t)}, Broker: fakeBroker(t, sent, pulled), Timeout: 5 * time.Second}
}

// topicRig has a topic T, which doctor looks at.
func topicRig(t *testing.T, read, write, perm int) *rig {
	t.Helper()
	r := newRig(t)
	dial(t, r.addr(), nil).topic("T", read, write, perm)
	r.o.Topic = "T"
	return r
}

func TestLiveSetUps(t *testing.T) {
	for _, c := range liveSetUps {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel() // many of them wait for somebody who never answers
			report := Run(t.Context(), c.make(t))
			diagnosed(t, report.Findings, c.state, c.want)
			if code := report.ExitCode(); c.state == Broken && code == ExitFine {
				t.Error("exit code", code)
			}
		})
	}
}

// TestParted: a slave whose log is longer than its master's is named, by its own word and by the master's.
func TestParted(t *testing.T) {
	slave := newRig(t)
	dial(t, slave.addr(), nil).topic("T", 1, 1, 6)
	dial(t, slave.addr(), nil).send("T", 0)
	slave.stop()
	master := &rig{t: t, root: t.TempDir(), ns: slave.ns}
	master.start()
	slave.start("brokerRole=SLAVE", "brokerId=1")
	slave.o.NoMessage = true
	for began := time.Now(); ; {
		told := map[string]bool{}
		report := Run(t.Context(), slave.o)
		for _, f := range report.Findings {
			if f.Name == "pair-has-parted" && f.State == Broken && f.Fix != "" {
				told[f.About] = true
			}
		}
		if told["broker-a "+master.addr()] && told["broker-a/1 "+slave.addr()] {
			return
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%+v", report.Findings)
		}
	}
}

// TestContainer: an address of a container's network, which nobody answers at here, or somebody else.
func TestContainer(t *testing.T) {
	b := brokerSeen{Name: "broker-a", Addr: "172.17.0.2:10911", Listed: true, Err: &ask.UnreachableError{Addr: "172.17.0.2:10911", Err: os.ErrDeadlineExceeded}}
	for _, local := range []bool{true, false} {
		all := judgeAddress(&b, local)
		diagnosed(t, all, Broken, "advertised-address-of-a-container")
		if !strings.Contains(all[0].Fix, "brokerIP1") || !strings.Contains(all[0].Fix, "10909 and 10911") {
			t.Error(all[0].Fix)
		}
	}
}

// TestSomebodyElseInTheContainersNetwork: a proxy answers for every address, or another host has this one.
func TestSomebodyElseInTheContainersNetwork(t *testing.T) {
	b := brokerSeen{Name: "broker-a", Addr: "172.17.0.2:10911", Listed: true, AnswerErr: errors.New("remoting: broken frame: length 1213486160")}
	all := judgeAddress(&b, true)
	diagnosed(t, all, Broken, "advertised-address-of-a-container")
	if !strings.Contains(all[0].Seen, "speaks HTTP") {
		t.Error(all[0].Seen)
	}
	b.Addr = "10.0.0.5:10911"
	diagnosed(t, judgeAddress(&b, true), Broken, "not-a-broker")
}

// TestHealthy: nothing is found, and nothing is left behind.
func TestHealthy(t *testing.T) {
	r := newRig(t)
	m := dial(t, r.addr(), nil)
	m.topic("T", 2, 2, 6)
	r.member("c1", telling{topic: "T", expression: "*", queues: []int{0, 1}})
	before := string(m.must(remoting.CodeGetAllSubscriptiongroupConfig, "").Body)
	r.o.Topic, r.o.Group, r.o.Store, r.o.Broker = "T", "G", r.store(), r.addr()
	report := Run(t.Context(), r.o)
	nothingBroken(t, report.Findings)
	for _, name := range []string{"name-servers-agree", "advertised-address-reachable", "one-version", "clock-in-step", "broker-open", "disk-engine", "disk-space", "limits",
		"store", "test-message-round-trip", "topic-route", "group-consumes"} {
		diagnosed(t, report.Findings, OK, name)
	}
	for _, f := range report.Findings {
		if f.Name == "disk-engine" && f.Seen != "pwrite (configured)" {
			t.Error(f.Seen)
		}
	}
	if report.ExitCode() != ExitFine || report.LookedAt != 3 {
		t.Error(report.ExitCode(), report.LookedAt)
	}
	if got := m.ask(remoting.CodeGetTopicConfig, "", "topic", TestTopic); got.Code != remoting.RespTopicNotExist {
		t.Error("the topic is left behind:", got.Code)
	}
	if got := dial(t, r.o.NameServers[0], nil).ask(remoting.CodeGetRouteinfoByTopic, "", "topic", TestTopic); got.Code != remoting.RespTopicNotExist {
		t.Error("the route is left behind:", got.Code)
	}
	if after := string(m.must(remoting.CodeGetAllSubscriptiongroupConfig, "").Body); after != before {
		t.Error("a group is left behind:", after)
	}
}

// TestNoMessage: nothing is sent, and a topic that was there stays.
func TestNoMessage(t *testing.T) {
	r := newRig(t)
	m := dial(t, r.addr(), nil)
	m.topic(TestTopic, 1, 1, 6)
	r.o.NoMessage = true
	report := Run(t.Context(), r.o)
	nothingBroken(t, report.Findings)
	stats, err := (&visit{ask: ask.New(30 * time.Second)}).ask.TopicStats(t.Context(), r.addr(), TestTopic)
	if err != nil || len(stats.OffsetTable) != 1 || stats.OffsetTable[0].Value.MaxOffset != 0 {
		t.Error("a message was sent:", err, stats)
	}
	r.o.NoMessage = false
	diagnosed(t, Run(t.Context(), r.o).Findings, OK, "test-message-round-trip")
	if got := m.ask(remoting.CodeGetTopicConfig, "", "topic", TestTopic); got.Code != 0 {
		t.Error("a topic that was there before is gone")
	}
}

// TestNothingToLookAt: the exit code says so.
func TestNothingToLookAt(t *testing.T) {
	for _, o := range []Options{{}, {NameServers: []string{deadAddr(t)}}, {Broker: deadAddr(t)}, {Store: filepath.Join(t.TempDir(), "none")}, {ConfigFile: filepath.Join(t.TempDir(), "none.conf")}} {
		if code := Run(t.Context(), o).ExitCode(); code != ExitNothing {
			t.Errorf("%+v: exit code %d", o, code)
		}
	}
}

// startPair starts a synchronous master and a slave of its own that is read while the master is away.
func startPair(t *testing.T) (master, slave *rig) {
	t.Helper()
	master = newRig(t, "brokerRole=SYNC_MASTER", "slaveReadEnable=true")
	slave = &rig{t: t, root: t.TempDir(), ns: master.ns}
	slave.start("brokerRole=SLAVE", "brokerId=1", "slaveReadEnable=true")
	return master, slave
}

// TestHealthyPair: a pair that is in step is not complained about in any way, and what the message tells about the clock keeps its column.
func TestHealthyPair(t *testing.T) {
	master, slave := startPair(t)
	var report *Report
	for began := time.Now(); ; {
		if report = Run(t.Context(), master.o); report.Count(OK) == len(report.Findings) {
			break
		}
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%+v", report.Findings)
		}
	}
	if report.ExitCode() != ExitFine || len(report.Brokers) != 2 {
		t.Error(report.ExitCode(), report.Brokers)
	}
	diagnosed(t, report.Findings, OK, "slave-follows")
	diagnosed(t, report.Findings, OK, "slaves-in-step")
	for _, f := range report.Findings {
		if f.Check != "names" && f.About != "broker-a "+master.addr() && f.About != "broker-a/1 "+slave.addr() && f.Name != "one-version" {
			t.Errorf("about %q: %+v", f.About, f)
		}
	}
}

// TestMasterAway: what is said then is what happens: a slave takes what consumers have reached.
func TestMasterAway(t *testing.T) {
	master, slave := startPair(t)
	at := dial(t, master.addr(), nil)
	at.topic("T", 1, 1, 6)
	at.beat("c1", "G", "T", "*")
	until(t, "a message has two copies", func() bool { return at.sendCode("T", 0) == remoting.RespSuccess })
	m := dial(t, slave.addr(), nil)
	until(t, "the slave has topic and group", func() bool {
		return m.ask(remoting.CodeUpdateConsumerOffset, "", "consumerGroup", "G", "topic", "T", "queueId", "0", "commitOffset", "0").Code == remoting.RespSuccess
	})
	master.stop()
	report := Run(t.Context(), master.o)
	diagnosed(t, report.Findings, Broken, "no-master")
	for _, f := range report.Findings {
		if f.Name == "no-master" && (!strings.Contains(f.Why, "save their progress there") || strings.Contains(f.Why, "cannot")) {
			t.Error(f.Why)
		}
		if f.Name == "broker-not-active" {
			t.Errorf("%+v", f)
		}
	}
	m.commit("G", "T", 0, 1)
	if offset, _, _ := m.must(remoting.CodeQueryConsumerOffset, "", "consumerGroup", "G", "topic", "T", "queueId", "0").Int64("offset"); offset != 1 {
		t.Error("progress at the slave:", offset)
	}
}

// until waits for what another goroutine brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			t.Fatal("not in time: ", what)
		}
	}
}
