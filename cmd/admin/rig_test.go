package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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

// patience is longer than anything takes on a machine that has too much to do.
const patience = 30 * time.Second

// rig is a name server and a broker in this process, on loopback.
type rig struct {
	t  *testing.T
	ns *namesrv.Server
	b  *broker.Broker
	o  Options
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

// freePort finds a port that is free together with the broker's others, below those that outgoing connections are given.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port, free := 16_000+rand.IntN(4_000)*4, true
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

func newRig(t *testing.T, more ...string) *rig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	v := merged(t, namesrv.Keys(), "bindAddress=127.0.0.1", "listenPort=0", "kvConfigPath="+filepath.Join(t.TempDir(), "kv.json"))
	ns, err := namesrv.New(namesrv.Options{Values: v, Logger: quiet})
	if err == nil {
		err = ns.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ns.Shutdown(context.Background()) })
	r := &rig{t: t, ns: ns, o: Options{NameServers: []string{ns.Addr().String()}, Timeout: patience, BodyDir: filepath.Join(t.TempDir(), "bodies")}}
	r.b, _ = r.start(more...)
	return r
}

// start starts a broker at the rig's name server. stop ends it before the test does.
func (r *rig) start(more ...string) (_ *broker.Broker, stop func()) {
	r.t.Helper()
	for range 100 {
		b, err := r.tryStart(more)
		if err == nil {
			stop = sync.OnceFunc(func() {
				if err := b.Shutdown(context.Background()); err != nil {
					r.t.Error("shutdown:", err)
				}
			})
			r.t.Cleanup(stop)
			return b, stop
		}
		if !strings.Contains(err.Error(), "address already in use") { // somebody else's rig has found the same free port
			r.t.Fatal(err)
		}
	}
	r.t.Fatal("no port stays free")
	return nil, nil
}

func (r *rig) tryStart(more []string) (*broker.Broker, error) {
	r.t.Helper()
	t := r.t
	c, err := config.New(merged(t, config.Keys("127.0.0.1"), append([]string{
		"bindAddress=127.0.0.1", "listenPort=" + strconv.Itoa(freePort(t)), "brokerIP1=127.0.0.1", "brokerIP2=127.0.0.1", "brokerName=broker-a", "brokerClusterName=DefaultCluster",
		"namesrvAddr=" + r.ns.Addr().String(), "registerNameServerPeriod=60000", "storePathRootDir=" + filepath.Join(t.TempDir(), "store"), "mappedFileSizeCommitLog=8388608", "enabledAppendPropCRC=false",
		"maxHashSlotNum=1000", "maxIndexNum=4000", "tailCacheBytes=4194304", "diskEngine=pwrite", "flushDiskType=ASYNC_FLUSH",
		"diskMaxUsedSpaceRatio=98", "diskSpaceCleanForciblyRatio=99", "diskSpaceWarningLevelRatio=100",
	}, more...)...))
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler), Loops: 1})
	if err == nil {
		err = b.Start()
	}
	return b, err
}

// until waits for what another goroutine brings about.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	for began := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(began) > patience {
			r.t.Fatal("not in time: ", what)
		}
	}
}

func (r *rig) addr() string { return r.b.Addr().String() }

// member is a client of the test's own. told answers what the server asks (307); nil: nothing is answered.
type member struct {
	*netpoll.Client
	t *testing.T
}

func (r *rig) dial(told func(code int32) string) *member {
	r.t.Helper()
	m := &member{t: r.t}
	ready := make(chan struct{})
	c, err := netpoll.Dial(context.Background(), r.addr(), netpoll.DialOptions{OnRequest: func(req *remoting.Command) {
		if <-ready; told == nil || req.IsOneway() {
			return
		}
		b := remoting.BeginReply(nil, req.Encoding, req.Opaque, remoting.RespSuccess)
		b.Body([]byte(told(req.Code)))
		_ = m.Reply(b.End())
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	m.Client = c
	close(ready)
	r.t.Cleanup(c.Close)
	return m
}

// must asks and wants success.
func (m *member) must(code int32, body string, fields ...string) *remoting.Command {
	m.t.Helper()
	req := ask.Request(code, fields...)
	req.Body = []byte(body)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := m.Call(ctx, req)
	if err != nil || resp.Code != remoting.RespSuccess {
		m.t.Fatalf("%s: %v %v", remoting.CodeName(code), resp, err)
	}
	return resp
}

// send returns when consumers can see the message.
func (m *member) send(topic string, queue int, body string, properties ...string) {
	m.t.Helper()
	var p []byte
	for i := 0; i < len(properties); i += 2 {
		p = record.AppendProperty(p, properties[i], properties[i+1])
	}
	sent := m.must(remoting.CodeSendMessageV2, body, "a", "P", "b", topic, "c", "TBW102", "d", "4", "e", strconv.Itoa(queue), "f", "0", "g", strconv.FormatInt(time.Now().UnixMilli(), 10), "h", "0",
		"i", string(p), "j", "0", "k", "false", "l", "0", "m", "false")
	offset, _, _ := sent.Int64("queueOffset")
	for began := time.Now(); ; {
		end, _, _ := m.must(remoting.CodeGetMaxOffset, "", "topic", topic, "queueId", sent.Text("queueId")).Int64("offset")
		if end > offset {
			return
		}
		if time.Since(began) > patience {
			m.t.Fatalf("%s: message %d cannot be seen, the queue ends at %d", topic, offset, end)
		}
	}
}

// sendAtOnce sends so many messages to a queue in one request: the broker counts all of them or none when it samples its figures.
func (m *member) sendAtOnce(topic string, queue, n int) {
	m.t.Helper()
	var b []byte
	for range n {
		b = append(b, 0, 0, 0, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0)
	}
	m.must(remoting.CodeSendBatchMessage, string(b), "a", "P", "b", topic, "c", "TBW102", "d", "4", "e", strconv.Itoa(queue), "f", "0", "g", strconv.FormatInt(time.Now().UnixMilli(), 10), "h", "0",
		"i", "", "j", "0", "k", "false", "l", "0", "m", "true")
	for began := time.Now(); ; {
		if end, _, _ := m.must(remoting.CodeGetMaxOffset, "", "topic", topic, "queueId", strconv.Itoa(queue)).Int64("offset"); end >= int64(n) {
			return
		}
		if time.Since(began) > patience {
			m.t.Fatalf("%s: %d messages cannot be seen", topic, n)
		}
	}
}

// commit says how far a group is.
func (m *member) commit(group, topic string, queue int, offset int64) {
	m.t.Helper()
	m.must(remoting.CodeUpdateConsumerOffset, "", "consumerGroup", group, "topic", topic, "queueId", strconv.Itoa(queue), "commitOffset", strconv.FormatInt(offset, 10))
}

// beat registers the connection as a member of a group that subscribes to topics, and as a producer.
func (m *member) beat(client, group string, topics ...string) {
	m.t.Helper()
	var subscribed []any
	for _, topic := range topics {
		subscribed = append(subscribed, map[string]any{"topic": topic, "subString": "*", "subVersion": 1, "tagsSet": []string{}, "codeSet": []int32{}, "expressionType": "TAG"})
	}
	body, err := json.Marshal(map[string]any{"clientID": client, "consumerDataSet": []any{map[string]any{
		"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
		"subscriptionDataSet": subscribed,
	}}, "producerDataSet": []any{map[string]any{"groupName": "P"}}})
	if err != nil {
		m.t.Fatal(err)
	}
	m.must(remoting.CodeHeartBeat, string(body))
}

// telling is a member's answer to 307 and 309.
func telling(topic string, queues int, change func(q *queueInfo)) func(code int32) string {
	return func(code int32) string {
		if code == remoting.CodeConsumeMessageDirectly {
			return `{"autoCommit":true,"consumeResult":"CR_SUCCESS","order":false,"spentTimeMills":0}`
		}
		var t remoting.QueueTable[queueInfo]
		for id := range queues {
			now := time.Now().UnixMilli()
			q := queueInfo{LastConsumeTimestamp: now, LastPullTimestamp: now, LastLockTimestamp: now, CommitOffset: 3}
			if change != nil {
				change(&q)
			}
			t = append(t, remoting.QueueEntry[queueInfo]{Queue: remoting.MessageQueue{Topic: topic, BrokerName: "broker-a", QueueID: int32(id)}, Value: q})
		}
		return fmt.Sprintf(`{"mqTable":%s,"properties":{"PROP_CONSUME_TYPE":"CONSUME_PASSIVELY","PROP_CONSUMEORDERLY":"false","PROP_CONSUMER_START_TIMESTAMP":"1"},"statusTable":{%q:{"consumeOKTPS":1.5}},
			"subscriptionSet":[{"topic":%q,"subString":"*","subVersion":1}]}`, remoting.AppendQueueTable(nil, t), topic, topic)
	}
}

// parse reads the words of a command line.
func parse(t *testing.T, words string) (*Command, Args, Format) {
	t.Helper()
	all := strings.Fields(words)
	for _, c := range All() {
		if c.Name != all[0] {
			continue
		}
		a, format := Args{}, Table
	next:
		for i := 1; i < len(all); i++ {
			if all[i] == "--output" {
				f, err := ParseFormat(all[i+1])
				if err != nil {
					t.Fatal(err)
				}
				format, i = f, i+1
				continue
			}
			for _, f := range c.Flags {
				switch {
				case all[i] != "-"+f.Short && all[i] != "--"+f.Long:
					continue
				case f.Kind == Switch:
					a[f.Long] = "true"
				default:
					i++
					a[f.Long] = all[i]
				}
				continue next
			}
			if c.Operand.Long == "" || strings.HasPrefix(all[i], "-") {
				t.Fatalf("%s: no flag %s", words, all[i])
			}
			a[c.Operand.Long] = all[i]
		}
		return c, a, format
	}
	t.Fatalf("no command %s", all[0])
	return nil, nil, 0
}

// run runs a command line, with {broker} and {ns} for the addresses.
func (r *rig) run(words string) (string, error) {
	r.t.Helper()
	words = strings.NewReplacer("{broker}", r.addr(), "{ns}", r.ns.Addr().String()).Replace(words)
	c, a, format := parse(r.t, words)
	o := r.o
	o.Format = format
	var out bytes.Buffer
	err := Run(r.t.Context(), o, c, a, &out)
	return out.String(), err
}
