package namesrv

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

func request(code int32, set ...string) *remoting.Command {
	req := remoting.NewRequest(code)
	for _, kv := range set {
		key, value, _ := strings.Cut(kv, "=")
		req.Set(key, value)
	}
	return req
}

// registerTopics registers a master with topics of one queue.
func registerTopics(t *testing.T, c *netpoll.Client, name, addr string, topics ...string) {
	t.Helper()
	var b remoting.RegisterBrokerBody
	b.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{}
	for _, topic := range topics {
		config := remoting.NewTopicConfig(topic, 1, 6)
		b.TopicConfigSerializeWrapper.TopicConfigTable[topic] = &config
	}
	req := request(remoting.CodeRegisterBroker, "clusterName=c", "brokerName="+name, "brokerAddr="+addr, "brokerId=0", "haServerAddr=h:1")
	var err error
	if req.Body, err = json.Marshal(&b); err != nil {
		t.Fatal(err)
	}
	if resp := call(t, c, req); resp.Code != 0 {
		t.Fatalf("registration: %d %s", resp.Code, resp.Remark)
	}
}

func routeCode(t *testing.T, c *netpoll.Client, topic string) int32 {
	t.Helper()
	return call(t, c, request(remoting.CodeGetRouteinfoByTopic, "topic="+topic)).Code
}

// until waits for something that other goroutines bring about, and leaves them the processor meanwhile.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			t.Fatal("in vain: " + what)
		}
	}
}

// TestBrokerGoesWithItsConnection, at once, and all that registered by it; one that registered anew by another stays.
func TestBrokerGoesWithItsConnection(t *testing.T) {
	s, c := startWith(t, Options{})
	broker := dial(t, s)
	registerTopics(t, broker, "b1", "1.1.1.1:1", "T1", "U1")
	registerTopics(t, broker, "b2", "1.1.1.1:2", "T2", "U2")
	registerTopics(t, broker, "b3", "1.1.1.1:3", "T3", "U3")
	registerTopics(t, dial(t, s), "b3", "1.1.1.1:3", "T3", "U3")
	for _, topic := range []string{"T1", "T2", "T3"} {
		if code := routeCode(t, c, topic); code != 0 {
			t.Fatal(topic, code)
		}
	}
	broker.Close()
	until(t, "the end of the routes", func() bool { return routeCode(t, c, "T1") == 17 && routeCode(t, c, "U2") == 17 })
	if code := routeCode(t, c, "T3"); code != 0 {
		t.Fatal("the broker that registered again lost its route:", code)
	}
}

// TestSilentBrokerExpires after its own timeout; heartbeats keep it.
func TestSilentBrokerExpires(t *testing.T) {
	var now atomic.Int64
	now.Store(1_000_000)
	s, c := startWith(t, Options{Clock: func() time.Time { return time.UnixMilli(now.Load()) }}, "scanNotActiveBrokerInterval=1")
	broker := dial(t, s)
	registerTopics(t, broker, "b", "1.1.1.1:1", "T", "U")
	now.Add(119_000)
	if resp := call(t, broker, request(remoting.CodeBrokerHeartbeat, "clusterName=c", "brokerName=b", "brokerAddr=1.1.1.1:1")); resp.Code != 0 {
		t.Fatal(resp.Code)
	}
	now.Add(119_000)
	scans := make(chan struct{})
	go func() { defer close(scans); s.routes.expire(s.o.Clock()) }()
	<-scans
	if code := routeCode(t, c, "T"); code != 0 {
		t.Fatal("expired in spite of heartbeats")
	}
	now.Add(2000)
	until(t, "expiry", func() bool { return routeCode(t, c, "T") == 17 })
	<-broker.Done()
}

// TestTimeoutOfTheRegistration: a broker may ask for a shorter one.
func TestTimeoutOfTheRegistration(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRoutes()
	body := &remoting.RegisterBrokerBody{}
	for i, timeout := range []time.Duration{10 * time.Second, defaultTimeout} {
		r.register(&registration{cluster: "c", name: fmt.Sprint("b", i), addr: fmt.Sprint("1.1.1.1:", i), timeout: timeout, conn: uint64(i), body: body}, now)
	}
	if gone := r.expire(now.Add(10 * time.Second)); len(gone) != 0 {
		t.Fatal(gone)
	}
	if gone := r.expire(now.Add(10*time.Second + time.Millisecond)); len(gone) != 1 || gone[0].conn != 0 {
		t.Fatal(gone)
	}
	if gone := r.expire(now.Add(defaultTimeout + time.Millisecond)); len(gone) != 1 || gone[0].conn != 1 {
		t.Fatal(gone)
	}
}

// TestKVFileIsStocks: a table put by requests survives a restart, in the form that stock reads and writes.
func TestKVFileIsStocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "kvConfig.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	// As stock writes it.
	if err := os.WriteFile(path, []byte("{\n\t\"configTable\":{\n\t\t\"old\":{\n\t\t\t\"a\":\"b\"\n\t\t}\n\t}\n}"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, c := start(t, path)
	for _, kv := range []string{"k1", "k2"} {
		if resp := call(t, c, request(remoting.CodePutKvConfig, "namespace=n", "key="+kv, "value=v of "+kv)); resp.Code != 0 {
			t.Fatal(resp.Code)
		}
	}
	if resp := call(t, c, request(remoting.CodeDeleteKvConfig, "namespace=n", "key=k1")); resp.Code != 0 {
		t.Fatal(resp.Code)
	}
	_, again := start(t, path)
	for _, want := range [][2]string{{"old", "a=b"}, {"n", "k2=v of k2"}} {
		key, value, _ := strings.Cut(want[1], "=")
		resp := call(t, again, request(remoting.CodeGetKvConfig, "namespace="+want[0], "key="+key))
		if got := resp.Text("value"); resp.Code != 0 || got != value {
			t.Errorf("%v: %d %q", want, resp.Code, got)
		}
	}
	if resp := call(t, again, request(remoting.CodeGetKvConfig, "namespace=n", "key=k1")); resp.Code != 22 {
		t.Error("deleted, but there:", resp.Code)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Error(left, err)
	}
}

func TestKVThatCannotBeSaved(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder", "kv.json")
	_, c := start(t, path)
	if err := os.WriteFile(filepath.Join(dir, "folder"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if resp := call(t, c, request(remoting.CodePutKvConfig, "namespace=n", "key=k", "value=v")); resp.Code != 1 || len(resp.Remark) == 0 {
		t.Fatal(resp.Code, string(resp.Remark))
	}
}

// TestKVIsBounded: what clients have kept is bounded, over a restart too; what is there can be changed and removed.
func TestKVIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.json")
	k, err := openKV(path)
	if err != nil {
		t.Fatal(err)
	}
	half := strings.Repeat("v", maxKVBytes/2-10)
	for _, key := range []string{"a", "b", "a"} {
		if err := k.put("n", key, half); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openKV(path)
	if err != nil || again.size != k.size {
		t.Fatal(again.size, k.size, err)
	}
	if err := again.put("n", "c", half); !errors.Is(err, errKVFull) {
		t.Fatal(err)
	}
	if _, ok := again.get("n", "c"); ok {
		t.Error("refused, but there")
	}
	for _, err := range []error{again.put("n", "b", "short"), again.put("n", "c", half), again.remove("n", "c"), again.remove("n", "c"), again.remove("n", "a")} {
		if err != nil {
			t.Error(err)
		}
	}
	if want := len("n") + len("b") + len("short"); again.size != want {
		t.Error(again.size, want)
	}
}

func TestABrokenKVFileIsNotOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kv.json")
	if err := os.WriteFile(path, []byte(`{"configTable":`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openKV(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openKV(path); err != nil {
		t.Fatal(err)
	}
}

// TestWaitForService: a name server that has just started may hold routes back until brokers have registered.
func TestWaitForService(t *testing.T) {
	var now atomic.Int64
	now.Store(1_000_000)
	_, c := startWith(t, Options{Clock: func() time.Time { return time.UnixMilli(now.Load()) }}, "needWaitForService=true")
	registerTopics(t, c, "b", "1.1.1.1:1", "T", "U")
	resp := call(t, c, request(remoting.CodeGetRouteinfoByTopic, "topic=T"))
	if resp.Code != 1 || string(resp.Remark) != "name server not ready" {
		t.Fatal(resp.Code, string(resp.Remark))
	}
	now.Add(46_000)
	if code := routeCode(t, c, "T"); code != 0 {
		t.Fatal(code)
	}
}

// TestSwitches: lists that are turned off, at run time, and what 318 may not change.
func TestSwitches(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namesrv.conf")
	if err := os.WriteFile(file, []byte("# mine\nenableTopicList=true\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, c := startWith(t, Options{ConfigFile: file})
	change := request(remoting.CodeUpdateNamesrvConfig)
	change.Body = []byte("enableTopicList=false\nenableAllTopicList=false\norderMessageEnable=true\n")
	if resp := call(t, c, change); resp.Code != 0 {
		t.Fatal(resp.Code, string(resp.Remark))
	}
	for _, code := range []int32{remoting.CodeGetAllTopicListFromNameserver, remoting.CodeGetTopicsByCluster, remoting.CodeGetUnitTopicList} {
		if resp := call(t, c, request(code, "cluster=c")); resp.Code != 1 || string(resp.Remark) != "disable" {
			t.Error(code, resp.Code, string(resp.Remark))
		}
	}
	registerTopics(t, c, "b", "1.1.1.1:1", "T", "U")
	call(t, c, request(remoting.CodePutKvConfig, "namespace=ORDER_TOPIC_CONFIG", "key=T", "value=b:4"))
	if resp := call(t, c, request(remoting.CodeGetRouteinfoByTopic, "topic=T")); !strings.Contains(string(resp.Body), `"orderTopicConf":"b:4"`) {
		t.Errorf("%s", resp.Body)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "enableTopicList=false") {
		t.Errorf("%s %v", b, err)
	}
	for _, key := range []string{"kvConfigPath", "configStorePath", "rocketmqHome", "configBlackList", "listenPort", "bindAddress", "adminHttpAddress", "adminAllowedCidrs", "brokerAllowedCidrs"} {
		change.Body = []byte("enableTopicList=true\n" + key + "=x\n")
		if resp := call(t, c, change); resp.Code != 16 || string(resp.Remark) != "Can not update config in black list." {
			t.Error(key, resp.Code, string(resp.Remark))
		}
	}
}

// TestRefused: neither a start nor a request may ask for what would leave connections open or masters unelected.
func TestRefused(t *testing.T) {
	for _, bad := range []string{"maxConnections=-1", "maxConnectionsPerHost=-1", "useTLS=true", "tls.server.mode=enforcing", "enableControllerInNamesrv=true", "listenPort=70000"} {
		all, err := settings.ParseProperties("namesrv.conf", []byte("\n"+bad))
		if err != nil {
			t.Fatal(err)
		}
		v, err := Keys().Merge(all)
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(v); err == nil || !strings.HasPrefix(err.Error(), "namesrv.conf:2: "+bad+" is ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	_, c := startWith(t, Options{})
	change := request(remoting.CodeUpdateNamesrvConfig)
	change.Body = []byte("enableTopicList=false\nuseTLS=true\n")
	if resp := call(t, c, change); resp.Code != remoting.RespSystemError || !strings.Contains(string(resp.Remark), "useTLS=true is refused") {
		t.Error(resp.Code, string(resp.Remark))
	}
}

// TestActingMaster: when the master of a group goes, its topics stay readable by the acting slave and are not written to.
func TestActingMaster(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRoutes()
	body := func() *remoting.RegisterBrokerBody {
		b := &remoting.RegisterBrokerBody{}
		one, two := remoting.NewTopicConfig("T", 4, 6), remoting.NewTopicConfig("U", 4, 6)
		b.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{"T": &one, "U": &two}
		return b
	}
	perm := func() int32 {
		t.Helper()
		route, ok := r.route("T")
		if !ok {
			t.Fatal("no route")
		}
		return route.QueueDatas[0].Perm
	}
	master := &registration{cluster: "c", name: "b", addr: "m:1", timeout: time.Minute, acting: true, hasActing: true, conn: 1, body: body()}
	slave := &registration{cluster: "c", name: "b", addr: "s:1", id: 1, timeout: time.Minute, acting: true, hasActing: true, conn: 2, body: body()}
	r.register(master, now)
	r.register(slave, now)
	if p := perm(); p != 6 {
		t.Fatal(p)
	}
	r.connectionClosed(1)
	if p := perm(); p != 4 {
		t.Fatal("the group has no master and may be written to:", p)
	}
	r.register(slave, now)
	if p := perm(); p != 4 {
		t.Fatal(p)
	}
	r.register(master, now)
	if p := perm(); p != 6 {
		t.Fatal("the master is back:", p)
	}
	// The slave becomes the master under its old address.
	promoted := *slave
	promoted.id, promoted.conn = 0, 3
	r.unregister("c", "b", "m:1")
	r.register(&promoted, now)
	if route, _ := r.route("T"); len(route.BrokerDatas[0].BrokerAddrs) != 1 || route.BrokerDatas[0].BrokerAddrs[0] != "s:1" {
		t.Fatal(route.BrokerDatas)
	}
}

// TestManyTopicsOneByOne: new topics come in registrations of one topic each, and the ten-thousandth costs no more than the first.
func TestManyTopicsOneByOne(t *testing.T) {
	r := newRoutes()
	now := time.Unix(1000, 0)
	add := func(n int) {
		topic := remoting.NewTopicConfig(fmt.Sprint("T", n), 4, 6)
		b := &remoting.RegisterBrokerBody{}
		b.TopicConfigSerializeWrapper.DataVersion.Counter = int64(n)
		b.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{topic.TopicName: &topic}
		if n == 0 {
			b.TopicConfigSerializeWrapper.TopicConfigTable["other"] = &topic
		}
		if _, ok := r.register(&registration{cluster: "c", name: "b", addr: "1.1.1.1:1", timeout: time.Minute, body: b}, now); !ok {
			t.Fatal("refused")
		}
	}
	add(0)
	few := testing.AllocsPerRun(100, func() { add(1) })
	for n := range 10_000 {
		add(n)
	}
	if many := testing.AllocsPerRun(100, func() { add(1) }); many > few+1 {
		t.Errorf("%v objects for a registration among ten thousand topics, %v among few", many, few)
	}
	if _, _, _, topics, _ := r.sizes(); topics != 10_001 {
		t.Fatal(topics)
	}
}

// TestReadersBesideWriters: routes are read while brokers come and go. For the race detector.
func TestReadersBesideWriters(t *testing.T) {
	s, c := startWith(t, Options{})
	registerTopics(t, c, "stays", "1.1.1.1:9", "T", "U")
	var all sync.WaitGroup
	for i := range 3 {
		broker, reader := dial(t, s), dial(t, s)
		all.Add(2)
		go func() {
			defer all.Done()
			for range 30 {
				registerTopics(t, broker, fmt.Sprint("b", i), fmt.Sprint("1.1.1.1:", i), "T", "U", "V")
				call(t, broker, request(remoting.CodeWipeWritePermOfBroker, fmt.Sprint("brokerName=b", i)))
				call(t, broker, request(remoting.CodeUnregisterBroker, "clusterName=c", fmt.Sprint("brokerName=b", i), fmt.Sprint("brokerAddr=1.1.1.1:", i), "brokerId=0"))
			}
		}()
		go func() {
			defer all.Done()
			for range 100 {
				if code := routeCode(t, reader, "T"); code != 0 {
					t.Error(code)
				}
				call(t, reader, request(remoting.CodeGetBrokerClusterInfo))
				call(t, reader, request(remoting.CodeGetAllTopicListFromNameserver))
			}
		}()
	}
	all.Wait()
}
