package broker

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"ringmq/broker/stats"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// beat makes a heartbeat of a push consumer.
func beat(client, group, topic, expression string, version int64) *remoting.Command {
	body, err := json.Marshal(map[string]any{
		"clientID": client, "heartbeatFingerprint": 0, "producerDataSet": []any{map[string]any{"groupName": "CLIENT_INNER_PRODUCER"}},
		"consumerDataSet": []any{map[string]any{
			"groupName": group, "consumeType": "CONSUME_PASSIVELY", "messageModel": "CLUSTERING", "consumeFromWhere": "CONSUME_FROM_FIRST_OFFSET", "unitMode": false,
			"subscriptionDataSet": []any{map[string]any{"topic": topic, "subString": expression, "subVersion": version, "tagsSet": []string{}, "codeSet": []int32{record.JavaHash([]byte(expression))}, "expressionType": "TAG"}},
		}},
	})
	if err != nil {
		panic(err)
	}
	cmd := remoting.NewRequest(remoting.CodeHeartBeat)
	cmd.Body = body
	return cmd
}

// told waits until the client is told that a group's members changed.
func (c *client) told(group string) {
	c.t.Helper()
	select {
	case cmd := <-c.news:
		if cmd.Code != remoting.CodeNotifyConsumerIdsChanged || cmd.Text("consumerGroup") != group || !cmd.IsOneway() {
			c.t.Fatal(cmd.Code, cmd.Text("consumerGroup"))
		}
	case <-time.After(patience):
		c.t.Fatal("not told")
	}
}

func (c *client) members(group string) string {
	c.t.Helper()
	a := c.call(request(remoting.CodeGetConsumerListByGroup, "consumerGroup", group))
	if a.Code != 0 {
		return string(a.Remark)
	}
	return string(a.Body)
}

func TestMembersAreToldAtOnce(t *testing.T) {
	r := newRig(t)
	c1 := r.dial()
	if got := c1.members("G"); got != "no consumer for this group, G" {
		t.Fatal(got)
	}
	c2 := r.dial() // only now: members are listed in the order in which their connections were opened
	want(t, c1.call(sendTo("T", 0, "", "x")), 0, "")
	a := c1.call(beat("c1", "G", "T", "*", 1))
	if a.Code != 0 || a.Text("IS_SUPPORT_HEART_BEAT_V2") != "true" || a.Text("IS_SUB_CHANGE") != "true" {
		t.Fatal(a.Code, names(a))
	}
	c1.told("G")
	want(t, c2.call(beat("c2", "G", "T", "*", 1)), 0, "")
	c1.told("G")
	c2.told("G")
	if got := c1.members("G"); got != `{"consumerIdList":["c1","c2"]}` {
		t.Fatal(got)
	}
	// A killed member is gone with its connection.
	c2.Close()
	c1.told("G")
	if got := c1.members("G"); got != `{"consumerIdList":["c1"]}` {
		t.Fatal(got)
	}
	want(t, c1.call(request(remoting.CodeUnregisterClient, "clientID", "c1", "consumerGroup", "G", "producerGroup", "CLIENT_INNER_PRODUCER")), 0, "")
	if got := c1.members("G"); got != "no consumer for this group, G" {
		t.Fatal(got)
	}
	// The group's retry topic is in the route.
	routes := r.dialRoutes()
	until(t, "retry topic", func() bool {
		return routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "%RETRY%G")).Code == 0
	})
}

func TestPullByTheGroupsSubscription(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "TAGS\x01A\x02", "a")), 0, "")
	want(t, c.call(sendTo("T", 0, "TAGS\x01B\x02", "b")), 0, "")
	r.visibleMax("T", 0, 2)
	pull := func(version int64) *remoting.Command {
		return request(remoting.CodePullMessage, "consumerGroup", "G", "topic", "T", "queueId", 0, "queueOffset", 0, "maxMsgNums", 32, "sysFlag", 0,
			"commitOffset", 0, "suspendTimeoutMillis", 0, "subVersion", version)
	}
	want(t, c.call(pull(1)), remoting.RespSubscriptionNotExist, "the consumer's group info not exist"+faq)
	want(t, c.call(beat("c", "G", "Other", "*", 5)), 0, "")
	want(t, c.call(pull(1)), remoting.RespSubscriptionNotExist, "the consumer's subscription not exist"+faq)
	want(t, c.call(beat("c", "G", "T", "B", 5)), 0, "")
	want(t, c.call(pull(6)), remoting.RespSubscriptionNotLatest, "the consumer's subscription not latest")
	if got := bodies(t, c.call(pull(5))); len(got) != 1 || got[0] != "b" {
		t.Fatal(got)
	}
}

func lockOf(code int32, client string, queues ...int32) *remoting.Command {
	var set []remoting.MessageQueue
	for _, q := range queues {
		set = append(set, remoting.MessageQueue{Topic: "T", BrokerName: "broker-a", QueueID: q})
	}
	cmd := remoting.NewRequest(code)
	cmd.Body, _ = json.Marshal(remoting.LockBatch{ConsumerGroup: "G", ClientID: client, MqSet: set})
	return cmd
}

func TestQueueLocks(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	locked := func(client string, queues ...int32) int {
		a := c.call(lockOf(remoting.CodeLockBatchMq, client, queues...))
		return strings.Count(string(a.Body), "queueId")
	}
	if n := locked("c1", 0, 1, 2); n != 3 {
		t.Fatal(n)
	}
	if n := locked("c2", 2, 3); n != 1 {
		t.Fatal(n)
	}
	want(t, c.call(lockOf(remoting.CodeUnlockBatchMq, "c1", 2)), 0, "")
	if n := locked("c2", 2, 3); n != 2 {
		t.Fatal(n)
	}
}

// givenBackTo sends message 0 of T back for a group and returns the answer.
func (c *client) giveBack(t testing.TB, raw []byte, level int, fields ...any) *remoting.Command {
	var m record.Record
	if err := m.Parse(raw); err != nil {
		t.Fatal(err)
	}
	cmd := request(remoting.CodeConsumerSendMsgBack, append([]any{"group", "G", "offset", m.PhysicalOffset, "delayLevel", level, "originMsgId", "x", "originTopic", "T", "unitMode", false}, fields...)...)
	return c.call(cmd)
}

func TestGivenBackMessagesReturnUntilTheyAreDead(t *testing.T) {
	r := newRig(t, "messageDelayLevel="+strings.Repeat("0s ", 18))
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "TAGS\x01A\x02UNIQ_KEY\x01U\x02", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	raw := c.call(pullOf("G", "T", 0, 0, "*", 0)).Body
	for n := range int64(2) {
		want(t, c.giveBack(t, raw, 0, "maxReconsumeTimes", 2), 0, "")
		a := c.call(pullOf("G", "%RETRY%G", 0, n, "*", 20*time.Second))
		raw = a.Body
		var m record.Record
		if err := m.Parse(raw); err != nil || m.ReconsumeTimes != int32(n)+1 || string(m.Body) != "x" {
			t.Fatal(err, m.ReconsumeTimes, string(a.Remark))
		}
		for name, value := range map[string]string{"RETRY_TOPIC": "T", "UNIQ_KEY": "U", "TAGS": "A"} {
			if v, _ := record.Property(m.Properties, name); string(v) != value {
				t.Errorf("%s is %q", name, v)
			}
		}
		if _, ok := record.Property(m.Properties, "ORIGIN_MESSAGE_ID"); !ok {
			t.Error("no ORIGIN_MESSAGE_ID")
		}
	}
	want(t, c.giveBack(t, raw, 0, "maxReconsumeTimes", 2), 0, "")
	r.visibleMax("%DLQ%G", 0, 1)
	want(t, c.giveBack(t, raw, -1, "maxReconsumeTimes", 16), 0, "")
	r.visibleMax("%DLQ%G", 0, 2)
	r.broker.stats.Sample(time.Now().Add(time.Hour))
	if d, _ := r.broker.stats.Find("SNDBCK_PUT_NUMS", "T@G"); d.StatsHour.Sum != 4 {
		t.Errorf("%d of T are counted as given back, want 4", d.StatsHour.Sum)
	}
	if dead, ok := r.broker.topics.Lookup("%DLQ%G"); !ok || dead.ReadQueueNums != 1 || dead.Perm != 6 {
		t.Fatal(dead, ok)
	}
	want(t, c.call(request(remoting.CodeConsumerSendMsgBack, "group", "G", "offset", 999999, "delayLevel", 0)), remoting.RespSystemError, "look message by offset failed, 999999")
}

func TestRetriesOfOrderedConsumersBecomeDeadLetters(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	send := func(times, limit int) *remoting.Command {
		cmd := sendTo("%RETRY%G", 0, "DELAY\x0118\x02", "x")
		for i := range cmd.Ext {
			switch string(cmd.Ext[i].Key) {
			case "j":
				cmd.Ext[i].Value = []byte{byte('0' + times)}
			case "l":
				cmd.Ext[i].Value = []byte{byte('0' + limit)}
			}
		}
		return cmd
	}
	want(t, c.call(send(1, 2)), 0, "")
	want(t, c.call(send(3, 2)), 0, "")
	r.visibleMax("%DLQ%G", 0, 1)
	want(t, c.call(lockOf(remoting.CodeLockBatchMq, "c1", 0)), 0, "")
	want(t, c.call(send(1, 2)), 0, "")
	r.visibleMax("%DLQ%G", 0, 2)
	r.visibleMax("SCHEDULE_TOPIC_XXXX", 17, 1)
	if r.broker.store.MaxOffset([]byte("SCHEDULE_TOPIC_XXXX"), 17) != 1 {
		t.Fatal("a dead letter waits")
	}
}

// TestDeadLettersAreCountedByTopicsThatAre: a client says which topic a message was sent to first, and it may say anything.
func TestDeadLettersAreCountedByTopicsThatAre(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	want(t, c.call(lockOf(remoting.CodeLockBatchMq, "c1", 0)), 0, "")
	for i, from := range []string{"T", "never made", strings.Repeat("long", 1000)} {
		want(t, c.call(sendTo("%RETRY%G", 0, "RETRY_TOPIC\x01"+from+"\x02", "x")), 0, "")
		r.visibleMax("%DLQ%G", 0, int64(i)+1)
	}
	got := map[string]int64{}
	r.broker.stats.DeadLetters(func(o stats.Outlet) { got[o.Key] = o.Messages })
	if !maps.Equal(got, map[string]int64{"T@G": 1, "%RETRY%G@G": 2}) {
		t.Fatal(got)
	}
}

func TestProgressAndTopicsOutliveTheBroker(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 1, "KEYS\x01k\x02", "x")), 0, "")
	want(t, c.call(beat("c", "G", "T", "*", 1)), 0, "")
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "T", "queueId", 1, "commitOffset", 1)), 0, "")
	r.stopBroker()
	r.startBroker()
	c = r.dial()
	if a := c.call(request(remoting.CodeQueryConsumerOffset, "consumerGroup", "G", "topic", "T", "queueId", 1)); a.Code != 0 || a.Text("offset") != "1" {
		t.Fatal(a.Code, a.Text("offset"))
	}
	if a := c.call(request(remoting.CodeGetMaxOffset, "topic", "T", "queueId", 1)); a.Text("offset") != "1" {
		t.Fatal(a.Text("offset"))
	}
	a := c.call(request(remoting.CodeQueryMessage, "topic", "T", "key", "k", "maxNum", 32, "beginTimestamp", 0, "endTimestamp", int64(1)<<62))
	if got := bodies(t, a); len(got) != 1 {
		t.Fatal(a.Code, string(a.Remark))
	}
	if _, ok := r.broker.groups.Lookup("G"); !ok {
		t.Fatal("the group is gone")
	}
}

func TestFirstOffsetOfANewGroup(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	query := func(topic string, queue int, more ...any) *remoting.Command {
		return c.call(request(remoting.CodeQueryConsumerOffset, append([]any{"consumerGroup", "New", "topic", topic, "queueId", queue}, more...)...))
	}
	for queue := range 2 { // with a message, and empty
		if a := query("T", queue); a.Code != 0 || a.Text("offset") != "0" {
			t.Fatal(queue, a.Code, string(a.Remark))
		}
	}
	want(t, query("T", 0, "setZeroIfNotFound", false), remoting.RespQueryNotFound, "Not found, do not set to zero, maybe this group boot first")
	want(t, query("Missing", 0), remoting.RespQueryNotFound, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first")
}

// TestHeartbeatOfManyGroupsIsOneChange: made one by one, each group copied a part of two tables.
func TestHeartbeatOfManyGroupsIsOneChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	topics, groups := r.broker.topics.Version().Counter, r.broker.groups.Version().Counter
	d := remoting.HeartbeatData{ClientID: "c"}
	for i := range 5000 {
		d.ConsumerDataSet = append(d.ConsumerDataSet, remoting.ConsumerData{GroupName: fmt.Sprint("g", i), MessageModel: "BROADCASTING"})
	}
	body, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	c := r.dial()
	for range 2 {
		want(t, c.call(withText(remoting.CodeHeartBeat, string(body))), 0, "")
	}
	if t1, g1 := r.broker.topics.Version().Counter, r.broker.groups.Version().Counter; t1 != topics+1 || g1 != groups+1 {
		t.Fatal("changes:", t1-topics, g1-groups)
	}
	for _, i := range []int{0, 4999} {
		_, topic := r.broker.topics.Lookup("%RETRY%" + fmt.Sprint("g", i))
		_, group := r.broker.groups.Lookup(fmt.Sprint("g", i))
		if !topic || !group || !strings.Contains(c.members(fmt.Sprint("g", i)), `"c"`) {
			t.Error(i, topic, group)
		}
	}
}
