package admin

import (
	"context"
	"fmt"
	"strconv"

	"ringmq/cmd/ask"
	"ringmq/netpoll/remoting"
)

// toolsGroup is the group in which stock's tools pull.
const toolsGroup = "TOOLS_CONSUMER"

// queueAt is a queue and the broker where it is.
type queueAt struct {
	remoting.MessageQueue
	addr string
}

// fields name the queue in a request.
func (q queueAt) fields() []string {
	return []string{"topic", q.Topic, "queueId", strconv.Itoa(int(q.QueueID))}
}

// queue finds one queue by its broker's name.
func (s *Session) queue(ctx context.Context, topic, broker string, id int32) (queueAt, error) {
	r, err := s.route(ctx, topic)
	if err != nil {
		return queueAt{}, err
	}
	for i := range r.BrokerDatas {
		if b := &r.BrokerDatas[i]; b.BrokerName == broker {
			return queueAt{remoting.MessageQueue{Topic: topic, BrokerName: broker, QueueID: id}, addrOf(b)}, nil
		}
	}
	return queueAt{}, fmt.Errorf("broker %s does not have the topic %s", broker, topic)
}

// queues are the readable ones of a topic.
func (s *Session) queues(ctx context.Context, topic string) (all []queueAt, err error) {
	r, err := s.route(ctx, topic)
	if err != nil {
		return nil, err
	}
	addrs := map[string]string{}
	for i := range r.BrokerDatas {
		addrs[r.BrokerDatas[i].BrokerName] = addrOf(&r.BrokerDatas[i])
	}
	for _, q := range readableQueues(r, topic) {
		all = append(all, queueAt{q, addrs[q.BrokerName]})
	}
	return all, nil
}

// span is what a queue holds between two times; a flag that was not given bounds nothing.
func (s *Session) span(ctx context.Context, q queueAt, a Args) (from, to int64, err error) {
	if from, err = s.offsetOf(ctx, q.addr, ask.Request(remoting.CodeGetMinOffset, q.fields()...)); err != nil {
		return 0, 0, err
	}
	if to, err = s.offsetOf(ctx, q.addr, ask.Request(remoting.CodeGetMaxOffset, q.fields()...)); err != nil {
		return 0, 0, err
	}
	for _, b := range []struct {
		flag string
		to   *int64
	}{{"beginTimestamp", &from}, {"endTimestamp", &to}} {
		at, given := a.Moment(b.flag, s.now())
		if !given {
			continue
		}
		if *b.to, err = s.offsetOf(ctx, q.addr, ask.Request(remoting.CodeSearchOffsetByTimestamp, append(q.fields(), "timestamp", strconv.FormatInt(at, 10))...)); err != nil {
			return 0, 0, err
		}
	}
	return from, to, nil
}

// pulled is what a pull brought.
type pulled struct {
	status               string // in stock's words
	messages             []*message
	next                 int64
	minOffset, maxOffset int64
}

// maxPull is how many messages a broker gives at once.
const maxPull = 32

// pull asks once for messages from an offset on, and does not wait for any.
func (s *Session) pull(ctx context.Context, q queueAt, offset int64, most int, expression string) (*pulled, error) {
	return s.pullAs(ctx, toolsGroup, q, offset, most, expression)
}

// pullAs is pull in the name of a group, whose right to consume the broker looks at.
func (s *Session) pullAs(ctx context.Context, group string, q queueAt, offset int64, most int, expression string) (*pulled, error) {
	resp, err := s.ask.Call(ctx, q.addr, ask.Pull(group, q.MessageQueue, offset, min(most, maxPull), expression, 0))
	p := &pulled{next: offset}
	switch code := ask.CodeOf(err); code {
	case remoting.RespSuccess:
		p.status = "FOUND"
	case remoting.RespPullNotFound:
		p.status = "NO_NEW_MSG"
	case remoting.RespPullRetryImmediately:
		p.status = "NO_MATCHED_MSG"
	case remoting.RespPullOffsetMoved:
		p.status = "OFFSET_ILLEGAL"
	default:
		return nil, fmt.Errorf("%s: %w", q.addr, err)
	}
	for _, f := range []struct {
		key string
		to  *int64
	}{{"nextBeginOffset", &p.next}, {"minOffset", &p.minOffset}, {"maxOffset", &p.maxOffset}} {
		n, there, err := resp.Int64(f.key)
		if err != nil {
			return nil, err
		}
		if there {
			*f.to = n
		}
	}
	if p.status != "FOUND" {
		return p, nil
	}
	all, err := parseMessages(resp.Body)
	for _, m := range all {
		if m.broker = q.BrokerName; wanted(expression, m.tags()) {
			p.messages = append(p.messages, m)
		}
	}
	if err == nil && len(p.messages) == 0 {
		p.status = "NO_MATCHED_MSG"
	}
	return p, err
}
