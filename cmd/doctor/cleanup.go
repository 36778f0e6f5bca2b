package doctor

import (
	"context"
	"slices"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// clean deletes the topic that this run made: at the broker first, or it would register again.
func (t *tour) clean(ctx context.Context) {
	if !t.p.Created {
		return
	}
	if _, err := t.v.ask.Call(ctx, t.b.Addr, ask.Request(remoting.CodeDeleteTopicInBroker, "topic", TestTopic)); err != nil {
		t.p.Left = err
		return
	}
	for _, n := range t.v.names {
		if n.Err != nil {
			continue
		}
		// The topic's entry at a name server is that of all brokers: where another one has it, it stays.
		if r, err := t.v.ask.Route(ctx, n.Addr, TestTopic); err == nil && elsewhere(r, t.b.Name) {
			continue
		}
		if _, err := t.v.ask.Call(ctx, n.Addr, ask.Request(remoting.CodeDeleteTopicInNamesrv, "topic", TestTopic, "clusterName", t.b.Cluster)); err != nil {
			t.p.Left = err
		}
	}
}

// elsewhere says that a route leads to another broker too.
func elsewhere(r *remoting.TopicRouteData, broker string) bool {
	return slices.ContainsFunc(r.QueueDatas, func(q remoting.QueueData) bool { return q.BrokerName != broker })
}
