package broker

import (
	"context"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestTwoNameServers: both know every topic when its first send is answered; the end of one keeps nobody waiting, and an orderly end
// takes the broker out of both.
func TestTwoNameServers(t *testing.T) {
	t.Parallel()
	first, second := &rig{t: t, root: t.TempDir()}, &rig{t: t, root: t.TempDir()}
	first.startRoutes("127.0.0.1", 0)
	second.startRoutes("127.0.0.1", 0)
	r := &rig{t: t, root: t.TempDir(), routes: first.routes}
	r.startBroker("namesrvAddr=" + first.routes.Addr().String() + ";" + second.routes.Addr().String())
	one, other := first.dialRoutes(), second.dialRoutes()
	route := func(c *client, topic string) int32 {
		return c.call(request(remoting.CodeGetRouteinfoByTopic, "topic", topic)).Code
	}
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	if route(one, "T") != 0 || route(other, "T") != 0 {
		t.Error("a topic is not in both routes")
	}
	if err := first.routes.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	want(t, c.call(sendTo("U", 0, "", "x")), 0, "")
	if route(other, "U") != 0 {
		t.Error("a topic is not in the route that is left")
	}
	r.stopBroker()
	if code := route(other, "T"); code != remoting.RespTopicNotExist {
		t.Error("the broker is still in the route:", code)
	}
}
