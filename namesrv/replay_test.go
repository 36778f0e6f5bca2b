package namesrv

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ringmq/interop/golden"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// exact says how much of a recorded body must agree.
type exact bool

const (
	wholeBody exact = true
	bodyShape exact = false
)

// replay sends a recorded request and says how the answer differs from the recorded one, "" if it does not.
func replay(t *testing.T, c *netpoll.Client, e *golden.Exchange, how exact) string {
	t.Helper()
	var req, want remoting.Command
	if err := req.Decode(e.Request); err != nil {
		t.Fatal(err)
	}
	if e.Oneway || len(e.Response) == 0 {
		if err := c.Oneway(req.Clone()); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	got := call(t, c, req.Clone())
	if err := want.Decode(e.Response); err != nil {
		t.Fatal(err)
	}
	if got.Code != want.Code || string(got.Remark) != string(want.Remark) || (got.Remark == nil) != (want.Remark == nil) {
		return fmt.Sprintf("%d %q, want %d %q", got.Code, got.Remark, want.Code, want.Remark)
	}
	if g, w := fields(got, how), fields(&want, how); !slices.Equal(g, w) {
		return fmt.Sprintf("fields %v, want %v", g, w)
	}
	if g, w := canonical(t, got.Body, how), canonical(t, want.Body, how); !reflect.DeepEqual(g, w) {
		return fmt.Sprintf("body %s, want %s", got.Body, want.Body)
	}
	if g, w := strings.Contains(string(got.Body), `{0:`), strings.Contains(string(want.Body), `{0:`); g != w {
		return fmt.Sprintf("bare numbers as keys: %v, want %v", g, w)
	}
	return ""
}

func fields(c *remoting.Command, how exact) []string {
	var all []string
	for _, f := range c.Ext {
		if how == wholeBody {
			all = append(all, string(f.Key)+"="+string(f.Value))
		} else {
			all = append(all, string(f.Key))
		}
	}
	slices.Sort(all)
	return all
}

// ours are the keys that stock does not have.
var ours = []string{"adminAllowedCidrs", "brokerAllowedCidrs", "adminHttpAddress", "maxConnections", "maxConnectionsPerHost"}

// canonical reads a body without the order that stock's hash tables give its lists; for the shape only, without its values.
func canonical(t *testing.T, body []byte, how exact) any {
	t.Helper()
	if len(body) == 0 {
		return nil
	}
	if body[0] != '{' { // properties
		var keys []string
		for line := range strings.Lines(string(body)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if slices.Contains(ours, key) {
				continue
			}
			if how == wholeBody {
				key += "=" + value
			}
			keys = append(keys, key)
		}
		slices.Sort(keys)
		return keys
	}
	standard, err := remoting.StandardJSON(body)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(standard, &v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return canonicalValue(v, how)
}

// freeKeys are objects whose keys are names of the recording's moment.
var freeKeys = map[string]bool{"brokerAddrs": true, "brokerAddrTable": true, "clusterAddrTable": true, "table": true, "filterServerTable": true}

func canonicalValue(v any, how exact) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			e = canonicalValue(e, how)
			if m, ok := e.(map[string]any); ok && how == bodyShape && freeKeys[k] {
				e = merged(m)
			}
			out[k] = e
		}
		return out
	case []any:
		var texts []string
		var out []any
		for _, e := range v {
			e = canonicalValue(e, how)
			if s, ok := e.(string); ok {
				texts = append(texts, s)
			}
			out = append(out, e)
		}
		slices.Sort(texts)
		if how == bodyShape {
			return "list"
		}
		if len(texts) == len(out) {
			return texts
		}
		return out
	default:
		if how == bodyShape {
			return fmt.Sprintf("%T", v)
		}
		return v
	}
}

// merged is the shape of any value of a table, whatever its keys.
func merged(m map[string]any) any {
	for _, k := range sortedKeys(m) {
		return m[k]
	}
	return nil
}

func exchanges(t *testing.T, scenario string) []golden.Exchange {
	t.Helper()
	return slices.DeleteFunc(golden.Scenario(t, scenario), func(e golden.Exchange) bool { return e.Server != "namesrv" || e.From != "client" })
}

// registerRecorded registers the recorded broker with the topics it had before tools changed its configuration.
func registerRecorded(t *testing.T, c *netpoll.Client) {
	t.Helper()
	var full *golden.Exchange
	all := exchanges(t, "background-json")
	for i := range all {
		e := &all[i]
		if *e.Code != int(remoting.CodeRegisterBroker) {
			continue
		}
		if e.ResponseBody != nil && *e.ResponseBody > 0 {
			break
		}
		if full == nil || e.RequestBody > full.RequestBody {
			full = e
		}
	}
	if diff := replay(t, c, full, wholeBody); diff != "" {
		t.Fatal("registration: ", diff)
	}
}

// mirrorOrder brings the ordered topics' configuration, which tools changed meanwhile, to what a registration's answer shows.
func mirrorOrder(t *testing.T, c *netpoll.Client, e *golden.Exchange) {
	t.Helper()
	var want remoting.Command
	if err := want.Decode(e.Response); err != nil {
		t.Fatal(err)
	}
	if len(want.Body) == 0 {
		return
	}
	var order remoting.KVTable
	if err := remoting.Unmarshal(want.Body, &order); err != nil {
		t.Fatal(err)
	}
	set := func(code int32, key, value string) {
		req := remoting.NewRequest(code)
		req.Set("namespace", orderTopics)
		req.Set("key", key)
		req.Set("value", value)
		if resp := call(t, c, req); resp.Code != 0 {
			t.Fatal(resp.Code, string(resp.Remark))
		}
	}
	const theOnlyOne = "AdmOrder"
	set(remoting.CodePutKvConfig, theOnlyOne, order.Table[theOnlyOne])
	if len(order.Table) == 0 {
		set(remoting.CodeDeleteKvConfig, theOnlyOne, "")
	}
}

// TestReplayRegistration: a recorded life of two brokers, from a refused registration to the end of their routes, answered to
// the letter.
func TestReplayRegistration(t *testing.T) {
	_, c := start(t, filepath.Join(t.TempDir(), "kv.json"))
	registerRecorded(t, c)
	all := exchanges(t, "raw-register")
	if len(all) < 20 {
		t.Fatal(len(all), "exchanges")
	}
	for _, e := range all {
		if diff := replay(t, c, &e, wholeBody); diff != "" {
			t.Errorf("%s %d (%s): %s", e.Scenario, e.N, e.Name, diff)
		}
	}
}

// TestReplayRequests: every kind of request, answered to the letter where the answer does not depend on the recording's moment.
func TestReplayRequests(t *testing.T) {
	_, c := start(t, filepath.Join(t.TempDir(), "kv.json"))
	registerRecorded(t, c)
	all := exchanges(t, "raw-namesrv")
	if len(all) < 45 {
		t.Fatal(len(all), "exchanges")
	}
	for _, e := range all {
		how := wholeBody
		switch int32(*e.Code) {
		case remoting.CodeGetAllTopicListFromNameserver, remoting.CodeGetTopicsByCluster, remoting.CodeQueryDataVersion,
			remoting.CodeWipeWritePermOfBroker, remoting.CodeAddWritePermOfBroker, remoting.CodeGetNamesrvConfig:
			how = bodyShape // topics and versions of that moment, paths of that machine
		}
		if diff := replay(t, c, &e, how); diff != "" {
			t.Errorf("%s %d (%s): %s", e.Scenario, e.N, e.Name, diff)
		}
	}
}

// TestReplayUnsupported: what a name server does not do is refused in stock's words.
func TestReplayUnsupported(t *testing.T) {
	_, c := start(t, filepath.Join(t.TempDir(), "kv.json"))
	refused := 0
	for _, name := range golden.Scenarios(t) {
		for _, e := range exchanges(t, name) {
			if e.ResponseHeader == nil || e.ResponseHeader.Code != remoting.RespRequestCodeNotSupported {
				continue
			}
			refused++
			if diff := replay(t, c, &e, wholeBody); diff != "" {
				t.Errorf("%s %d (%s): %s", e.Scenario, e.N, e.Name, diff)
			}
		}
	}
	if refused < 15 {
		t.Fatal(refused, "exchanges")
	}
}

// changing are requests that a foreground scenario changes the tables with.
var changing = []int32{
	remoting.CodeUnregisterBroker, remoting.CodeRegisterBroker, remoting.CodeDeleteTopicInNamesrv, remoting.CodeRegisterTopicInNamesrv,
	remoting.CodeWipeWritePermOfBroker, remoting.CodeAddWritePermOfBroker, remoting.CodePutKvConfig, remoting.CodeDeleteKvConfig, remoting.CodeUpdateNamesrvConfig,
}

// TestReplayRigs: for each recorded installation what its brokers told the name server, in order, each connection its own, and
// then what clients and tools asked it.
func TestReplayRigs(t *testing.T) {
	prefixes := map[string][]string{
		"background-json": {"json-", "mqadmin-", "producer-", "hold"}, "background-bin": {"bin-"}, "background-binary": {"binary-"},
		"background-go": {"go-"}, "background-ha": {"ha-"}, "background-acl": {"acl-"}, "background-controller": {"controller-"},
	}
	for _, rig := range sortedKeys(prefixes) {
		t.Run(rig, func(t *testing.T) {
			s, client := start(t, filepath.Join(t.TempDir(), "kv.json"))
			brokers := replayBrokers(t, s, rig)
			n := 0
			for _, name := range golden.Scenarios(t) {
				if !slices.ContainsFunc(prefixes[rig], func(p string) bool { return strings.HasPrefix(name, p) }) {
					continue
				}
				for _, e := range exchanges(t, name) {
					if e.Code == nil || slices.Contains(changing, int32(*e.Code)) || len(e.Response) == 0 {
						continue
					}
					// Its topic was registered after the recording of the brokers ended; key-value changes are not replayed here.
					if name == "mqadmin-startMonitoring" || *e.Code == int(remoting.CodeGetKvConfig) {
						continue
					}
					// Topics that came later have a route now; who is alive at the end is another matter in the last two rigs.
					if e.ResponseHeader.Code == remoting.RespTopicNotExist || rig == "background-ha" || rig == "background-controller" {
						continue
					}
					n++
					if diff := replay(t, client, &e, bodyShape); diff != "" {
						t.Errorf("%s %d (%s): %s", e.Scenario, e.N, e.Name, diff)
					}
				}
			}
			t.Logf("%d exchanges of brokers, %d of clients", brokers, n)
		})
	}
}

// replayBrokers replays a background recording up to its last unregistrations. Each recorded connection is one here.
func replayBrokers(t *testing.T, s *Server, rig string) (n int) {
	t.Helper()
	all := exchanges(t, rig)
	end := len(all)
	for end > 0 && *all[end-1].Code != int(remoting.CodeRegisterBroker) && *all[end-1].Code != int(remoting.CodeGetRouteinfoByTopic) {
		end--
	}
	last := map[int]int{}
	for i := range all[:end] {
		last[all[i].Conn] = i
	}
	conns := map[int]*netpoll.Client{}
	for i, e := range all[:end] {
		c := conns[e.Conn]
		if c == nil {
			c = dial(t, s)
			conns[e.Conn] = c
		}
		// A change between two registrations may have come by a tool, and a killed broker's connection ends unrecorded.
		how := bodyShape
		if *e.Code == int(remoting.CodeRegisterBroker) {
			how = wholeBody
			mirrorOrder(t, c, &e)
		}
		diff := replay(t, c, &e, how)
		if diff != "" && endConns(t, s, conns, last, i) {
			diff = replay(t, c, &e, how)
		}
		if diff != "" {
			t.Errorf("%s %d (%s): %s", e.Scenario, e.N, e.Name, diff)
		}
		n++
	}
	return n
}

// endConns ends the connections that are not used again and waits until the name server has taken out what registered by them.
func endConns(t *testing.T, s *Server, conns map[int]*netpoll.Client, last map[int]int, now int) bool {
	t.Helper()
	ended := 0
	for id, c := range conns {
		if last[id] < now {
			select {
			case <-c.Done():
			default:
				before := s.net.Stats().Connections
				c.Close()
				until(t, "the end of a connection", func() bool { return s.net.Stats().Connections < before })
				ended++
			}
		}
	}
	// A connection is counted no more before its brokers are taken out, on the same loop.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if silent := s.net.Silent(ctx); len(silent) > 0 {
		t.Fatal("loops do not turn:", silent)
	}
	return ended > 0
}
