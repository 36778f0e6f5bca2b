package doctor

import (
	"context"

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
		// With several brokers the topic's entry at the name server goes with the last of them.
		if _, err := t.v.ask.Call(ctx, n.Addr, ask.Request(remoting.CodeDeleteTopicInNamesrv, "topic", TestTopic, "clusterName", t.b.Cluster)); err != nil {
			t.p.Left = err
		}
	}
}
