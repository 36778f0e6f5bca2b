package backup

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
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

// In the environment of a process that makes a backup and is to be killed when it has so many bytes at least.
const (
	childBroker = "RINGMQ_TEST_BACKUP_OF"
	childDir    = "RINGMQ_TEST_BACKUP_TO"
	childLeast  = "RINGMQ_TEST_BACKUP_LEAST"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(childBroker); addr != "" {
		childTakes(addr, os.Getenv(childDir), os.Getenv(childLeast))
		return
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// rig is a name server and a broker in this process, on loopback, with small files.
type rig struct {
	t    *testing.T
	ns   *namesrv.Server
	b    *broker.Broker
	root string // of the store
	once sync.Once
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

const testSegment = 1 << 20

func newRig(t *testing.T, more ...string) *rig {
	t.Helper()
	return startRig(t, filepath.Join(t.TempDir(), "store"), more...)
}

// startRig starts a broker on a store that may be there.
func startRig(t *testing.T, root string, more ...string) *rig {
	t.Helper()
	r, err := tryRig(t, root, more...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRig(t *testing.T, root string, more ...string) (*rig, error) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	ns, err := namesrv.New(namesrv.Options{Values: merged(t, namesrv.Keys(), "bindAddress=127.0.0.1", "listenPort=0", "kvConfigPath="+filepath.Join(t.TempDir(), "kv.json")), Logger: quiet})
	if err == nil {
		err = ns.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ns.Shutdown(context.Background()) })
	c, err := config.New(merged(t, config.Keys("127.0.0.1"), append([]string{
		"bindAddress=127.0.0.1", "listenPort=0", "brokerIP1=127.0.0.1", "brokerIP2=127.0.0.1", "brokerName=broker-a", "brokerClusterName=DefaultCluster",
		"namesrvAddr=" + ns.Addr().String(), "storePathRootDir=" + root, "mappedFileSizeCommitLog=" + strconv.Itoa(testSegment), "mappedFileSizeConsumeQueue=4000",
		"maxMessageSize=65536", "maxHashSlotNum=1000", "maxIndexNum=4000", "tailCacheBytes=4194304", "diskEngine=pwrite", "flushDiskType=ASYNC_FLUSH",
		"diskMaxUsedSpaceRatio=98", "diskSpaceCleanForciblyRatio=99", "diskSpaceWarningLevelRatio=100",
	}, more...)...))
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Options{Config: c, Version: "test", Logger: quiet, Loops: 1})
	if err != nil {
		return nil, err
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, ns: ns, b: b, root: root}
	t.Cleanup(r.stop)
	return r, nil
}

func (r *rig) stop() {
	r.once.Do(func() {
		if err := r.b.Shutdown(context.Background()); err != nil {
			r.t.Error("shutdown:", err)
		}
	})
}

func (r *rig) addr() string { return r.b.Addr().String() }

// take makes a backup.
func (r *rig) take(dir string) *Manifest {
	r.t.Helper()
	m, err := Take(r.t.Context(), Options{Dir: dir, Broker: r.addr(), Version: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// fine looks at a backup in which nothing may be wrong.
func fine(t *testing.T, dir string) *Report {
	t.Helper()
	rep, err := Verify(t.Context(), VerifyOptions{Dir: dir})
	if err != nil || !rep.Fine() {
		t.Fatalf("%s: %+v, %v", dir, rep, err)
	}
	return rep
}

// member is a client.
type member struct {
	*netpoll.Client
	t *testing.T
}

func (r *rig) dial() *member {
	r.t.Helper()
	c, err := netpoll.Dial(context.Background(), r.addr(), netpoll.DialOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(c.Close)
	return &member{c, r.t}
}

// call asks; any goroutine.
func (m *member) call(code int32, body string, fields ...string) (*remoting.Command, error) {
	req := ask.Request(code, fields...)
	req.Body = []byte(body)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return m.Call(ctx, req)
}

// must asks and wants success.
func (m *member) must(code int32, body string, fields ...string) *remoting.Command {
	m.t.Helper()
	resp, err := m.call(code, body, fields...)
	if err != nil || resp.Code != remoting.RespSuccess {
		m.t.Fatalf("%s: %v %v", remoting.CodeName(code), resp, err)
	}
	return resp
}

// sent is a message that was acknowledged.
type sent struct {
	topic  string
	queue  int
	offset int64
	body   string
}

// send returns what was acknowledged; false: it was not.
func (m *member) send(topic string, queue int, body string, properties ...string) (sent, bool) {
	var p []byte
	for i := 0; i < len(properties); i += 2 {
		p = record.AppendProperty(p, properties[i], properties[i+1])
	}
	resp, err := m.call(remoting.CodeSendMessageV2, body, "a", "P", "b", topic, "c", "TBW102", "d", "4", "e", strconv.Itoa(queue), "f", "0", "g", strconv.FormatInt(time.Now().UnixMilli(), 10), "h", "0",
		"i", string(p), "j", "0", "k", "false", "l", "0", "m", "false")
	if err != nil || resp.Code != remoting.RespSuccess {
		return sent{}, false
	}
	offset, _, _ := resp.Int64("queueOffset")
	return sent{topic, queue, offset, body}, true
}

// commit says how far a group is.
func (m *member) commit(group, topic string, queue int, offset int64) bool {
	resp, err := m.call(remoting.CodeUpdateConsumerOffset, "", "consumerGroup", group, "topic", topic, "queueId", strconv.Itoa(queue), "commitOffset", strconv.FormatInt(offset, 10))
	return err == nil && resp.Code == remoting.RespSuccess
}

func (m *member) progress(group, topic string, queue int) int64 {
	m.t.Helper()
	n, _, _ := m.must(remoting.CodeQueryConsumerOffset, "", "consumerGroup", group, "topic", topic, "queueId", strconv.Itoa(queue)).Int64("offset")
	return n
}

func (m *member) end(topic string, queue int) int64 {
	m.t.Helper()
	n, _, _ := m.must(remoting.CodeGetMaxOffset, "", "topic", topic, "queueId", strconv.Itoa(queue)).Int64("offset")
	return n
}

func (m *member) makeGroup(name string) {
	m.t.Helper()
	m.must(remoting.CodeUpdateAndCreateSubscriptiongroup, `{"groupName":"`+name+`","consumeEnable":true,"retryQueueNums":1,"whichBrokerWhenConsumeSlowly":1}`)
}

// makeTopic makes one, with changes of attributes.
func (m *member) makeTopic(topic, attributes string) bool {
	resp, err := m.call(remoting.CodeUpdateAndCreateTopic, "", "topic", topic, "defaultTopic", "TBW102", "readQueueNums", "4", "writeQueueNums", "4", "perm", "6",
		"topicFilterType", "SINGLE_TAG", "topicSysFlag", "0", "order", "false", "attributes", attributes)
	return err == nil && resp.Code == remoting.RespSuccess
}

func (m *member) deleteTopic(topic string) bool {
	resp, err := m.call(remoting.CodeDeleteTopicInBroker, "", "topic", topic)
	return err == nil && resp.Code == remoting.RespSuccess
}

// read reads a queue from its beginning: the bodies, by offset.
func (m *member) read(topic string, queue int) []string {
	m.t.Helper()
	var bodies []string
	for high := m.end(topic, queue); int64(len(bodies)) < high; {
		resp := m.must(remoting.CodePullMessage, "", "consumerGroup", "Readers", "topic", topic, "queueId", strconv.Itoa(queue), "queueOffset", strconv.Itoa(len(bodies)), "maxMsgNums", "32",
			"sysFlag", strconv.Itoa(int(remoting.PullSubscription)), "commitOffset", "0", "suspendTimeoutMillis", "0", "subscription", "*", "expressionType", "TAG", "subVersion", "0")
		for raw := resp.Body; len(raw) > 0; {
			var rec record.Record
			if err := rec.Parse(raw); err != nil {
				m.t.Fatal(err)
			}
			if rec.QueueOffset != int64(len(bodies)) {
				m.t.Fatalf("%s/%d: message %d stands where %d should", topic, queue, rec.QueueOffset, len(bodies))
			}
			bodies = append(bodies, string(rec.Body))
			raw = raw[rec.TotalSize:]
		}
	}
	return bodies
}

// eventually looks until fn holds.
func eventually(t *testing.T, what string, fn func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !fn() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("not in time: ", what)
		}
	}
}

// childTakes makes a backup and tells how far it is. Where it is to be killed it waits for that, or for the end of who would do so.
func childTakes(addr, dir, least string) {
	until, err := strconv.ParseInt(least, 10, 64)
	if err != nil {
		fmt.Println("until when:", err)
		os.Exit(1)
	}
	_, err = Take(context.Background(), Options{Dir: dir, Broker: addr, Version: "test", reached: func(_ context.Context, at int64) error {
		fmt.Println(at)
		if at >= until {
			_, err := os.Stdin.Read(make([]byte, 1))
			return err
		}
		return nil
	}})
	fmt.Println("ended:", err)
	if err != nil {
		os.Exit(1)
	}
}
