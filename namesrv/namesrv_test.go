package namesrv

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

// patience is how long a test waits for what comes at once on an idle machine.
const patience = 30 * time.Second

func start(t *testing.T, kvPath string) (*Server, *netpoll.Client) {
	t.Helper()
	return startWith(t, Options{}, "kvConfigPath="+kvPath)
}

// startWith starts a name server on a free port with settings of the form key=value.
func startWith(t *testing.T, o Options, set ...string) (*Server, *netpoll.Client) {
	t.Helper()
	return startAltered(t, o, func(*Server) {}, set...)
}

// startAltered starts a server that was changed after it was made.
func startAltered(t *testing.T, o Options, change func(*Server), set ...string) (*Server, *netpoll.Client) {
	t.Helper()
	var all []settings.Setting
	for _, kv := range append([]string{"listenPort=0", "bindAddress=127.0.0.1", "kvConfigPath=" + filepath.Join(t.TempDir(), "kv.json")}, set...) {
		key, value, _ := strings.Cut(kv, "=")
		all = append(all, settings.Setting{Key: key, Value: value, Origin: settings.Flag})
	}
	var err error
	if o.Values, err = Keys().Merge(all); err != nil {
		t.Fatal(err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	change(s)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, dial(t, s)
}

func dial(t *testing.T, s *Server) *netpoll.Client {
	t.Helper()
	c, err := netpoll.Dial(context.Background(), s.Addr().String(), netpoll.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func call(t *testing.T, c *netpoll.Client, req *remoting.Command) *remoting.Command {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	resp, err := c.Call(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestManyBrokersEndAtOnce: their number must not be multiplied by that of all topics, or of all brokers.
func TestManyBrokersEndAtOnce(t *testing.T) {
	const brokers = 10_000
	now, r := time.Unix(1000, 0), newRoutes()
	for i := range brokers {
		body := &remoting.RegisterBrokerBody{}
		one, other := remoting.NewTopicConfig(fmt.Sprint("T", i), 4, 6), remoting.NewTopicConfig(fmt.Sprint("U", i), 4, 6)
		body.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{one.TopicName: &one, other.TopicName: &other}
		r.register(&registration{cluster: "c", name: fmt.Sprint("b", i), addr: fmt.Sprint("1.1.1.1:", i), timeout: time.Minute, conn: uint64(i / maxConnBrokers), body: body}, now)
	}
	began := time.Now()
	if gone := r.expire(now.Add(time.Hour)); len(gone) != brokers {
		t.Fatal(len(gone))
	}
	// It takes some 20 ms; with a look at all topics for each broker it took a minute.
	if took := time.Since(began); took > patience {
		t.Errorf("%d brokers were taken out in %s", brokers, took)
	}
	if clusters, brokers, live, topics, filters := r.sizes(); clusters+brokers+live+topics+filters != 0 {
		t.Error("left in the tables:", clusters, brokers, live, topics, filters)
	}
}

func TestBrokerOfOneTopicIsRefusedFirst(t *testing.T) {
	now := time.Unix(1000, 0)
	r := newRoutes()
	one := &remoting.RegisterBrokerBody{}
	topic := remoting.NewTopicConfig("T", 4, 6)
	one.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{"T": &topic}
	reg := &registration{cluster: "c", name: "b", addr: "1.1.1.1:1", timeout: time.Minute, conn: 7, body: one}
	if _, ok := r.register(reg, now); ok {
		t.Fatal("a single topic was taken for a first registration")
	}
	if clusters, brokers, live, topics, filters := r.sizes(); clusters+brokers+live+topics+filters != 0 {
		t.Fatal("what was refused is in the tables:", clusters, brokers, live, topics, filters)
	}
	both := &remoting.RegisterBrokerBody{}
	other := remoting.NewTopicConfig("U", 4, 6)
	both.TopicConfigSerializeWrapper.TopicConfigTable = map[string]*remoting.TopicConfig{"T": &topic, "U": &other}
	reg.body = both
	if _, ok := r.register(reg, now); !ok {
		t.Fatal("a full registration was refused")
	}
	slave := *reg
	slave.id, slave.addr, slave.conn = 1, "1.1.1.2:1", 8
	if m, ok := r.register(&slave, now); !ok || m.masterAddr != "1.1.1.1:1" {
		t.Fatal(m, ok)
	}
	if gone := r.expire(now.Add(61 * time.Second)); len(gone) != 2 {
		t.Fatal(gone)
	}
	if _, ok := r.route("T"); ok {
		t.Fatal("a dead broker's topic is routed")
	}
	if _, ok := r.register(reg, now); !ok {
		t.Fatal("refused")
	}
	if gone := r.connectionClosed(7); len(gone) != 1 || gone[0].addr != "1.1.1.1:1" {
		t.Fatal(gone)
	}
	if c, b, l, tt, _ := r.sizes(); c+b+l+tt != 0 {
		t.Fatal(c, b, l, tt)
	}
}

func TestKVSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "namesrv", "kv.json")
	k, err := openKV(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.put("n", "k", "v ü\n"); err != nil {
		t.Fatal(err)
	}
	if k, err = openKV(path); err != nil {
		t.Fatal(err)
	}
	if v, ok := k.get("n", "k"); !ok || v != "v ü\n" {
		t.Fatal(v, ok)
	}
	if err := k.remove("n", "k"); err != nil {
		t.Fatal(err)
	}
	if k, _ = openKV(path); len(k.all["n"]) != 0 {
		t.Fatal(k.all)
	}
}
