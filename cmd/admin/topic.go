package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

func updateTopic() *Command {
	return &Command{
		Name: "updateTopic", Short: "Create a topic, or change one", Run: runUpdateTopic,
		Flags: []Flag{
			brokerFlag(), clusterFlag(), topicFlag(),
			{Short: "r", Long: "readQueueNums", Usage: "queues to read from; 8 if it is not given", Kind: Number},
			{Short: "w", Long: "writeQueueNums", Usage: "queues to write to; 8 if it is not given", Kind: Number},
			{Short: "p", Long: "perm", Usage: "permission: 2 write, 4 read, 6 both (the default)", Kind: Number},
			{Short: "o", Long: "order", Usage: "of ordered messages: true or false", Kind: TrueFalse},
			{Short: "u", Long: "unit", Usage: "of a unit: true or false", Kind: TrueFalse},
			{Short: "s", Long: "hasUnitSub", Usage: "with subscriptions of units: true or false", Kind: TrueFalse},
			{Short: "a", Long: "attributes", Usage: "attributes to set and to delete: +a=b,+c=d,-e"},
		},
	}
}

// Flags of a topic.
const (
	flagUnit    = 1
	flagUnitSub = 2
)

func runUpdateTopic(ctx context.Context, s *Session, a Args, out *Out) error {
	t := remoting.NewTopicConfig(a["topic"], 8, int32(a.Number("perm", 6)))
	t.ReadQueueNums, t.WriteQueueNums = int32(a.Number("readQueueNums", 8)), int32(a.Number("writeQueueNums", 8))
	if a.True("unit", false) {
		t.TopicSysFlag |= flagUnit
	}
	if a.True("hasUnitSub", false) {
		t.TopicSysFlag |= flagUnitSub
	}
	t.Order = a.True("order", false)
	attributes, err := attributesOf(a["attributes"])
	if err != nil {
		return err
	}
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	out.Set("topic", t)
	out.Table("brokers", "create topic to %v success.\n", Col{"", "brokerAddr"})
	err = each(addrs, func(addr string) error {
		if err := s.putTopic(ctx, addr, &t, a["attributes"]); err != nil {
			return err
		}
		out.Row(addr)
		return nil
	})
	if err != nil {
		return err
	}
	if t.Order {
		if err := s.orderTopic(ctx, a, &t, out); err != nil {
			return err
		}
	}
	out.Textf("%s\n", topicText(&t, attributes))
	return nil
}

// attributesOf reads +a=b,-c as stock does.
func attributesOf(text string) (all []pair, err error) {
	for _, word := range strings.FieldsFunc(text, func(ch rune) bool { return ch == ',' }) {
		key, value, valued := strings.Cut(strings.TrimSpace(word), "=")
		set := strings.HasPrefix(key, "+")
		if len(key) < 2 || set != valued || !set && key[0] != '-' {
			return nil, fmt.Errorf("-a (--attributes) %q: %q is neither +key=value nor -key", text, word)
		}
		all = append(all, pair{key, value})
	}
	return all, nil
}

// putTopic is request 17.
func (s *Session) putTopic(ctx context.Context, addr string, t *remoting.TopicConfig, attributes string) error {
	req := ask.Request(remoting.CodeUpdateAndCreateTopic, "topic", t.TopicName, "defaultTopic", "TBW102",
		"readQueueNums", strconv.Itoa(int(t.ReadQueueNums)), "writeQueueNums", strconv.Itoa(int(t.WriteQueueNums)), "perm", strconv.Itoa(int(t.Perm)),
		"topicFilterType", t.TopicFilterType, "topicSysFlag", strconv.Itoa(int(t.TopicSysFlag)), "order", strconv.FormatBool(t.Order))
	if attributes != "" {
		req.Set("attributes", attributes)
	}
	_, err := s.call(ctx, addr, req)
	return err
}

// topicText prints a topic as stock does.
func topicText(t *remoting.TopicConfig, attributes []pair) string {
	return fmt.Sprintf("TopicConfig [topicName=%s, readQueueNums=%d, writeQueueNums=%d, perm=%s, topicFilterType=%s, topicSysFlag=%d, order=%t, attributes=%s]",
		t.TopicName, t.ReadQueueNums, t.WriteQueueNums, permName(t.Perm), t.TopicFilterType, t.TopicSysFlag, t.Order, mapText(attributes, 16))
}

func updateTopicList() *Command {
	return &Command{
		Name: "updateTopicList", Short: "Create or change the topics of a JSON file", Run: runUpdateTopicList,
		Flags: []Flag{brokerFlag(), clusterFlag(), {Short: "f", Long: "filename", Usage: "file with a JSON list of topics", Required: true}},
	}
}

func runUpdateTopicList(ctx context.Context, s *Session, a Args, out *Out) error {
	var all []remoting.TopicConfig
	if err := readList(a["filename"], &all); err != nil {
		return err
	}
	return s.putList(ctx, a, out, remoting.CodeUpdateAndCreateTopicList, remoting.TopicConfigList{TopicConfigList: all}, "submit batch of topic config to %v success, please check the result later.\n")
}

// readList reads a file that holds a list.
func readList[T any](name string, all *[]T) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if err := remoting.Unmarshal(text, all); err != nil {
		return fmt.Errorf("%s: not a JSON list of them: %w", name, err)
	}
	if len(*all) == 0 {
		return fmt.Errorf("%s: the list is empty", name)
	}
	return nil
}

// putList sends one body to every broker named.
func (s *Session) putList(ctx context.Context, a Args, out *Out, code int32, list any, row string) error {
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return s.toBrokers(ctx, a, masters, code, body, row, out)
}

func deleteTopic() *Command {
	c := clusterFlag()
	c.Required = true
	return &Command{Name: "deleteTopic", Short: "Delete a topic from the brokers of a cluster and from the name servers", Run: runDeleteTopic, Flags: []Flag{topicFlag(), c}}
}

func runDeleteTopic(ctx context.Context, s *Session, a Args, out *Out) error {
	return s.deleteTopic(ctx, a["topic"], a["clusterName"], masters, out)
}

func (s *Session) deleteTopic(ctx context.Context, topic, cluster string, w which, out *Out) error {
	addrs, err := s.targets(ctx, Args{"clusterName": cluster}, w)
	if err != nil {
		return err
	}
	err = each(addrs, func(addr string) error {
		_, err := s.call(ctx, addr, ask.Request(remoting.CodeDeleteTopicInBroker, "topic", topic))
		return err
	})
	if err != nil {
		return err
	}
	if out != nil {
		out.Textf("delete topic [%s] from cluster [%s] success.\n", topic, cluster)
	}
	err = s.atNames(func(addr string) error {
		_, err := s.call(ctx, addr, ask.Request(remoting.CodeDeleteTopicInNamesrv, "topic", topic, "clusterName", cluster))
		return err
	})
	if err != nil || out == nil {
		return err
	}
	out.Textf("delete topic [%s] from NameServer success.\n", topic)
	out.Set("topic", topic)
	out.Set("brokers", addrs)
	out.Set("nameServers", s.names)
	return nil
}

func updateTopicPerm() *Command {
	return &Command{
		Name: "updateTopicPerm", Short: "Change the permission of a topic", Run: runUpdateTopicPerm,
		Flags: []Flag{brokerFlag(), clusterFlag(), topicFlag(), {Short: "p", Long: "perm", Usage: "permission: 2 write, 4 read, 6 both", Kind: Number, Required: true}},
	}
}

// runUpdateTopicPerm leaves of a topic what it is. Stock's sets it to what the first broker of the route has, without order and
// attributes.
func runUpdateTopicPerm(ctx context.Context, s *Session, a Args, out *Out) error {
	addrs, err := s.targets(ctx, a, masters)
	if err != nil {
		return err
	}
	perm := int32(a.Number("perm", 0))
	out.Table("brokers", "update topic perm from %v to %v in %v success.\n", Col{"", "from"}, Col{"", "to"}, Col{"", "brokerAddr"})
	return each(addrs, func(addr string) error {
		t, err := s.ask.TopicConfig(ctx, addr, a["topic"])
		if err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
		before := t.Perm
		if before == perm {
			return errors.New("new perm equals to the old one")
		}
		t.Perm = perm
		if err := s.putTopic(ctx, addr, t, ""); err != nil {
			return err
		}
		out.Row(before, perm, addr)
		if a["brokerAddr"] != "" {
			out.Textf("%s.\n", topicText(t, pairsOf(t.Attributes)))
		}
		return nil
	})
}

// pairsOf lists a map by its keys.
func pairsOf(m map[string]string) (all []pair) {
	for k, v := range m {
		all = append(all, pair{k, v})
	}
	slices.SortFunc(all, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	return all
}
