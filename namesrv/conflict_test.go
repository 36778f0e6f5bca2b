package namesrv

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestTwoBrokersOfOneNameAndId: the later one is in the route, unless the other's state is newer, and the log names both, once a change.
func TestTwoBrokersOfOneNameAndId(t *testing.T) {
	log := &lines{}
	s, c := startWith(t, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	one, two := dial(t, s), dial(t, s)
	register := func(by string, state int64) {
		t.Helper()
		var b remoting.RegisterBrokerBody
		w := &b.TopicConfigSerializeWrapper
		w.DataVersion.StateVersion = state
		w.TopicConfigTable = map[string]*remoting.TopicConfig{}
		for _, topic := range []string{"T", "U"} {
			config := remoting.NewTopicConfig(topic, 1, 6)
			w.TopicConfigTable[topic] = &config
		}
		req := request(remoting.CodeRegisterBroker, "clusterName=c", "brokerName=b", "brokerAddr="+by, "brokerId=0", "haServerAddr=h:1")
		var err error
		if req.Body, err = json.Marshal(&b); err != nil {
			t.Fatal(err)
		}
		conn := one
		if by == "2.2.2.2:2" {
			conn = two
		}
		if resp := call(t, conn, req); resp.Code != 0 {
			t.Fatalf("registration: %d %s", resp.Code, resp.Remark)
		}
	}
	routed := func(want string) {
		t.Helper()
		body := string(call(t, c, request(remoting.CodeGetRouteinfoByTopic, "topic=T")).Body)
		if strings.Count(body, ":1\"")+strings.Count(body, ":2\"") != 1 || !strings.Contains(body, want) {
			t.Fatalf("%s is not alone in the route: %s", want, body)
		}
	}
	said := func(want ...string) {
		t.Helper()
		got := log.since("level=WARN")
		if len(want) == 0 && len(got) == 0 {
			return
		}
		if len(got) != 1 || len(want) == 0 {
			t.Fatalf("%d lines: %q, want %q", len(got), got, want)
		}
		for _, text := range append(want, "cluster=c", "name=b", "id=0") {
			if !strings.Contains(got[0], text) {
				t.Fatalf("no %q in %s", text, got[0])
			}
		}
	}
	register("1.1.1.1:1", 1)
	if n := len(log.since(`msg="broker registered"`)); n != 1 {
		t.Error("a new broker is told", n, "times")
	}
	register("1.1.1.1:1", 1)
	said()
	register("2.2.2.2:2", 1)
	said("took the place", "broker=2.2.2.2:2", "replaced=1.1.1.1:1")
	routed("2.2.2.2:2")
	register("2.2.2.2:2", 2)
	said()
	register("1.1.1.1:1", 1)
	said("ignored", "broker=1.1.1.1:1", "inRoute=2.2.2.2:2")
	routed("2.2.2.2:2")
	// The one that was ignored is not alive: its end changes nothing. When the other one ends, it is let in.
	one.Close()
	if code := routeCode(t, c, "T"); code != 0 {
		t.Fatal(code)
	}
	two.Close()
	until(t, "the end of the route", func() bool { return routeCode(t, c, "T") == remoting.RespTopicNotExist })
	until(t, "that is said", func() bool { return len(log.since("its connection has ended")) > 0 }) // behind the route
	one = dial(t, s)
	register("1.1.1.1:1", 1)
	said()
	routed("1.1.1.1:1")
}
