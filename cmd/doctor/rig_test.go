package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/broker"
	"ringmq/broker/config"
	"ringmq/cmd/ask"
	"ringmq/namesrv"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
	"ringmq/store/record"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// rig is a name server and a broker in this process, on loopback. o is what doctor is told.
type rig struct {
	t    *testing.T
	root string
	ns   *namesrv.Server
	b    *broker.Broker
	o    Options
	down bool
}

func merged(t *testing.T, table *settings.Table, pairs ...string) *settings.Values {
	t.Helper()
	var all []settings.Setting
	for _, p := range pairs {
		s, err := settings.FromFlag(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	v, err := table.Merge(all)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// newNamesrv starts a name server without brokers. more are settings, key=value.
func newNamesrv(t *testing.T, more ...string) *namesrv.Server {
	t.Helper()
	v := merged(t, namesrv.Keys(), append([]string{"bindAddress=127.0.0.1", "listenPort=0", "kvConfigPath=" + filepath.Join(t.TempDir(), "kv.json")}, more...)...)
	s, err := namesrv.New(namesrv.Options{Values: v, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s
}

// newRig starts both. more are settings of the broker, key=value.
func newRig(t *testing.T, more ...string) *rig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir(), ns: newNamesrv(t)}
	r.o = Options{NameServers: []string{r.ns.Addr().String()}, Timeout: 30 * time.Second}
	r.start(more...)
	return r
}

// freePort finds a port that is free together with the broker's others: the second one, two below, and the slaves', one above. It is
// none that an outgoing connection may be given meanwhile.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 16_000 + rand.IntN(4_000)*4
		free := true
		for _, p := range []int{port - 2, port, port + 1} {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p))
			if free = free && err == nil; err == nil {
				_ = l.Close()
			}
		}
		if free {
			return port
		}
	}
	t.Fatal("no three free ports")
	return 0
}

func (r *rig) start(more ...string) {
	r.t.Helper()
	err := onFreePort(r.t, func(port int) error { return r.startOn(port, more) })
	if err != nil {
		r.t.Fatal(err)
	}
	r.down = false
	r.t.Cleanup(r.stop)
}

// onFreePort calls fn with free ports until it finds none taken meanwhile, by somebody else's rig.
func onFreePort(t *testing.T, fn func(port int) error) (err error) {
	t.Helper()
	for range 100 {
		if err = fn(freePort(t)); err == nil || !strings.Contains(err.Error(), "address already in use") {
			return err
		}
	}
	return err
}

func (r *rig) startOn(port int, more []string) error {
	r.t.Helper()
	pairs := append([]string{
		"bindAddress=127.0.0.1", "listenPort=" + strconv.Itoa(port), "brokerIP1=127.0.0.1", "brokerIP2=127.0.0.1", "brokerName=broker-a", "brokerClusterName=DefaultCluster",
		"namesrvAddr=" + r.ns.Addr().String(), "storePathRootDir=" + r.store(), "mappedFileSizeCommitLog=8388608",
		"maxHashSlotNum=1000", "maxIndexNum=4000", "tailCacheBytes=4194304", "diskEngine=pwrite", "flushDiskType=ASYNC_FLUSH",
		"diskMaxUsedSpaceRatio=98", "diskSpaceCleanForciblyRatio=99", "diskSpaceWarningLevelRatio=100",
	}, more...)
	c, err := config.New(merged(r.t, config.Keys("127.0.0.1"), pairs...))
	if err != nil {
		r.t.Fatal(err)
	}
	b, err := broker.New(broker.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Loops: 1})
	if err == nil {
		err = b.Start()
	}
	r.b = b
	return err
}

func (r *rig) store() string { return filepath.Join(r.root, "store") }

func (r *rig) addr() string { return r.b.Addr().String() }

func (r *rig) stop() {
	if r.down {
		return
	}
	r.down = true
	if err := r.b.Shutdown(context.Background()); err != nil {
		r.t.Error("shutdown:", err)
	}
}

// member is a client of the test's own.
type member struct {
	*netpoll.Client
	t *testing.T
}

// dial connects to an address. told answers what the server asks (307); nil: nothing is answered.
func dial(t *testing.T, addr string, told func() string) *member {
	t.Helper()
	m := &member{t: t}
	ready := make(chan struct{})
	c, err := netpoll.Dial(context.Background(), addr, netpoll.DialOptions{OnRequest: func(req *remoting.Command) {
		if <-ready; told == nil || req.IsOneway() {
			return
		}
		b := remoting.BeginReply(nil, req.Encoding, req.Opaque, remoting.RespSuccess)
		b.Body([]byte(told()))
		_ = m.Reply(b.End())
	}})
	if err != nil {
		t.Fatal(err)
	}
	m.Client = c
	close(ready)
	t.Cleanup(c.Close)
	return m
}

func (m *member) ask(code int32, body string, fields ...string) *remoting.Command {
	m.t.Helper()
	req := ask.Request(code, fields...)
	req.Body = []byte(body)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	resp, err := m.Call(ctx, req)
	if err != nil {
		m.t.Fatalf("%s: %v", remoting.CodeName(code), err)
	}
	return resp
}

// must asks and wants success.
func (m *member) must(code int32, body string, fields ...string) *remoting.Command {
	m.t.Helper()
	resp := m.ask(code, body, fields...)
	if resp.Code != remoting.RespSuccess {
		m.t.Fatalf("%s: code %d %s", remoting.CodeName(code), resp.Code, resp.Remark)
	}
	return resp
}

// topic makes a topic.
func (m *member) topic(name string, read, write, perm int) {
	m.t.Helper()
	m.must(remoting.CodeUpdateAndCreateTopic, "", "topic", name, "defaultTopic", "TBW102", "readQueueNums", strconv.Itoa(read), "writeQueueNums", strconv.Itoa(write),
		"perm", strconv.Itoa(perm), "topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false")
}

func (m *member) send(topic string, queue int) {
	m.t.Helper()
	if code := m.sendCode(topic, queue); code != remoting.RespSuccess {
		m.t.Fatal("a send is answered with code", code)
	}
}

// sendCode sends, and says what that was answered with.
func (m *member) sendCode(topic string, queue int) int32 {
	m.t.Helper()
	return m.ask(remoting.CodeSendMessageV2, "body", "a", "P", "b", topic, "c", "TBW102", "d", "4", "e", strconv.Itoa(queue), "f", "0", "g", "1", "h", "0", "i", "", "j", "0", "k", "false", "l", "0", "m", "false").Code
}

// commit says how far a group is.
func (m *member) commit(group, topic string, queue int, offset int64) {
	m.t.Helper()
	m.must(remoting.CodeUpdateConsumerOffset, "", "consumerGroup", group, "topic", topic, "queueId", strconv.Itoa(queue), "commitOffset", strconv.FormatInt(offset, 10))
}

// beat registers the connection as a member of a group.
func (m *member) beat(client, group, topic, expression string) {
	m.t.Helper()
	body, err := json.Marshal(map[string]any{"clientID": client, "consumerDataSet": []any{map[string]any{
		"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
		"subscriptionDataSet": []any{map[string]any{"topic": topic, "subString": expression, "subVersion": 1, "tagsSet": []string{}, "codeSet": []int32{}, "expressionType": "TAG"}},
	}}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.must(remoting.CodeHeartBeat, string(body))
}

// telling is what a member answers to 307.
type telling struct {
	topic, expression string
	queues            []int
	change            func(q *ask.ProcessQueue)
	properties        map[string]string
	status            string
}

// text is the answer in stock's dialect.
func (a telling) text(namesrv string) string {
	properties := map[string]string{"PROP_NAMESERVER_ADDR": namesrv + ";", "PROP_CONSUMEORDERLY": "false", "messageModel": "CLUSTERING"}
	for k, v := range a.properties {
		properties[k] = v
	}
	p, _ := json.Marshal(properties)
	var queues remoting.QueueTable[ask.ProcessQueue]
	for _, id := range a.queues {
		now := time.Now().UnixMilli()
		q := ask.ProcessQueue{LastConsume: now, LastPull: now, LastLock: now}
		if a.change != nil {
			a.change(&q)
		}
		queues = append(queues, remoting.QueueEntry[ask.ProcessQueue]{Queue: remoting.MessageQueue{Topic: a.topic, BrokerName: "broker-a", QueueID: int32(id)}, Value: q})
	}
	status := a.status
	if status == "" {
		status = "{}"
	}
	return fmt.Sprintf(`{"jstack":"","mqTable":%s,"properties":%s,"statusTable":%s,"subscriptionSet":[{"topic":%q,"subString":%q,"subVersion":1},{"topic":"%%RETRY%%G","subString":"*"}]}`,
		remoting.AppendQueueTable(nil, queues), p, status, a.topic, a.expression)
}

// member connects a member of group G that answers with what it is told.
func (r *rig) member(id string, a telling) *member {
	r.t.Helper()
	m := dial(r.t, r.addr(), func() string { return a.text(r.ns.Addr().String()) })
	m.beat(id, "G", a.topic, a.expression)
	return m
}

// fake answers every code with what it is given for it, and no other.
type fake struct {
	answers map[int32]func(req *remoting.Command) reply
}

type reply struct {
	code   int32
	fields []string
	body   string
	silent bool
}

func (*fake) Opened(*netpoll.Conn)        {}
func (*fake) Closed(*netpoll.Conn, error) {}
func (*fake) Woken(int)                   {}

func (f *fake) Serve(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	r := reply{code: remoting.RespRequestCodeNotSupported}
	if fn := f.answers[req.Code]; fn != nil {
		r = fn(req)
	}
	if r.silent {
		return netpoll.Done
	}
	b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, r.code)
	b.Remark("as the test wants it")
	for i := 0; i < len(r.fields); i += 2 {
		b.Str(r.fields[i], r.fields[i+1])
	}
	b.Body([]byte(r.body))
	c.PutOut(b.End())
	return netpoll.Done
}

func startFake(t *testing.T, answers map[int32]func(req *remoting.Command) reply) string {
	t.Helper()
	var s *netpoll.Server
	err := onFreePort(t, func(port int) (err error) {
		s, err = netpoll.Serve(netpoll.Options{Addrs: []string{"127.0.0.1:" + strconv.Itoa(port)}, Loops: 1, Logger: slog.New(slog.DiscardHandler)}, &fake{answers: answers})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
	return s.Addrs()[0].String()
}

// always is an answer whatever the request.
func always(code int32, body string) func(*remoting.Command) reply {
	return func(*remoting.Command) reply { return reply{code: code, body: body} }
}

// fakeNames is a name server that lists brokers, name=address, and every topic on a broker called fake.
func fakeNames(t *testing.T, pairs ...string) string {
	table := map[string]any{}
	for _, p := range pairs {
		name, addr, _ := strings.Cut(p, "=")
		table[name] = map[string]any{"brokerName": name, "cluster": "DefaultCluster", "brokerAddrs": map[string]string{"0": addr}}
	}
	body, _ := json.Marshal(map[string]any{"brokerAddrTable": table, "clusterAddrTable": map[string]any{}})
	route, _ := json.Marshal(remoting.TopicRouteData{QueueDatas: []remoting.QueueData{{BrokerName: "fake", Perm: 6, ReadQueueNums: 1, WriteQueueNums: 1}}})
	return startFake(t, map[int32]func(*remoting.Command) reply{
		remoting.CodeGetBrokerClusterInfo: always(0, string(body)), remoting.CodeGetRouteinfoByTopic: always(0, string(route)),
		remoting.CodeDeleteTopicInNamesrv: always(0, ""),
	})
}

// fakeBroker takes a test message and gives it back; pulled changes what comes back, sent the answer to the send.
func fakeBroker(t *testing.T, sent func(*reply), pulled func(r *record.Record, a *reply)) string {
	messages := make(chan *record.Record, 16)
	return startFake(t, map[int32]func(*remoting.Command) reply{
		remoting.CodeGetBrokerRuntimeInfo:          always(0, `{"table":{"brokerVersionDesc":"V5_3_3","commitLogDiskRatio":"0.1"}}`),
		remoting.CodeGetBrokerConfig:               always(0, "brokerName=fake\nbrokerId=0\n"),
		remoting.CodeGetTopicConfig:                always(remoting.RespTopicNotExist, ""),
		remoting.CodeUpdateAndCreateTopic:          always(0, ""),
		remoting.CodeDeleteTopicInBroker:           always(0, ""),
		remoting.CodeGetAllSubscriptiongroupConfig: always(0, "{}"),
		remoting.CodeSendMessageV2: func(req *remoting.Command) reply {
			messages <- &record.Record{Topic: []byte(TestTopic), Body: slices.Clone(req.Body), Properties: []byte(req.Text("i")), StoreTimestamp: time.Now().UnixMilli(),
				BornHost: addrPort, StoreHost: addrPort}
			r := reply{fields: []string{"msgId", "x", "queueId", "0", "queueOffset", "0"}}
			if sent != nil {
				sent(&r)
			}
			return r
		},
		remoting.CodePullMessage: func(*remoting.Command) reply {
			a := reply{code: remoting.RespPullNotFound}
			select {
			case m := <-messages:
				a.code = 0
				if pulled != nil {
					pulled(m, &a)
				}
				a.body = string(record.Append(nil, m, false))
			default:
			}
			return a
		},
	})
}
