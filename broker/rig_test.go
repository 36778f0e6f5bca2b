package broker

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/broker/config"
	"ringmq/namesrv"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

// TestMain gives the scheduler processors to spare, as the program does: only then do event loops linger.
func TestMain(m *testing.M) {
	loops = netpoll.SpareProcessors()
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*goWorker).run.func1"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

var loops int // of a broker: one for every processor

// rig is a name server and a broker in this process, on loopback.
type rig struct {
	t      testing.TB
	root   string
	routes *namesrv.Server
	broker *Broker
	down   bool
}

func flags(t testing.TB, table *settings.Table, pairs ...string) *settings.Values {
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

// newRig starts both on an empty directory. more are settings of the broker, key=value.
func newRig(t testing.TB, more ...string) *rig {
	t.Helper()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startBroker(more...)
	return r
}

func (r *rig) startRoutes(host string, port uint16) {
	r.t.Helper()
	v := flags(r.t, namesrv.Keys(), "bindAddress="+host, "listenPort="+strconv.Itoa(int(port)), "kvConfigPath="+filepath.Join(r.root, "kv.json"))
	s, err := namesrv.New(namesrv.Options{Values: v, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.routes = s
	r.t.Cleanup(func() { _ = s.Shutdown(context.Background()) })
}

func (r *rig) startBroker(more ...string) { r.startAltered(func(*Broker) {}, more...) }

// startAltered starts a broker that was changed after it was made.
func (r *rig) startAltered(change func(b *Broker), more ...string) {
	r.startWith(Options{}, change, more...)
}

// startWith is startAltered with more options.
func (r *rig) startWith(o Options, change func(b *Broker), more ...string) {
	r.t.Helper()
	o.Config, o.Version, o.Linger = r.config(more...), "test", time.Millisecond
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Loops == 0 {
		o.Loops = loops
	}
	b, err := New(o)
	if err != nil {
		r.t.Fatal(err)
	}
	change(b)
	if err := b.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.broker, r.down = b, false
	r.t.Cleanup(r.stopBroker)
}

func (r *rig) config(more ...string) *config.Config {
	r.t.Helper()
	pairs := append([]string{
		"bindAddress=127.0.0.1", "listenPort=0", "brokerIP1=127.0.0.1", "brokerIP2=127.0.0.1", "brokerName=broker-a", "brokerClusterName=DefaultCluster",
		"namesrvAddr=" + r.routes.Addr().String(), "storePathRootDir=" + filepath.Join(r.root, "store"), "mappedFileSizeCommitLog=67108864",
		"maxHashSlotNum=1000", "maxIndexNum=4000", "tailCacheBytes=4194304", "diskEngine=pwrite", "flushDiskType=ASYNC_FLUSH",
		"diskMaxUsedSpaceRatio=98", "diskSpaceCleanForciblyRatio=99", "diskSpaceWarningLevelRatio=100",
	}, more...)
	c, err := config.New(flags(r.t, config.Keys("127.0.0.1"), pairs...))
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func (r *rig) stopBroker() {
	if r.down {
		return
	}
	r.down = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.broker.Shutdown(ctx); err != nil {
		r.t.Error("shutdown:", err)
	}
}

// client is a connection to one of the servers, with what the server asked by itself.
type client struct {
	*netpoll.Client
	t     testing.TB
	mu    sync.Mutex
	asked []*remoting.Command
	news  chan *remoting.Command
}

func dialTo(t testing.TB, addr string) *client {
	t.Helper()
	c := &client{t: t, news: make(chan *remoting.Command, 1024)}
	n, err := netpoll.Dial(context.Background(), addr, netpoll.DialOptions{OnRequest: func(req *remoting.Command) {
		own := req.Clone()
		c.mu.Lock()
		c.asked = append(c.asked, own)
		c.mu.Unlock()
		c.news <- own
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.Client = n
	t.Cleanup(n.Close)
	return c
}

func (r *rig) dial() *client { return dialTo(r.t, r.broker.net.Addrs()[0].String()) }

func (r *rig) dialFast() *client { return dialTo(r.t, r.broker.net.Addrs()[1].String()) }

func (r *rig) dialRoutes() *client { return dialTo(r.t, r.routes.Addr().String()) }

// patience is longer than anything takes on a machine that has too much to do, and ends a test long before the limit of all of them.
const patience = 30 * time.Second

func (c *client) call(req *remoting.Command) *remoting.Command {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := c.Call(ctx, req)
	if err != nil {
		c.t.Fatalf("%s: %v", remoting.CodeName(req.Code), err)
	}
	return resp
}

// start sends a request now; the answer comes by the channel.
func (c *client) start(req *remoting.Command) <-chan *remoting.Command {
	ch := make(chan *remoting.Command, 1)
	sent := make(chan struct{})
	go func() {
		defer close(ch)
		ctx, cancel := context.WithTimeout(context.Background(), patience+10*time.Second)
		defer cancel()
		close(sent)
		if resp, err := c.Call(ctx, req); err == nil {
			ch <- resp
		}
	}()
	<-sent
	return ch
}

func await(t testing.TB, ch <-chan *remoting.Command) *remoting.Command {
	t.Helper()
	select {
	case c, ok := <-ch:
		if !ok {
			t.Fatal("no answer")
		}
		return c
	case <-time.After(patience):
		t.Fatal("no answer in time")
	}
	return nil
}

// request makes a request of a code with fields given as key, value, key, value ...
func request(code int32, fields ...any) *remoting.Command {
	cmd := remoting.NewRequest(code)
	for i := 0; i < len(fields); i += 2 {
		cmd.Set(fields[i].(string), fmt.Sprint(fields[i+1]))
	}
	return cmd
}

// sendTo makes a send of the short form.
func sendTo(topic string, queue int, properties, body string) *remoting.Command {
	cmd := request(remoting.CodeSendMessageV2, "a", "PG", "b", topic, "c", "TBW102", "d", 4, "e", queue, "f", 0, "g", time.Now().UnixMilli(), "h", 0,
		"i", properties, "j", 0, "k", false, "l", 0, "m", false)
	cmd.Body = []byte(body)
	return cmd
}

// pullOf makes a pull with its subscription inside.
func pullOf(group, topic string, queue int, offset int64, expression string, hold time.Duration) *remoting.Command {
	flag := remoting.PullSubscription
	if hold > 0 {
		flag |= remoting.PullSuspend
	}
	return request(remoting.CodePullMessage, "consumerGroup", group, "topic", topic, "queueId", queue, "queueOffset", offset, "maxMsgNums", 32,
		"sysFlag", flag, "commitOffset", 0, "suspendTimeoutMillis", hold.Milliseconds(), "subscription", expression, "expressionType", "TAG", "subVersion", 0)
}

// want checks code and remark of an answer.
func want(t testing.TB, resp *remoting.Command, code int32, remark string) {
	t.Helper()
	if resp.Code != code || string(resp.Remark) != remark {
		t.Fatalf("answer %d %q, want %d %q", resp.Code, resp.Remark, code, remark)
	}
}

// until waits for a condition that another goroutine brings about.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("not in time: ", what)
		}
		time.Sleep(time.Millisecond)
	}
}
