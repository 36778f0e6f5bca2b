package broker

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// occupied has all workers that decode wait until the function returned is called.
func (r *rig) occupied() (release func()) {
	r.t.Helper()
	busy, free := make(chan bool, maxDecoded), make(chan bool)
	for range maxDecoded {
		if !r.broker.decoders.Try(0, func() { busy <- true; <-free }) {
			r.t.Fatal("no room")
		}
	}
	for range maxDecoded {
		<-busy
	}
	return func() { close(free) }
}

// longBeat is a heartbeat of so many subscriptions, each to two tags.
func longBeat(t testing.TB, subs int) *remoting.Command {
	t.Helper()
	d := remoting.HeartbeatData{ClientID: "long", ConsumerDataSet: []remoting.ConsumerData{{GroupName: "Long", MessageModel: "CLUSTERING", ConsumeType: "CONSUME_PASSIVELY"}}}
	for i := range subs {
		d.ConsumerDataSet[0].SubscriptionDataSet = append(d.ConsumerDataSet[0].SubscriptionDataSet, remoting.SubscriptionData{
			Topic: fmt.Sprint("a-topic-of-", i), SubString: "A || B", TagsSet: []string{"A", "B"}, SubVersion: 7, ExpressionType: "TAG",
			CodeSet: remoting.CodeSet{record.JavaHash([]byte("B")), record.JavaHash([]byte("A"))},
		})
	}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return withText(remoting.CodeHeartBeat, string(body))
}

// longLocks asks for, or gives up, so many queues.
func longLocks(code int32, queues int) *remoting.Command {
	all := make([]int32, queues)
	for i := range all {
		all[i] = int32(i)
	}
	return lockOf(code, "long", all...)
}

// TestLongBodiesKeepNobodyWaiting: what takes long to decode is not decoded on the loop, and does what a short one does.
func TestLongBodiesKeepNobodyWaiting(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	check, err := json.Marshal(remoting.ClientConfigCheck{ClientID: "long", SubscriptionData: remoting.SubscriptionData{SubString: strings.Repeat("x", maxLoopBody)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []*remoting.Command{
		longBeat(t, 500), longLocks(remoting.CodeLockBatchMq, 5000), longLocks(remoting.CodeUnlockBatchMq, 5000), withText(remoting.CodeCheckClientConfig, string(check)),
		withText(remoting.CodeHeartBeat, `{"consumerDataSet":[`+strings.Repeat("{},", maxLoopValues)+`{}]}`),
	} {
		release := r.occupied()
		answer := c.start(req)
		until(t, "handed over", func() bool { return r.broker.decoders.Queued() == 1 })
		want(t, c.call(beat("short", "Short", "T", "*", 1)), 0, "")
		select {
		case a := <-answer:
			t.Fatal("answered on the loop:", a.Code)
		default:
		}
		release()
		want(t, await(t, answer), 0, "")
	}
	if got := c.members("Long"); got != `{"consumerIdList":["long"]}` {
		t.Fatal(got)
	}
	if sub, _ := r.broker.members.Subscription([]byte("Long"), []byte("a-topic-of-499")); sub == nil || len(sub.Wanted) != 2 {
		t.Fatal(sub)
	}
	if n := strings.Count(string(c.call(longLocks(remoting.CodeLockBatchMq, 5000)).Body), "queueId"); n != 5000 {
		t.Error(n, "queues locked")
	}
	again := c.call(longBeat(t, 500))
	if again.Code != 0 || again.Text("IS_SUPPORT_HEART_BEAT_V2") != "true" {
		t.Error(again.Code, string(again.Remark))
	}
	want(t, c.call(withText(remoting.CodeHeartBeat, strings.Repeat("{", maxLoopBody+1))), remoting.RespSystemError, "remoting: JSON of more than 32 levels")
}

// TestAHeartbeatThatComesLateLeavesNobody: its connection has ended while it waited.
func TestAHeartbeatThatComesLateLeavesNobody(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	release := r.occupied()
	_ = c.start(longBeat(t, 500))
	until(t, "handed over", func() bool { return r.broker.decoders.Queued() == 1 })
	c.Close()
	until(t, "closed", func() bool {
		r.broker.mu.Lock()
		defer r.broker.mu.Unlock()
		return len(r.broker.conns) == 0
	})
	release()
	until(t, "taken", func() bool { return r.broker.pending.Held() == 0 })
	if got := r.dial().members("Long"); got != "no consumer for this group, Long" {
		t.Fatal(got)
	}
}

// TestBodiesOfVeryManyValuesAreNotDecoded: their objects would take a hundred times their text.
func TestBodiesOfVeryManyValuesAreNotDecoded(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	for _, code := range []int32{remoting.CodeHeartBeat, remoting.CodeLockBatchMq, remoting.CodeUnlockBatchMq, remoting.CodeCheckClientConfig} {
		for name, element := range map[string]string{"objects": "{},", "values": "0,"} {
			n := map[string]int{"objects": maxBodyObjects, "values": maxBodyValues}[name]
			a := c.call(withText(code, `{"consumerDataSet":[`+strings.Repeat(element, n)+"0]}"))
			if a.Code != remoting.RespSystemError || !strings.HasPrefix(string(a.Remark), "the body has ") {
				t.Error(code, name, a.Code, string(a.Remark))
			}
		}
	}
}
