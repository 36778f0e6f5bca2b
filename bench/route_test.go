package bench

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// nameServer answers every request with the body for its code, or with 17.
type nameServer struct{ bodies map[int32]string }

func (nameServer) Opened(*netpoll.Conn)        {}
func (nameServer) Closed(*netpoll.Conn, error) {}
func (nameServer) Woken(int)                   {}

func (n nameServer) Serve(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	body, ok := n.bodies[req.Code]
	code := remoting.RespSuccess
	if !ok {
		code = remoting.RespTopicNotExist
	}
	b := remoting.BeginReply(c.Out(), req.Encoding, req.Opaque, code)
	b.Body([]byte(body))
	c.PutOut(b.End())
	return netpoll.Done
}

func TestFindBroker(t *testing.T) {
	const route = `{"brokerDatas":[{"brokerAddrs":{"1":"slave:1"},"brokerName":"a","cluster":"C"},{"brokerAddrs":{"0":"b:1","1":"x:1"},"brokerName":"b","cluster":"C"},` +
		`{"brokerAddrs":{"0":"d:1"},"brokerName":"d","cluster":"D"}],"queueDatas":[]}`
	const cluster = `{"brokerAddrTable":{"z":{"brokerAddrs":{0:"z:1",2:"y:1"},"brokerName":"z","cluster":"C"},"m":{"brokerAddrs":{0:"m:10911"},"brokerName":"m","cluster":"M"}},"clusterAddrTable":{"C":["z"]}}`
	for _, c := range []struct {
		name          string
		bodies        map[int32]string
		cluster, want string
	}{
		{"route", map[int32]string{105: route, 106: cluster}, "", "b:1"},
		{"route in a cluster", map[int32]string{105: route}, "D", "d:1"},
		{"route without the cluster", map[int32]string{105: route}, "E", "knows no master of cluster E"},
		{"no route", map[int32]string{106: cluster}, "", "m:10911"},
		{"no route, cluster", map[int32]string{106: cluster}, "C", "z:1"},
		{"empty", map[int32]string{106: "{}"}, "", "knows no master"},
		{"broken", map[int32]string{106: "{"}, "", "the brokers of the cluster"},
		{"broken route", map[int32]string{105: "["}, "", "the route of T"},
		{"neither", nil, "", "code 17"},
	} {
		s, err := netpoll.Serve(netpoll.Options{Addrs: []string{"127.0.0.1:0"}, Loops: 1, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, nameServer{c.bodies})
		if err != nil {
			t.Fatal(err)
		}
		got, err := FindBroker(t.Context(), s.Addrs()[0].String(), c.cluster, "T")
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %s, not %s", c.name, got, c.want)
		}
		_ = s.Shutdown(t.Context())
		if c.name == "neither" {
			if _, err := FindBroker(t.Context(), s.Addrs()[0].String(), "", "T"); err == nil || !strings.HasPrefix(err.Error(), "name server 127.0.0.1:") || !strings.Contains(err.Error(), "nothing listens there") {
				t.Errorf("nobody there: %v", err)
			}
		}
	}
}
