package rig

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// Message is what a pull got. Body is the caller's.
type Message struct {
	Offset int64 // in its queue
	Body   []byte
}

// Pulled is the answer to a pull.
type Pulled struct {
	Code     int32 // success, 19, 20 or 21
	Next     int64 // queue offset to go on from
	Suggest  int64 // id of the broker to ask next
	Messages []Message
}

// PullRequest says what is asked for.
type PullRequest struct {
	Group string
	Topic string
	Queue int
	From  int64
	Hold  time.Duration // how long the broker may wait for something new; 0: not at all
}

// Pull reads up to 32 messages. Codes other than those of Pulled are a Refusal.
func Pull(ctx context.Context, c Caller, r PullRequest) (Pulled, error) {
	sysFlag := remoting.PullSubscription
	if r.Hold > 0 {
		sysFlag |= remoting.PullSuspend
	}
	resp, err := Call(ctx, c, remoting.CodePullMessage, map[string]string{
		"consumerGroup": r.Group, "topic": r.Topic, "queueId": strconv.Itoa(r.Queue), "queueOffset": strconv.FormatInt(r.From, 10),
		"maxMsgNums": "32", "sysFlag": strconv.Itoa(int(sysFlag)), "commitOffset": "0", "suspendTimeoutMillis": strconv.FormatInt(r.Hold.Milliseconds(), 10),
		"subscription": "*", "subVersion": "0", "expressionType": "TAG",
	})
	if err != nil {
		return Pulled{}, err
	}
	switch resp.Code {
	case remoting.RespSuccess, remoting.RespPullNotFound, remoting.RespPullRetryImmediately, remoting.RespPullOffsetMoved:
	default:
		return Pulled{}, &Refusal{resp.Code, string(resp.Remark)}
	}
	p := Pulled{Code: resp.Code}
	if p.Next, _, err = resp.Int64("nextBeginOffset"); err != nil {
		return Pulled{}, err
	}
	if p.Suggest, _, err = resp.Int64("suggestWhichBrokerId"); err != nil {
		return Pulled{}, err
	}
	for b := resp.Body; len(b) > 0; {
		var rec record.Record
		if err := rec.Parse(b); err != nil {
			return Pulled{}, fmt.Errorf("pull at %d: %w", r.From, err)
		}
		if err := rec.VerifyBody(); err != nil {
			return Pulled{}, fmt.Errorf("pull at %d: %w", r.From, err)
		}
		p.Messages = append(p.Messages, Message{rec.QueueOffset, append([]byte(nil), rec.Body...)})
		b = b[rec.TotalSize:]
	}
	return p, nil
}
