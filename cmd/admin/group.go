package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func updateSubGroup() *Command {
	return &Command{
		Name: "updateSubGroup", Short: "Create a consumer group, or change one", Run: runUpdateSubGroup,
		Flags: []Flag{
			brokerFlag(), clusterFlag(), groupFlag("g", "groupName"),
			{Short: "s", Long: "consumeEnable", Usage: "may consume: true (the default) or false", Kind: TrueFalse},
			{Short: "m", Long: "consumeFromMinEnable", Usage: "may begin at the first message: true or false (the default)", Kind: TrueFalse},
			{Short: "d", Long: "consumeBroadcastEnable", Usage: "may broadcast: true or false (the default)", Kind: TrueFalse},
			{Short: "o", Long: "consumeMessageOrderly", Usage: "consumes in order: true or false (the default)", Kind: TrueFalse},
			{Short: "q", Long: "retryQueueNums", Usage: "queues of its retry topic", Kind: Number},
			{Short: "r", Long: "retryMaxTimes", Usage: "how often a message is tried again", Kind: Number},
			{Short: "p", Long: "groupRetryPolicy", Usage: "its retry policy as JSON"},
			{Short: "i", Long: "brokerId", Usage: "broker id to consume from", Kind: Number},
			{Short: "w", Long: "whichBrokerWhenConsumeSlowly", Usage: "broker id to consume from when it is far behind", Kind: Number},
			{Short: "a", Long: "notifyConsumerIdsChanged", Usage: "members are told when others come and go: true (the default) or false", Kind: TrueFalse},
			{Long: "attributes", Usage: "attributes to set and to delete: +a=b,+c=d,-e"},
		},
	}
}

func runUpdateSubGroup(ctx context.Context, s *Session, a Args, out *Out) error {
	g := remoting.NewSubscriptionGroupConfig(a["groupName"])
	g.ConsumeEnable = a.True("consumeEnable", true)
	g.ConsumeFromMinEnable, g.ConsumeBroadcastEnable = a.True("consumeFromMinEnable", false), a.True("consumeBroadcastEnable", false)
	g.ConsumeMessageOrderly = a.True("consumeMessageOrderly", false)
	g.RetryQueueNums, g.RetryMaxTimes = int32(a.Number("retryQueueNums", 1)), int32(a.Number("retryMaxTimes", 16))
	g.BrokerID, g.WhichBrokerWhenConsumeSlowly = a.Number("brokerId", 0), a.Number("whichBrokerWhenConsumeSlowly", 1)
	g.NotifyConsumerIdsChangedEnable = a.True("notifyConsumerIdsChanged", true)
	if text := a["groupRetryPolicy"]; text != "" {
		g.GroupRetryPolicy = nil
		if err := json.Unmarshal([]byte(text), &g.GroupRetryPolicy); err != nil {
			return fmt.Errorf("-p (--groupRetryPolicy): not a JSON object: %w", err)
		}
	}
	attributes, err := attributesOf(a["attributes"])
	if err != nil {
		return err
	}
	for _, p := range attributes {
		g.Attributes[p.key] = p.value
	}
	body, err := json.Marshal(g)
	if err != nil {
		return err
	}
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	out.Set("group", g)
	out.Table("brokers", "create subscription group to %v success.\n", Col{"", "brokerAddr"})
	err = each(addrs, func(addr string) error {
		req := ask.Request(remoting.CodeUpdateAndCreateSubscriptiongroup)
		req.Body = body
		if _, err := s.call(ctx, addr, req); err != nil {
			return err
		}
		out.Row(addr)
		return nil
	})
	if err == nil {
		out.Textf("%s\n", groupText(&g))
	}
	return err
}

// field is one of a group's, by stock's name and in stock's order.
type field struct {
	name string
	text string
}

func groupFields(g *remoting.SubscriptionGroupConfig) []field {
	subscriptions := ""
	if g.SubscriptionDataSet != nil {
		subscriptions = toJSON(g.SubscriptionDataSet)
	}
	return []field{
		{"groupName", g.GroupName}, {"consumeEnable", strconv.FormatBool(g.ConsumeEnable)}, {"consumeFromMinEnable", strconv.FormatBool(g.ConsumeFromMinEnable)},
		{"consumeBroadcastEnable", strconv.FormatBool(g.ConsumeBroadcastEnable)}, {"consumeMessageOrderly", strconv.FormatBool(g.ConsumeMessageOrderly)},
		{"retryQueueNums", strconv.Itoa(int(g.RetryQueueNums))}, {"retryMaxTimes", strconv.Itoa(int(g.RetryMaxTimes))}, {"groupRetryPolicy", policyText(g.GroupRetryPolicy)},
		{"brokerId", strconv.FormatInt(g.BrokerID, 10)}, {"whichBrokerWhenConsumeSlowly", strconv.FormatInt(g.WhichBrokerWhenConsumeSlowly, 10)},
		{"notifyConsumerIdsChangedEnable", strconv.FormatBool(g.NotifyConsumerIdsChangedEnable)}, {"groupSysFlag", strconv.Itoa(int(g.GroupSysFlag))},
		{"consumeTimeoutMinute", strconv.Itoa(int(g.ConsumeTimeoutMinute))}, {"subscriptionDataSet", subscriptions}, {"attributes", mapText(pairsOf(g.Attributes), 16)},
	}
}

func policyText(p map[string]any) string {
	part := func(key string) string {
		if v, ok := p[key]; ok && v != nil {
			if text, ok := v.(string); ok {
				return text
			}
			return toJSON(v)
		}
		return "null"
	}
	return fmt.Sprintf("GroupRetryPolicy{type=%s, exponentialRetryPolicy=%s, customizedRetryPolicy=%s}", part("type"), part("exponentialRetryPolicy"), part("customizedRetryPolicy"))
}

// groupText prints a group as stock does.
func groupText(g *remoting.SubscriptionGroupConfig) string {
	var words []string
	for _, f := range groupFields(g) {
		words = append(words, f.name+"="+null(f.text))
	}
	return "SubscriptionGroupConfig{" + strings.Join(words, ", ") + "}"
}

func updateSubGroupList() *Command {
	return &Command{
		Name: "updateSubGroupList", Short: "Create or change the consumer groups of a JSON file", Run: runUpdateSubGroupList,
		Flags: []Flag{brokerFlag(), clusterFlag(), {Short: "f", Long: "filename", Usage: "file with a JSON list of groups", Required: true}},
	}
}

func runUpdateSubGroupList(ctx context.Context, s *Session, a Args, out *Out) error {
	var all []remoting.SubscriptionGroupConfig
	if err := readList(a["filename"], &all); err != nil {
		return err
	}
	return s.putList(ctx, a, out, remoting.CodeUpdateAndCreateSubscriptiongroupList, remoting.GroupConfigList{GroupConfigList: all}, "submit batch of group config to %v success, please check the result later.\n")
}

func deleteSubGroup() *Command {
	return &Command{
		Name: "deleteSubGroup", Short: "Delete a consumer group", Run: runDeleteSubGroup,
		Flags: []Flag{brokerFlag(), clusterFlag(), groupFlag("g", "groupName"), {Short: "r", Long: "removeOffset", Usage: "and its progress: true or false (the default)", Kind: TrueFalse}},
	}
}

func runDeleteSubGroup(ctx context.Context, s *Session, a Args, out *Out) error {
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	group, cluster := a["groupName"], a["clusterName"]
	row := "delete subscription group [%v] from broker [%v] success.\n"
	whole := a["brokerAddr"] == ""
	if whole {
		row = "delete subscription group [%v] from broker [%v] in cluster [" + strings.ReplaceAll(cluster, "%", "%%") + "] success.\n"
	}
	out.Table("brokers", row, Col{"", "groupName"}, Col{"", "brokerAddr"})
	err = each(addrs, func(addr string) error {
		req := ask.Request(remoting.CodeDeleteSubscriptiongroup, "groupName", group, "cleanOffset", strconv.FormatBool(a.True("removeOffset", false)))
		if _, err := s.call(ctx, addr, req); err != nil {
			return err
		}
		out.Row(group, addr)
		return nil
	})
	if err != nil || !whole {
		return err
	}
	return each([]string{retryPrefix + group, deadPrefix + group}, func(topic string) error {
		return s.deleteTopic(ctx, topic, cluster, mastersAndSlaves, nil)
	})
}

func getConsumerConfig() *Command {
	return &Command{Name: "getConsumerConfig", Short: "Show the configuration of a consumer group", Reads: true, Run: runGetConsumerConfig, Flags: []Flag{groupFlag("g", "groupName")}}
}

func runGetConsumerConfig(ctx context.Context, s *Session, a Args, out *Out) error {
	c, err := s.cluster(ctx)
	if err != nil {
		return err
	}
	out.Table("groups", "%[3]v", Col{"", "clusterName"}, Col{"", "brokerName"}, Col{"", "config"})
	found := 0
	err = each(slices.Sorted(maps.Keys(c.BrokerAddrTable)), func(name string) error {
		b := c.BrokerAddrTable[name]
		g, err := s.ask.GroupConfig(ctx, addrOf(b), a["groupName"])
		switch {
		case ask.CodeOf(err) == remoting.RespSubscriptionGroupNotExist:
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		}
		var text strings.Builder
		fmt.Fprintf(&text, "=============================%s:%s=============================\n", b.Cluster, name)
		for _, f := range groupFields(g) {
			fmt.Fprintf(&text, "%-40s=  %s\n", f.name, f.text)
		}
		out.Row(b.Cluster, name, Cell{g, text.String()})
		found++
		return nil
	})
	if err == nil && found == 0 {
		return fmt.Errorf("no broker has the consumer group %s", a["groupName"])
	}
	return err
}
