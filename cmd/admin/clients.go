package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func consumerConnection() *Command {
	return &Command{
		Name: "consumerConnection", Short: "Show the clients of a consumer group", Reads: true, Run: runConsumerConnection,
		Flags: []Flag{groupFlag("g", "consumerGroup"), brokerFlag()},
	}
}

func runConsumerConnection(ctx context.Context, s *Session, a Args, out *Out) error {
	c, err := s.connection(ctx, a["consumerGroup"], a["brokerAddr"])
	if err != nil {
		return err
	}
	sortConnections(c.ConnectionSet)
	out.Table("connections", "%-36v %-22v %-10v %v\n", Col{"#ClientId", "clientId"}, Col{"#ClientAddr", "clientAddr"}, Col{"#Language", "language"}, Col{"#Version", "version"})
	for _, one := range c.ConnectionSet {
		out.Row(one.ClientID, one.ClientAddr, one.Language, versionName(one.Version))
	}
	out.Textf("\nBelow is subscription:\n")
	out.Table("subscriptions", "%-20v %v\n", Col{"#Topic", "topic"}, Col{"#SubExpression", "subExpression"})
	for _, topic := range slices.Sorted(maps.Keys(c.SubscriptionTable)) {
		out.Row(topic, c.SubscriptionTable[topic].SubString)
	}
	out.Textf("\nConsumeType: %s\nMessageModel: %s\nConsumeFromWhere: %s\n", c.ConsumeType, c.MessageModel, c.ConsumeFromWhere)
	out.Set("consumeType", c.ConsumeType)
	out.Set("messageModel", c.MessageModel)
	out.Set("consumeFromWhere", c.ConsumeFromWhere)
	return nil
}

func sortConnections(all []remoting.Connection) {
	slices.SortFunc(all, func(a, b remoting.Connection) int {
		return cmp.Or(strings.Compare(a.ClientID, b.ClientID), strings.Compare(a.ClientAddr, b.ClientAddr))
	})
}

func producerConnection() *Command {
	return &Command{
		Name: "producerConnection", Short: "Show the clients of a producer group", Reads: true, Run: runProducerConnection,
		Flags: []Flag{{Short: "g", Long: "producerGroup", Usage: "producer group name", Required: true}, topicFlag()},
	}
}

func runProducerConnection(ctx context.Context, s *Session, a Args, out *Out) error {
	r, err := s.route(ctx, a["topic"])
	if err != nil {
		return err
	}
	var all []remoting.Connection
	var errs []error
	for _, addr := range addrsOf(r, "") {
		var c remoting.ProducerConnection
		if err := s.body(ctx, addr, ask.Request(remoting.CodeGetProducerConnectionList, "producerGroup", a["producerGroup"]), &c); err != nil {
			errs = append(errs, err)
		}
		for _, one := range c.ConnectionSet {
			if !slices.ContainsFunc(all, func(o remoting.Connection) bool { return o.ClientID == one.ClientID }) {
				all = append(all, one)
			}
		}
	}
	if len(all) == 0 {
		return errors.Join(append([]error{fmt.Errorf("no client of the producer group %s is connected", a["producerGroup"])}, errs...)...)
	}
	sortConnections(all)
	out.Table("connections", "%04[1]d  %-32[2]v %-22[3]v %-8[4]v %[5]v\n", Col{"", "index"}, Col{"", "clientId"}, Col{"", "clientAddr"}, Col{"", "language"}, Col{"", "version"})
	for i, one := range all {
		out.Row(i+1, one.ClientID, one.ClientAddr, one.Language, versionName(one.Version))
	}
	return nil
}

func producer() *Command {
	b := brokerFlag()
	b.Long, b.Required = "broker", true // its name in stock's, in this command alone
	return &Command{Name: "producer", Short: "Show all producers of a broker", Reads: true, Run: runProducer, Flags: []Flag{b}}
}

func runProducer(ctx context.Context, s *Session, a Args, out *Out) error {
	addr, err := s.brokerAt(ctx, a["broker"])
	if err != nil {
		return err
	}
	var t remoting.ProducerTable
	if err := s.body(ctx, addr, ask.Request(remoting.CodeGetAllProducerInfo), &t); err != nil {
		return err
	}
	out.Table("producers", "producer group (%v) instance : clientId=%v,remoteIP=%v, language=%v, version=%v, lastUpdateTimestamp=%v\n", Col{"", "producerGroup"}, Col{"", "clientId"},
		Col{"", "remoteIP"}, Col{"", "language"}, Col{"", "version"}, Col{"", "lastUpdateTimestamp"})
	for _, group := range slices.Sorted(maps.Keys(t.Data)) {
		for _, p := range t.Data[group] {
			out.Row(group, p.ClientID, p.RemoteIP, p.Language, p.Version, p.LastUpdateTimestamp)
		}
	}
	return nil
}
