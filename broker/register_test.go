package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestRestartedNameServerHasItsRoutesSoon, and not with the next registration of all, which is due after the test has given up.
func TestRestartedNameServerHasItsRoutesSoon(t *testing.T) {
	r := newRig(t, fmt.Sprint("registerNameServerPeriod=", 2*patience.Milliseconds()))
	want(t, r.dial().call(sendTo("T", 0, "", "x")), 0, "")
	addr := r.routes.Addr()
	if err := r.routes.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	// The broker goes on, and makes topics, without it.
	want(t, r.dial().call(sendTo("U", 0, "", "x")), 0, "")
	r.startRoutes(addr.Addr().String(), addr.Port())
	routes := r.dialRoutes()
	for _, topic := range []string{"T", "U"} {
		until(t, topic, func() bool {
			return routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", topic)).Code == 0
		})
	}
}

func TestBrokerStartsWithoutItsNameServer(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	addr := r.routes.Addr()
	if err := r.routes.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	r.startBroker("adminHttpAddress=127.0.0.1:0")
	registered := func() (v float64, shown bool) {
		v, shown = scrapes(t, r.broker.web.admin)[`ringmq_registered{namesrv="`+addr.String()+`"}`]
		return v, shown
	}
	if v, shown := registered(); v != 0 || !shown {
		t.Errorf("shown as registered: %v %v", v, shown)
	}
	if why := r.broker.NotRegistered(); len(why) != 1 || why[addr.String()] == nil || len(r.broker.Registered()) != 0 {
		t.Fatal(why)
	}
	want(t, r.dial().call(sendTo("T", 0, "", "x")), 0, "")
	r.startRoutes(addr.Addr().String(), addr.Port())
	routes := r.dialRoutes()
	until(t, "route", func() bool { return routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "T")).Code == 0 })
	until(t, "the broker knows", func() bool { return len(r.broker.NotRegistered()) == 0 && len(r.broker.Registered()) == 1 })
	if v, _ := registered(); v != 1 {
		t.Errorf("shown as registered: %v", v)
	}
}

func TestSecondBrokerOnADirectoryIsRefused(t *testing.T) {
	r := newRig(t)
	if _, err := New(Options{Config: r.config(), Logger: r.broker.logger}); err == nil {
		t.Fatal("two brokers on one directory")
	}
}

// TestAlterationsOfOneMomentAreAllInTheRoute: a topic that is altered while another's alteration is being sent is not left behind by
// the version that carries the other.
func TestAlterationsOfOneMomentAreAllInTheRoute(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.registrar.timeout = patience })
	put := func(topic string, queues int32) {
		r.broker.topics.Put(remoting.NewTopicConfig(topic, queues, remoting.PermRead|remoting.PermWrite))
	}
	put("First", 1)
	put("Second", 1)
	if err := r.broker.settled(); err != nil {
		t.Fatal(err)
	}
	target := r.broker.registrar.targets[0]
	target.mu.Lock()
	put("First", 2)
	time.Sleep(20 * coalesce) // the registrar waits for the lock, about to send the first topic
	put("Second", 3)
	target.mu.Unlock()
	if err := r.broker.settled(); err != nil {
		t.Fatal(err)
	}
	routes := r.dialRoutes()
	for topic, queues := range map[string]int{"First": 2, "Second": 3} {
		got := string(routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", topic)).Body)
		if !strings.Contains(got, `"writeQueueNums":`+strconv.Itoa(queues)) {
			t.Error(topic, got)
		}
	}
}

// TestMoreTopicsThanARequestHolds: they are registered in parts, and an alteration of one is not passed over.
func TestMoreTopicsThanARequestHolds(t *testing.T) {
	if raceEnabled {
		t.Skip("90,000 topics take longer than a registration may under the race detector; the other build runs it")
	}
	t.Parallel()
	r := newRig(t)
	const topics = 90_000 // more than 16 MiB of them
	many := func(queues int32) {
		all := make([]remoting.TopicConfig, topics)
		for i := range all {
			all[i] = remoting.NewTopicConfig("topic-with-a-long-name-"+strconv.Itoa(i), queues, remoting.PermRead|remoting.PermWrite)
		}
		r.broker.topics.Put(all...)
		if err := r.broker.settled(); err != nil {
			t.Fatal(err)
		}
	}
	routes := r.dialRoutes()
	for _, queues := range []int32{1, 2} {
		many(queues)
		r.broker.registrar.round(true)
		if len(r.broker.Registered()) != 1 {
			t.Fatal("not registered")
		}
		for i := 0; i < topics; i += 1000 {
			got := routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "topic-with-a-long-name-"+strconv.Itoa(i)))
			if !strings.Contains(string(got.Body), `"writeQueueNums":`+strconv.Itoa(int(queues))) {
				t.Fatal(i, got.Code, string(got.Body))
			}
		}
	}
	if full := len(r.broker.registration(r.broker.topics.All(), remoting.DataVersion{}).Body); full < remoting.MaxFrameBytes {
		t.Fatal("the test is too small:", full)
	}
	for _, part := range registrationParts(r.broker.topics.All(), maxRegistrationBytes) {
		if n := len(r.broker.registration(part, remoting.DataVersion{}).Body); n > maxRegistrationBytes {
			t.Error("a part of", n)
		}
	}
}
