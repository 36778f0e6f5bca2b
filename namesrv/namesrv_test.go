package namesrv

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmq/interop/golden"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/netpoll/remoting/settings"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).purgeStaleWorkers"),
		goleak.IgnoreTopFunction("github.com/panjf2000/ants/v2.(*poolCommon).ticktock"))
}

func start(t *testing.T, kvPath string) (*Server, *netpoll.Client) {
	t.Helper()
	v, err := Keys().Merge([]settings.Setting{{Key: "listenPort", Value: "0", Origin: settings.Flag}, {Key: "bindAddress", Value: "127.0.0.1", Origin: settings.Flag}, {Key: "kvConfigPath", Value: kvPath, Origin: settings.Flag}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Values: v, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
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
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	resp, err := c.Call(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// replay sends a recorded request and compares the answer with the recorded one.
func replay(t *testing.T, c *netpoll.Client, e golden.Exchange) {
	t.Helper()
	var req, want remoting.Command
	if err := req.Decode(e.Request); err != nil {
		t.Fatal(err)
	}
	got := call(t, c, req.Clone())
	if err := want.Decode(e.Response); err != nil {
		t.Fatal(err)
	}
	if got.Code != want.Code || string(got.Remark) != string(want.Remark) && string(want.Remark) != "not set any response code" {
		t.Errorf("%s %d (%s): %d %q, want %d %q", e.Scenario, e.N, e.Name, got.Code, got.Remark, want.Code, want.Remark)
	}
	if a, b := fieldKeys(got), fieldKeys(&want); !reflect.DeepEqual(a, b) {
		t.Errorf("%s %d (%s): fields %v, want %v", e.Scenario, e.N, e.Name, a, b)
	}
	if (len(got.Body) == 0) != (len(want.Body) == 0) {
		t.Errorf("%s %d (%s): body %q, want %q", e.Scenario, e.N, e.Name, got.Body, want.Body)
	}
	if len(want.Body) > 0 && want.Body[0] == '{' && !reflect.DeepEqual(bodyKeys(t, got.Body), bodyKeys(t, want.Body)) {
		t.Errorf("%s %d (%s): body %s, want %s", e.Scenario, e.N, e.Name, got.Body, want.Body)
	}
}

func fieldKeys(c *remoting.Command) []string {
	var keys []string
	for _, f := range c.Ext {
		keys = append(keys, string(f.Key))
	}
	sort.Strings(keys)
	return keys
}

func bodyKeys(t *testing.T, b []byte) []string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := remoting.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return sortedKeys(m)
}

// TestReplay registers the recorded broker and sends what was recorded of tools and clients; the answers are stock's.
func TestReplay(t *testing.T) {
	_, c := start(t, filepath.Join(t.TempDir(), "kv.json"))
	registered := false
	for _, e := range golden.Scenario(t, "background-json") {
		if e.Server == "namesrv" && e.Code != nil && *e.Code == int(remoting.CodeRegisterBroker) && len(e.Response) > 0 && e.RequestBody > 1000 {
			var req remoting.Command
			if err := req.Decode(e.Request); err != nil {
				t.Fatal(err)
			}
			// The recorded exchanges ask for topics that a later registration brought.
			if strings.Contains(string(req.Body), "J_Basic") && e.RequestBody > 12_000 {
				if resp := call(t, c, req.Clone()); resp.Code != 0 {
					t.Fatalf("registration: %d %s", resp.Code, resp.Remark)
				}
				registered = true
				break
			}
		}
	}
	if !registered {
		t.Fatal("no registration recorded")
	}
	n := 0
	for _, e := range golden.Scenario(t, "raw-namesrv") {
		// 205 and 327 count topics of the moment; everything else must agree.
		if e.Server == "namesrv" && len(e.Response) > 0 {
			replay(t, c, e)
			n++
		}
	}
	if n < 45 {
		t.Fatal(n, "exchanges")
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
	if conns := r.expire(now.Add(61 * time.Second)); len(conns) != 2 {
		t.Fatal(conns)
	}
	if _, ok := r.route("T"); ok {
		t.Fatal("a dead broker's topic is routed")
	}
	if _, ok := r.register(reg, now); !ok {
		t.Fatal("refused")
	}
	if addr := r.connectionClosed(7); addr != "1.1.1.1:1" {
		t.Fatal(addr)
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
