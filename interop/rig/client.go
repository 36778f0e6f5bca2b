package rig

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// Caller is the one thing that requests need of a connection.
type Caller interface {
	Call(ctx context.Context, cmd *remoting.Command) (*remoting.Command, error)
}

// Refusal is an answer with another code than success.
type Refusal struct {
	Code   int32
	Remark string
}

func (r *Refusal) Error() string { return fmt.Sprintf("code %d: %s", r.Code, r.Remark) }

// Refused reports with which code a broker refused; false for any other error and for none.
func Refused(err error) (int32, bool) {
	var r *Refusal
	if !errors.As(err, &r) {
		return 0, false
	}
	return r.Code, true
}

// Dial connects to a server.
func Dial(ctx context.Context, addr string) (*netpoll.Client, error) {
	return netpoll.Dial(ctx, addr, netpoll.DialOptions{})
}

// Answered reports whether the broker at addr answers a request.
func Answered(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := Dial(ctx, addr)
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = Call(ctx, c, remoting.CodeGetBrokerConfig, nil)
	return err == nil
}

// Request is a request with fields, each a name and its value.
func Request(code int32, fields ...string) *remoting.Command {
	req := remoting.NewRequest(code)
	for i := 0; i < len(fields); i += 2 {
		req.Set(fields[i], fields[i+1])
	}
	return req
}

// Call asks and returns the answer, whatever its code.
func Call(ctx context.Context, c Caller, code int32, fields map[string]string) (*remoting.Command, error) {
	req := remoting.NewRequest(code)
	for k, v := range fields {
		req.Set(k, v)
	}
	return c.Call(ctx, req)
}

// Expect makes a Refusal of every answer but success.
func Expect(resp *remoting.Command, err error) (*remoting.Command, error) {
	if err == nil && resp.Code != remoting.RespSuccess {
		err = &Refusal{resp.Code, string(resp.Remark)}
	}
	return resp, err
}

// CreateTopic makes a topic that may be written and read.
func CreateTopic(ctx context.Context, c Caller, topic string, queues int) error {
	n := strconv.Itoa(queues)
	_, err := Expect(Call(ctx, c, remoting.CodeUpdateAndCreateTopic, map[string]string{
		"topic": topic, "defaultTopic": "DefaultCluster", "readQueueNums": n, "writeQueueNums": n, "perm": "6",
		"topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false",
	}))
	return err
}

// Send stores one message and returns the offset in its queue that it was acknowledged with, and log, the offset in the commit log of its first byte,
// which the message id of the answer has inside.
func Send(ctx context.Context, c Caller, group, topic string, queue int, body []byte) (offset, log int64, err error) {
	return SendWith(ctx, c, group, topic, queue, "", body)
}

// SendWith is Send of a message with properties.
func SendWith(ctx context.Context, c Caller, group, topic string, queue int, properties string, body []byte) (offset, log int64, err error) {
	req := Request(remoting.CodeSendMessageV2, "a", group, "b", topic, "c", "TBW102", "d", "4", "e", strconv.Itoa(queue), "f", "0",
		"g", strconv.FormatInt(time.Now().UnixMilli(), 10), "h", "0", "i", properties, "j", "0", "k", "false", "m", "false")
	req.Body = body
	resp, err := Expect(c.Call(ctx, req))
	if err != nil {
		return 0, 0, err
	}
	offset, ok, err := resp.Int64("queueOffset")
	if err != nil {
		return 0, 0, err
	}
	if !ok {
		return 0, 0, fmt.Errorf("an answer without queue offset")
	}
	_, log, err = record.ParseOffsetID([]byte(resp.Text("msgId")))
	return offset, log, err
}

// MaxOffset is one behind the last message of a queue.
func MaxOffset(ctx context.Context, c Caller, topic string, queue int) (int64, error) {
	return endOf(ctx, c, remoting.CodeGetMaxOffset, topic, queue)
}

// MinOffset is the first message of a queue.
func MinOffset(ctx context.Context, c Caller, topic string, queue int) (int64, error) {
	return endOf(ctx, c, remoting.CodeGetMinOffset, topic, queue)
}

func endOf(ctx context.Context, c Caller, code int32, topic string, queue int) (int64, error) {
	resp, err := Expect(Call(ctx, c, code, map[string]string{"topic": topic, "queueId": strconv.Itoa(queue)}))
	if err != nil {
		return 0, err
	}
	offset, _, err := resp.Int64("offset")
	return offset, err
}
