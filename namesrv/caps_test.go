package namesrv

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// TestCapsAtRunTime: a request sets them; who comes beyond is turned away at once and named, the machine itself has some places more, and a
// value that the next start would refuse is refused.
func TestCapsAtRunTime(t *testing.T) {
	var log lines
	s, c := startWith(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	change := request(remoting.CodeUpdateNamesrvConfig)
	for body, code := range map[string]int32{"maxConnections=-1\n": 1, "maxConnectionsPerHost=-1\n": 1, "maxConnections=1\nmaxConnectionsPerHost=7\n": 0} {
		change.Body = []byte(body)
		if resp := call(t, c, change); resp.Code != code {
			t.Fatal(body, resp.Code, string(resp.Remark))
		}
	}
	in := []*netpoll.Client{c}
	for range 100 {
		next := dial(t, s)
		if _, err := next.Call(t.Context(), request(remoting.CodeGetRouteinfoByTopic, "topic=T")); err != nil {
			<-next.Done()
			break
		}
		in = append(in, next)
	}
	if n := s.net.Stats(); len(in) < 10 || len(in) > 50 || n.Connections != int64(len(in)) || n.TurnedAway != 1 {
		t.Fatalf("%d are in, %+v", len(in), n)
	}
	if got := log.since("connection turned away"); len(got) != 1 || !strings.Contains(got[0], "from=127.0.0.1:") || !strings.Contains(got[0], "key=maxConnections ") {
		t.Fatal(got)
	}
	change.Body = []byte("maxConnections=0\n")
	if resp := call(t, c, change); resp.Code != 0 {
		t.Fatal(resp.Code, string(resp.Remark))
	}
	if resp := call(t, dial(t, s), request(remoting.CodeGetRouteinfoByTopic, "topic=T")); resp.Code != 17 {
		t.Fatal(resp.Code)
	}
}

// TestBrokersArePreferred: those in the networks of brokers, or else those who have registered.
func TestBrokersArePreferred(t *testing.T) {
	s, c := startWith(t, Options{})
	here, there := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.1.2.3")
	if s.isBroker(here) {
		t.Error("nobody has registered")
	}
	registerTopics(t, c, "b", "1.1.1.1:1", "T", "U")
	if !s.isBroker(here) || s.isBroker(there) {
		t.Error("one has registered")
	}
	s.networks = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	if !s.isBroker(there) || s.isBroker(netip.MustParseAddr("10.2.0.1")) {
		t.Error("networks")
	}
}
