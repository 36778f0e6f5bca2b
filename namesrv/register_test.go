package namesrv

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// compressed is the body of a registration with so many topics, named after the broker.
func compressed(t testing.TB, name string, topics int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	text := func(s string) {
		_ = binary.Write(z, binary.BigEndian, int32(len(s)))
		_, _ = z.Write([]byte(s))
	}
	text(fmt.Sprintf(`{"counter":%d,"stateVersion":0,"timestamp":1}`, topics))
	_ = binary.Write(z, binary.BigEndian, int32(topics))
	for i := range topics {
		text(fmt.Sprintf("%s-topic-of-some-length-%d 8 8 6 SINGLE_TAG", name, i))
	}
	text("[]")
	_ = binary.Write(z, binary.BigEndian, int32(0))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func registering(t testing.TB, name string, topics int) *remoting.Command {
	req := request(remoting.CodeRegisterBroker, "clusterName=c", "brokerName="+name, "brokerAddr="+name+":1", "brokerId=0", "haServerAddr=h:1", "compressed=true")
	req.Body = compressed(t, name, topics)
	return req
}

// startCall sends a request; its answer's code comes by the channel, -1 when there is none.
func startCall(t *testing.T, c *netpoll.Client, req *remoting.Command) <-chan int32 {
	answer := make(chan int32, 1)
	ctx := t.Context()
	go func() {
		resp, err := c.Call(ctx, req)
		if err != nil {
			answer <- -1
			return
		}
		answer <- resp.Code
	}()
	return answer
}

// TestLongRegistrationsAreReadBesideTheLoops: while one is being read, everybody else is served; what the same broker sends after it,
// by whichever connection, is done after it; a broker whose connection ends meanwhile is not in the route.
func TestLongRegistrationsAreReadBesideTheLoops(t *testing.T) {
	const long, short = 2000, 10
	s, c := start(t, "")
	busy, gate := make(chan struct{}), make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open) // before the server's, which waits for it
	s.registrar.Try(0, func() { close(busy); <-gate })
	<-busy
	first, again, gone := dial(t, s), dial(t, s), dial(t, s)
	a := startCall(t, first, registering(t, "a", long))
	lost := startCall(t, gone, registering(t, "gone", long))
	waits := func(name string) bool { return s.backlog.waits(addrKey{"c", name + ":1"}) }
	until(t, "registrations that wait", func() bool { return waits("a") && waits("gone") })
	second := registering(t, "a", short)
	b := startCall(t, again, second)
	until(t, "three in the backlog", func() bool {
		s.backlog.mu.Lock()
		defer s.backlog.mu.Unlock()
		return s.backlog.count[addrKey{"c", "a:1"}] == 2
	})
	// Others, on both loops.
	for i := range 8 {
		other := dial(t, s)
		if code := <-startCall(t, other, registering(t, fmt.Sprint("other", i), short)); code != 0 {
			t.Fatal("another broker:", code)
		}
		if code := routeCode(t, other, fmt.Sprintf("other%d-topic-of-some-length-1", i)); code != 0 {
			t.Fatal("its route:", code)
		}
	}
	select {
	case <-a:
		t.Fatal("answered before it was read")
	case <-b:
		t.Fatal("overtaken")
	default:
	}
	gone.Close()
	<-lost
	open()
	if x, y := <-a, <-b; x != 0 || y != 0 {
		t.Fatal(x, y)
	}
	until(t, "an empty backlog", func() bool { return !waits("a") && !waits("gone") })
	s.routes.mu.RLock()
	version := s.routes.live[addrKey{"c", "a:1"}].version.Counter
	s.routes.mu.RUnlock()
	if version != short {
		t.Error("the earlier registration came last:", version)
	}
	if code := routeCode(t, c, "a-topic-of-some-length-1999"); code != 0 {
		t.Error("topics of the first registration:", code)
	}
	until(t, "the end of a broker whose connection has ended", func() bool { return routeCode(t, c, "gone-topic-of-some-length-1") == remoting.RespTopicNotExist })
	// What came behind is served without new bytes.
	if code := <-startCall(t, first, request(remoting.CodeBrokerHeartbeat, "clusterName=c", "brokerAddr=a:1")); code != 0 {
		t.Error(code)
	}
}
