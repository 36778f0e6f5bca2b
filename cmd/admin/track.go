package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// track tells what a group did with a message, in stock's words.
type track struct {
	Group     string `json:"consumerGroup"`
	Type      string `json:"trackType"`
	Exception string `json:"exceptionDesc,omitempty"`
}

func (t track) text() string {
	return fmt.Sprintf("MessageTrack [consumerGroup=%s, trackType=%s, exceptionDesc=%s]", t.Group, t.Type, null(t.Exception))
}

// tracks are what the groups of the message's topic did with it.
func (s *Session) tracks(ctx context.Context, m *message) ([]track, error) {
	r, err := s.route(ctx, string(m.Topic))
	if err != nil {
		return nil, err
	}
	groups, err := s.groupsOf(ctx, r, string(m.Topic))
	if err != nil {
		return nil, err
	}
	all := make([]track, 0, len(groups))
	for _, g := range groups {
		all = append(all, s.track(ctx, m, g))
	}
	return all, nil
}

func (s *Session) track(ctx context.Context, m *message, group string) track {
	t := track{Group: group, Type: "UNKNOWN"}
	c, err := s.connection(ctx, group, "")
	var code *ask.CodeError
	switch {
	case errors.As(err, &code):
		if code.Code == remoting.RespConsumerNotOnline {
			t.Type = "NOT_ONLINE"
		}
		t.Exception = fmt.Sprintf("CODE:%d DESC:%s", code.Code, code.Remark)
		return t
	case err != nil:
		t.Exception = err.Error()
		return t
	case c.ConsumeType == "CONSUME_ACTIVELY":
		t.Type = "PULL"
		return t
	case c.ConsumeType != "CONSUME_PASSIVELY":
		return t
	case c.MessageModel == "BROADCASTING":
		t.Type = "CONSUME_BROADCASTING"
		return t
	}
	consumed, err := s.consumed(ctx, m, group)
	if err != nil {
		t.Exception = err.Error()
		return t
	}
	if t.Type = "NOT_CONSUME_YET"; consumed {
		t.Type = "CONSUMED"
		d, subscribed := c.SubscriptionTable[string(m.Topic)]
		if subscribed && len(d.TagsSet) > 0 && !slices.Contains(d.TagsSet, m.tags()) && !slices.Contains(d.TagsSet, "*") {
			t.Type = "CONSUMED_BUT_FILTERED"
		}
	}
	return t
}

// consumed says that a group's progress has passed a message on the broker that stored it.
func (s *Session) consumed(ctx context.Context, m *message, group string) (bool, error) {
	stats, err := s.consumeStats(ctx, group, "")
	if err != nil {
		return false, err
	}
	c, err := s.cluster(ctx)
	if err != nil {
		return false, err
	}
	for _, e := range stats.OffsetTable {
		b := c.BrokerAddrTable[e.Queue.BrokerName]
		if b != nil && e.Queue.Topic == string(m.Topic) && e.Queue.QueueID == m.QueueID && b.BrokerAddrs[masterID] == m.StoreHost.String() && e.Value.ConsumerOffset > m.QueueOffset {
			return true, nil
		}
	}
	return false, nil
}

// directly is what a member says about a message that it was told to consume.
type directly struct {
	Order     bool   `json:"order"`
	Commit    bool   `json:"autoCommit"`
	Result    string `json:"consumeResult"`
	Remark    string `json:"remark,omitempty"`
	SpentTime int64  `json:"spentTimeMills"`
}

// consumeDirectly has one member of a group consume a message (309).
func (s *Session) consumeDirectly(ctx context.Context, a Args, m *message, out *Out) error {
	addrs, err := s.brokersOf(ctx, a["consumerGroup"], "")
	if err != nil {
		return err
	}
	info, err := s.member(ctx, addrs, a["consumerGroup"], a["clientId"], false)
	if err != nil {
		return err
	}
	if info.Properties["PROP_CONSUME_TYPE"] != "CONSUME_PASSIVELY" {
		return fmt.Errorf("the client %s is no push consumer: it cannot be told to consume a message", a["clientId"])
	}
	var d directly
	req := ask.Request(remoting.CodeConsumeMessageDirectly, "consumerGroup", a["consumerGroup"], "clientId", a["clientId"], "msgId", m.offsetID(), "topic", a["topic"])
	if err := s.body(ctx, m.StoreHost.String(), req, &d); err != nil {
		return err
	}
	text := fmt.Sprintf("ConsumeMessageDirectlyResult [order=%t, autoCommit=%t, consumeResult=%s, remark=%s, spentTimeMills=%s]", d.Order, d.Commit, null(d.Result), null(d.Remark),
		strconv.FormatInt(d.SpentTime, 10))
	out.Row(m.id(), Cell{d, text})
	return nil
}
