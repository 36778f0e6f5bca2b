package broker

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestWhatClientsNameIsBounded: nothing that a client names is kept, or listed, without bound.
func TestWhatClientsNameIsBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	create := func(topic string, queues int64) int32 {
		return c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", topic, "readQueueNums", queues, "writeQueueNums", 1, "perm", 6)).Code
	}
	if create("Huge", 1<<31-1) != remoting.RespInvalidParameter || create("Large", 65_535) != 0 {
		t.Error("queue numbers")
	}
	huge := remoting.NewTopicConfig("Huge", 1<<31-1, 6) // of another broker's file
	r.broker.topics.Put(huge)
	for _, req := range []*remoting.Command{
		request(remoting.CodeGetTopicStatsInfo, "topic", "Huge"), request(remoting.CodeGetConsumeStats, "consumerGroup", "g", "topicList", "Huge"),
		request(remoting.CodeGetConsumeStats, "consumerGroup", "g", "topicList", "T;Large;T"),
	} {
		want(t, c.call(req), tooMany.Code, tooMany.Remark)
	}
	twice := c.call(request(remoting.CodeGetConsumeStats, "consumerGroup", "g", "topicList", strings.Repeat("T;", 1000)))
	if n := strings.Count(string(twice.Body), `"queueId":0`); n != 1 {
		t.Error("one queue is listed", n, "times")
	}

	want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, `{"groupName":"g"}`)), 0, "")
	for queue, kept := range map[int]bool{0: true, 99: false, -1: false} {
		want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "g", "topic", "T", "queueId", queue, "commitOffset", 1)), 0, "")
		if _, ok := r.broker.offsets.Query([]byte("g"), []byte("T"), int32(queue)); ok != kept {
			t.Error("progress in queue", queue, ok)
		}
	}

	beat := func(groups, producers, subs int, text string) int32 {
		d := remoting.HeartbeatData{ClientID: "c"}
		for i := range groups {
			d.ConsumerDataSet = append(d.ConsumerDataSet, remoting.ConsumerData{GroupName: fmt.Sprint("b", i), MessageModel: "BROADCASTING"})
		}
		for i := range producers {
			d.ProducerDataSet = append(d.ProducerDataSet, remoting.ProducerData{GroupName: fmt.Sprint("p", i)})
		}
		for i := range subs {
			d.ConsumerDataSet[0].SubscriptionDataSet = append(d.ConsumerDataSet[0].SubscriptionDataSet, remoting.SubscriptionData{Topic: fmt.Sprint("t", i), SubString: text})
		}
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return r.dial().call(withText(remoting.CodeHeartBeat, string(body))).Code
	}
	for _, too := range [][3]int{{10_001, 0, 0}, {0, 10_001, 0}, {1, 0, 10_001}} {
		if beat(too[0], too[1], too[2], "*") != remoting.RespSystemError {
			t.Error(too, "is taken")
		}
	}
	for _, d := range []remoting.HeartbeatData{
		{ClientID: strings.Repeat("x", 1<<20)}, {ClientID: "c", ProducerDataSet: []remoting.ProducerData{{GroupName: strings.Repeat("x", 1<<20)}}},
	} {
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if a := r.dial().call(withText(remoting.CodeHeartBeat, string(body))); a.Code != remoting.RespSystemError {
			t.Error("a long name is taken")
		}
	}
	if beat(1, 0, 1, strings.Repeat("x", 1<<17)) != remoting.RespSystemError || beat(10, 10_000, 100, "*") != 0 {
		t.Error("heartbeats")
	}

	lock := func(n int) *remoting.Command {
		d := remoting.LockBatch{ConsumerGroup: "g", ClientID: "c"}
		for i := range n {
			d.MqSet = append(d.MqSet, remoting.MessageQueue{BrokerName: "broker-a", Topic: "T", QueueID: int32(i)})
		}
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return c.call(withText(remoting.CodeLockBatchMq, string(body)))
	}
	if lock(maxLockQueues+1).Code != remoting.RespSystemError {
		t.Error("locks of more queues than may be")
	}
	for _, q := range []remoting.MessageQueue{{BrokerName: "broker-a", Topic: strings.Repeat("T", 1<<20)}, {BrokerName: strings.Repeat("b", 1<<20), Topic: "T"}} {
		body, err := json.Marshal(remoting.LockBatch{ConsumerGroup: "g", ClientID: "c", MqSet: []remoting.MessageQueue{q}})
		if err != nil {
			t.Fatal(err)
		}
		if a := c.call(withText(remoting.CodeLockBatchMq, string(body))); a.Code != remoting.RespSystemError {
			t.Error("a lock with a long name")
		}
	}
	if n := strings.Count(string(lock(100).Body), `"queueId"`); n != 100 {
		t.Error("locked:", n)
	}
}

// TestKeyQueryFitsAFrame: what would not is left out.
func TestKeyQueryFitsAFrame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	for range 6 {
		want(t, c.call(sendTo("T", 0, "KEYS\x01k\x02", strings.Repeat("x", 4_000_000))), 0, "")
	}
	query := request(remoting.CodeQueryMessage, "topic", "T", "key", "k", "maxNum", 32, "beginTimestamp", 0, "endTimestamp", int64(1)<<62)
	until(t, "indexed", func() bool { return len(c.call(query).Body) > 12_000_000 })
}
