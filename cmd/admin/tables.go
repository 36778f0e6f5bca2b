package admin

import (
	"bytes"
	"compress/zlib"
	"context"
	"fmt"
	"io"
	"maps"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// Brokers of ours tell each other their tables compressed, if they are asked so: a large one does not fit into an answer otherwise. Stock's
// pass over the fields.
const (
	tablePeer = "ringmq"
	tableZip  = "ringmqZip"
	zipZlib   = "zlib"

	maxTableBytes = 128 << 20 // what a compressed one may grow to
)

// table asks for the whole of a table: 21, 43, 201.
func (s *Session) table(ctx context.Context, addr string, code int32, v any) error {
	resp, err := s.call(ctx, addr, ask.Request(code, tablePeer, "", tableZip, zipZlib))
	if err != nil {
		return err
	}
	body := resp.Body
	if resp.Text(tableZip) == zipZlib {
		if body, err = inflate(body, maxTableBytes); err != nil {
			return fmt.Errorf("%s: the answer to %s: %w", addr, remoting.CodeName(code), err)
		}
	}
	if err := remoting.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: the answer to %s cannot be read: %w", addr, remoting.CodeName(code), err)
	}
	return nil
}

// inflate reads a compressed body, limit bytes of it at most.
func inflate(body []byte, limit int64) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	out, err := io.ReadAll(io.LimitReader(z, limit+1))
	if err == nil && int64(len(out)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return out, err
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
