package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func queryCq() *Command {
	return &Command{
		Name: "queryCq", Short: "Show entries of a consume queue as they lie there", Reads: true, Run: runQueryCq,
		Flags: []Flag{
			topicFlag(), {Short: "q", Long: "queue", Usage: "queue", Kind: Number, Required: true}, {Short: "i", Long: "index", Usage: "offset of the first entry", Kind: Number, Required: true},
			{Short: "c", Long: "count", Usage: "how many; 10 if it is not given", Kind: Number}, {Short: "b", Long: "broker", Usage: "broker, host:port; the topic's first if it is not given", Names: BrokerAddrs},
			{Short: "g", Long: "consumer", Usage: "say what the subscription of this group makes of them", Names: Groups},
		},
	}
}

func runQueryCq(ctx context.Context, s *Session, a Args, out *Out) error {
	addr := a["broker"]
	if addr == "" {
		r, err := s.route(ctx, a["topic"])
		if err != nil {
			return err
		}
		if addrs := addrsOf(r, ""); len(addrs) > 0 {
			addr = addrs[0]
		} else {
			return errors.New("the route of the topic has no broker")
		}
	}
	req := ask.Request(remoting.CodeQueryConsumeQueue, "topic", a["topic"], "queueId", a["queue"], "index", a["index"], "count", a.Or("count", "10"))
	if g := a["consumer"]; g != "" {
		req.Set("consumerGroup", g)
	}
	var u remoting.QueueUnits
	if err := s.body(ctx, addr, req, &u); err != nil {
		return err
	}
	const line = "======================================\n"
	if u.SubscriptionData != nil {
		var text strings.Builder
		prettyJSON(&text, []byte(toJSON(u.SubscriptionData)))
		out.Textf("Subscription data: \n%s\n"+line, text.String())
		out.Set("subscriptionData", u.SubscriptionData)
	}
	if u.FilterData != "" {
		out.Textf("Filter data: \n%s\n"+line, u.FilterData)
		out.Set("filterData", u.FilterData)
	}
	out.Textf("Queue data: \nmax: %d, min: %d\n"+line, u.MaxQueueIndex, u.MinQueueIndex)
	out.Set("maxQueueIndex", u.MaxQueueIndex)
	out.Set("minQueueIndex", u.MinQueueIndex)
	out.Table("entries", "idx: %[1]v\n%[6]v\n"+line, Col{"", "index"}, Col{"", "physicOffset"}, Col{"", "physicSize"}, Col{"", "tagsCode"}, Col{"", "eval"}, Col{"", "msg"})
	for i, e := range u.QueueData {
		msg := Cell{e.Msg, fmt.Sprintf("ConsumeQueueData{physicOffset=%d, physicSize=%d, tagsCode=%d, extendDataJson='null', bitMap='null', eval=%t, msg='%s'}",
			e.PhysicOffset, e.PhysicSize, e.TagsCode, e.Eval, null(e.Msg))}
		out.Row(a.Number("index", 0)+int64(i), e.PhysicOffset, e.PhysicSize, e.TagsCode, e.Eval, msg)
	}
	return nil
}
