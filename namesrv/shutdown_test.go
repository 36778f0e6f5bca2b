package namesrv

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestShutdownLeavesTheTablesAlone: the end of a server with many brokers must not cost a look at all topics for each of them.
func TestShutdownLeavesTheTablesAlone(t *testing.T) {
	const brokers, topics = 120, 100_000
	s, c := start(t, "")
	for i := range brokers {
		name := fmt.Sprint("b", i)
		registerTopics(t, dial(t, s), name, fmt.Sprint("1.1.1.1:", i), name+"T", name+"U")
	}
	many := &remoting.RegisterBrokerBody{}
	many.TopicConfigSerializeWrapper.TopicConfigTable = make(map[string]*remoting.TopicConfig, topics)
	for i := range topics {
		config := remoting.NewTopicConfig(fmt.Sprint("T", i), 4, 6)
		many.TopicConfigSerializeWrapper.TopicConfigTable[config.TopicName] = &config
	}
	if _, ok := s.routes.register(&registration{cluster: "c", name: "many", addr: "1.1.1.2:1", timeout: time.Hour, body: many}, time.Now()); !ok {
		t.Fatal("refused")
	}
	gone := dial(t, s)
	registerTopics(t, gone, "gone", "1.1.1.3:1", "GoneT", "GoneU")
	gone.Close()
	until(t, "the end of a broker while the server runs", func() bool { return routeCode(t, c, "GoneT") == remoting.RespTopicNotExist })
	began := time.Now()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > patience {
		t.Errorf("it took %s", took)
	}
	if _, named, live, all, _ := s.routes.sizes(); named != brokers+1 || live != brokers+1 || all != topics+2*brokers {
		t.Errorf("of %d brokers with %d topics %d (%d live) with %d are left", brokers+1, topics+2*brokers, named, live, all)
	}
}
