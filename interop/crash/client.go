package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// caller is the one thing this program needs of a connection.
type caller interface {
	Call(ctx context.Context, cmd *remoting.Command) (*remoting.Command, error)
}

func dial(ctx context.Context, addr string) (*netpoll.Client, error) {
	return netpoll.Dial(ctx, addr, netpoll.DialOptions{})
}

// answered reports whether the broker at addr answers a request.
func answered(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := dial(ctx, addr)
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = call(ctx, c, remoting.CodeGetBrokerConfig, nil)
	return err == nil
}

func call(ctx context.Context, c caller, code int32, fields map[string]string) (*remoting.Command, error) {
	req := remoting.NewRequest(code)
	for k, v := range fields {
		req.Set(k, v)
	}
	resp, err := c.Call(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func expect(resp *remoting.Command, err error) (*remoting.Command, error) {
	if err == nil && resp.Code != remoting.RespSuccess {
		err = fmt.Errorf("code %d: %s", resp.Code, resp.Remark)
	}
	return resp, err
}

func createTopic(ctx context.Context, c caller, topic string, queues int) error {
	n := strconv.Itoa(queues)
	_, err := expect(call(ctx, c, remoting.CodeUpdateAndCreateTopic, map[string]string{
		"topic": topic, "defaultTopic": "DefaultCluster", "readQueueNums": n, "writeQueueNums": n, "perm": "6",
		"topicFilterType": "SINGLE_TAG", "topicSysFlag": "0", "order": "false",
	}))
	return err
}

// send stores one message and returns the queue offset and the log offset it was acknowledged with.
func send(ctx context.Context, c caller, topic string, queue int, body []byte) (offset, log int64, err error) {
	req := remoting.NewRequest(remoting.CodeSendMessageV2)
	for k, v := range map[string]string{
		"a": "CrashProducer", "b": topic, "c": "TBW102", "d": "4", "e": strconv.Itoa(queue), "f": "0",
		"g": strconv.FormatInt(time.Now().UnixMilli(), 10), "h": "0", "i": "", "j": "0", "k": "false", "m": "false",
	} {
		req.Set(k, v)
	}
	req.Body = body
	resp, err := expect(c.Call(ctx, req))
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

func maxOffset(ctx context.Context, c caller, topic string, queue int) (int64, error) {
	return endOf(ctx, c, remoting.CodeGetMaxOffset, topic, queue)
}

func minOffset(ctx context.Context, c caller, topic string, queue int) (int64, error) {
	return endOf(ctx, c, remoting.CodeGetMinOffset, topic, queue)
}

func endOf(ctx context.Context, c caller, code int32, topic string, queue int) (int64, error) {
	resp, err := expect(call(ctx, c, code, map[string]string{"topic": topic, "queueId": strconv.Itoa(queue)}))
	if err != nil {
		return 0, err
	}
	offset, _, err := resp.Int64("offset")
	return offset, err
}

type message struct {
	offset int64
	body   []byte
}

// pull reads some messages from a queue offset on, without waiting for new ones; none if the queue begins behind it.
func pull(ctx context.Context, c caller, topic string, queue int, from int64) ([]message, int64, error) {
	const subscriptionInside = "4"
	resp, err := call(ctx, c, remoting.CodePullMessage, map[string]string{
		"consumerGroup": "CrashChecker", "topic": topic, "queueId": strconv.Itoa(queue), "queueOffset": strconv.FormatInt(from, 10),
		"maxMsgNums": "32", "sysFlag": subscriptionInside, "commitOffset": "0", "suspendTimeoutMillis": "0", "subscription": "*",
		"subVersion": "0", "expressionType": "TAG",
	})
	if err != nil {
		return nil, 0, err
	}
	if resp.Code != remoting.RespSuccess && resp.Code != remoting.RespPullRetryImmediately && resp.Code != remoting.RespPullOffsetMoved {
		return nil, 0, fmt.Errorf("pull at %d: code %d: %s", from, resp.Code, resp.Remark)
	}
	next, _, err := resp.Int64("nextBeginOffset")
	if err != nil {
		return nil, 0, err
	}
	var got []message
	for b := resp.Body; len(b) > 0; {
		var r record.Record
		if err := r.Parse(b); err != nil {
			return nil, 0, fmt.Errorf("pull at %d: %w", from, err)
		}
		if err := r.VerifyBody(); err != nil {
			return nil, 0, fmt.Errorf("pull at %d: %w", from, err)
		}
		got = append(got, message{r.QueueOffset, append([]byte(nil), r.Body...)})
		b = b[r.TotalSize:]
	}
	return got, next, nil
}
