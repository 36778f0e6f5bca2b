package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

const (
	loadTopic = "MetricsLoad"
	loadGroup = "metrics-load"
	leftGroup = "metrics-left" // has consumed once, and has no member
)

// loader is one client that produces and consumes.
type loader struct {
	*netpoll.Client
	ctx context.Context
}

// load sends messages of every kind, consumes half of them, gives some up, and makes topics and groups, until ctx ends.
func load(ctx context.Context, addr string) error {
	c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
	if err != nil {
		return err
	}
	defer c.Close()
	l := &loader{c, ctx}
	if err := l.make(); err != nil {
		return err
	}
	if err := l.leave(); err != nil {
		return err
	}
	if _, err := l.ask(rig.Request(remoting.CodeUpdateConsumerOffset, "consumerGroup", loadGroup, "topic", loadTopic, "queueId", "0", "commitOffset", "0")); err != nil {
		return err
	}
	next := int64(0)
	for n := 1; ctx.Err() == nil; n++ {
		if next, err = l.round(n, next); err != nil && ctx.Err() == nil {
			return fmt.Errorf("round %d: %w", n, err)
		}
		if n%50 == 0 {
			if err := l.make(); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// make makes a topic and a group, as an operator does, and introduces the client.
func (l *loader) make() error {
	group := groupOf(loadGroup)
	beat := remoting.NewRequest(remoting.CodeHeartBeat)
	var err error
	beat.Body, err = json.Marshal(map[string]any{
		"clientID": "load", "heartbeatFingerprint": 0, "producerDataSet": []any{map[string]any{"groupName": "metrics-producer"}},
		"consumerDataSet": []any{map[string]any{
			"groupName": loadGroup, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET",
			"subscriptionDataSet": []any{map[string]any{"topic": loadTopic, "subString": "*", "subVersion": 1, "expressionType": "TAG"}},
		}},
	})
	if err != nil {
		return err
	}
	for _, req := range []*remoting.Command{
		rig.Request(remoting.CodeUpdateAndCreateTopic, "topic", loadTopic, "defaultTopic", "TBW102", "readQueueNums", "1", "writeQueueNums", "1", "perm", "6", "topicFilterType", "SINGLE_TAG"),
		group, beat,
	} {
		if _, err := l.ask(req); err != nil {
			return err
		}
	}
	return nil
}

// leave makes a group that has progress and nobody to go on with it.
func (l *loader) leave() error {
	if _, err := l.ask(groupOf(leftGroup)); err != nil {
		return err
	}
	_, err := l.ask(rig.Request(remoting.CodeUpdateConsumerOffset, "consumerGroup", leftGroup, "topic", loadTopic, "queueId", "0", "commitOffset", "0"))
	return err
}

// groupOf makes a group.
func groupOf(name string) *remoting.Command {
	cmd := remoting.NewRequest(remoting.CodeUpdateAndCreateSubscriptiongroup)
	cmd.Body = []byte(`{"groupName":"` + name + `"}`)
	return cmd
}

// round sends three messages and one that is refused, pulls from an offset on and returns where to go on.
func (l *loader) round(n int, next int64) (int64, error) {
	for _, properties := range []string{"TAGS\x01A\x02", "__SHARDINGKEY\x01s\x02", "DELAY\x011\x02"} {
		if _, err := l.ask(send(properties)); err != nil {
			return next, err
		}
	}
	refused := send("")
	refused.Set("e", "99") // there is no such queue
	if a, err := l.call(refused); err != nil || a.Code == remoting.RespSuccess {
		return next, fmt.Errorf("a send to a queue that is not there: %v", err)
	}
	pull := rig.Request(remoting.CodePullMessage, "consumerGroup", loadGroup, "topic", loadTopic, "queueId", "0", "queueOffset", fmt.Sprint(next), "maxMsgNums", "1",
		"sysFlag", fmt.Sprint(remoting.PullSubscription|remoting.PullSuspend), "commitOffset", "0", "suspendTimeoutMillis", "100", "subscription", "*", "expressionType", "TAG", "subVersion", "0")
	a, err := l.call(pull)
	if err != nil || a.Code != remoting.RespSuccess {
		return next, err
	}
	var r record.Record
	if err := r.Parse(a.Body); err != nil {
		return next, err
	}
	next = r.QueueOffset + 1
	if n%10 == 0 { // a dead letter
		if _, err := l.ask(rig.Request(remoting.CodeConsumerSendMsgBack, "group", loadGroup, "offset", fmt.Sprint(r.PhysicalOffset), "delayLevel", "-1", "originTopic", loadTopic)); err != nil {
			return next, err
		}
	}
	if n%2 == 0 { // some stay handed out
		_, err = l.ask(rig.Request(remoting.CodeUpdateConsumerOffset, "consumerGroup", loadGroup, "topic", loadTopic, "queueId", "0", "commitOffset", fmt.Sprint(next-1)))
	}
	return next, err
}

func send(properties string) *remoting.Command {
	cmd := rig.Request(remoting.CodeSendMessageV2, "a", "metrics-producer", "b", loadTopic, "c", "TBW102", "d", "1", "e", "0", "f", "0", "g", fmt.Sprint(time.Now().UnixMilli()), "h", "0",
		"i", properties, "j", "0", "k", "false", "l", "0", "m", "false")
	cmd.Body = []byte(strings.Repeat("x", 1000))
	return cmd
}

func (l *loader) call(req *remoting.Command) (*remoting.Command, error) {
	ctx, cancel := context.WithTimeout(l.ctx, 5*time.Second)
	defer cancel()
	return l.Call(ctx, req)
}

// ask is call for what must succeed. A message that has no copy yet is stored all the same: 11 and 12 are success here.
func (l *loader) ask(req *remoting.Command) (*remoting.Command, error) {
	a, err := l.call(req)
	if err == nil && a.Code != remoting.RespFlushSlaveTimeout && a.Code != remoting.RespSlaveNotAvailable {
		_, err = rig.Expect(a, nil)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", remoting.CodeName(req.Code), err)
	}
	return a, err
}
