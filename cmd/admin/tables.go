package admin

import (
	"context"
	"fmt"
	"maps"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// table asks for the whole of a table: 21, 43, 201.
func (s *Session) table(ctx context.Context, addr string, code int32, v any) error {
	resp, err := s.call(ctx, addr, ask.Request(code, remoting.PeerKey, "", remoting.PeerZipKey, remoting.PeerZlib))
	if err != nil {
		return err
	}
	body, err := remoting.PeerBody(resp)
	if err != nil {
		return fmt.Errorf("%s: the answer to %s: %w", addr, remoting.CodeName(code), err)
	}
	if err := remoting.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: the answer to %s cannot be read: %w", addr, remoting.CodeName(code), err)
	}
	return nil
}

// topicTable is request 21, and 305 for the topics that a broker has by itself: those are not in the table.
func (s *Session) topicTable(ctx context.Context, addr string) (topics map[string]*remoting.TopicConfig, system map[string]bool, err error) {
	var t remoting.TopicConfigTable
	if err := s.table(ctx, addr, remoting.CodeGetAllTopicConfig, &t); err != nil {
		return nil, nil, err
	}
	var own remoting.TopicList
	if err := s.body(ctx, addr, ask.Request(remoting.CodeGetSystemTopicListFromBroker), &own); err != nil {
		return nil, nil, err
	}
	system = map[string]bool{}
	for _, name := range own.TopicList {
		system[name] = true
	}
	maps.DeleteFunc(t.TopicConfigTable, func(name string, c *remoting.TopicConfig) bool { return c == nil || system[name] })
	return t.TopicConfigTable, system, nil
}

// groupTable is request 201.
func (s *Session) groupTable(ctx context.Context, addr string) (map[string]*remoting.SubscriptionGroupConfig, error) {
	var t remoting.GroupTable
	if err := s.table(ctx, addr, remoting.CodeGetAllSubscriptiongroupConfig, &t); err != nil {
		return nil, err
	}
	maps.DeleteFunc(t.SubscriptionGroupTable, func(_ string, c *remoting.SubscriptionGroupConfig) bool { return c == nil })
	return t.SubscriptionGroupTable, nil
}

// progressTable is the answer to 43.
type progressTable struct {
	OffsetTable map[string]map[int32]int64 `json:"offsetTable"`
}

// allProgress is request 43: progress by topic@group and queue.
func (s *Session) allProgress(ctx context.Context, addr string) (map[string]map[int32]int64, error) {
	var t progressTable
	err := s.table(ctx, addr, remoting.CodeGetAllConsumerOffset, &t)
	return t.OffsetTable, err
}
