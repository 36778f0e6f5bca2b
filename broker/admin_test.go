package broker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/broker/stats"
	"ringmq/netpoll/remoting"
	"ringmq/store/delay"
)

// withText makes a request of a code with a body.
func withText(code int32, body string) *remoting.Command {
	cmd := remoting.NewRequest(code)
	cmd.Body = []byte(body)
	return cmd
}

// has checks that an answer is good and its body contains texts.
func has(t *testing.T, resp *remoting.Command, texts ...string) {
	t.Helper()
	if resp.Code != 0 {
		t.Fatalf("answer %d %q", resp.Code, resp.Remark)
	}
	for _, text := range texts {
		if !strings.Contains(string(resp.Body), text) {
			t.Fatalf("no %s in %s", text, resp.Body)
		}
	}
}

func TestConfigurationAtRunTime(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	dir := filepath.Join(r.root, "conf")
	file := filepath.Join(dir, "broker.conf")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("# mine\nbrokerName=broker-a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.startAltered(func(b *Broker) { b.o.ConfigFile = file })
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	update := func(text string) *remoting.Command { return c.call(withText(remoting.CodeUpdateBrokerConfig, text)) }

	want(t, update("autoCreateTopicEnable=false\nconfigBlackList=\n"), remoting.RespNoPermission, "Can not update config in black list.")
	want(t, update("storePathRootDir=/\n"), remoting.RespNoPermission, "Can not update config in black list.")
	for _, bad := range []string{"maxMessageSize=much", "autoCreateTopicEnable=false\ndiskMaxUsedSpaceRatio=1000"} {
		if got := update(bad); got.Code != remoting.RespSystemError || len(got.Remark) == 0 {
			t.Error(bad, got.Code, string(got.Remark))
		}
	}
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "# mine") {
		t.Error("a refused change is in the file:", string(b), err)
	}
	want(t, update("autoCreateTopicEnable=false\nnoSuchKey=1\n"), 0, "")
	if got := c.call(sendTo("U", 0, "", "x")); got.Code != remoting.RespTopicNotExist {
		t.Error("autoCreateTopicEnable has no effect:", got.Code, string(got.Remark))
	}
	got := c.call(request(remoting.CodeGetBrokerConfig))
	has(t, got, "autoCreateTopicEnable=false\n", "maxMessageSize=4194304\n")
	if strings.Contains(string(got.Body), "noSuchKey") {
		t.Error("a key that stock would pass over was taken")
	}
	if !strings.HasPrefix(got.Text("version"), `{"counter":1,`) {
		t.Error(got.Text("version"))
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "autoCreateTopicEnable=false\n") {
		t.Error("file:", string(b), err)
	}
	if b, err := os.ReadFile(file + ".bak"); err != nil || !strings.HasPrefix(string(b), "# mine") {
		t.Error("backup:", string(b), err)
	}

	want(t, update("brokerPermission=4\n"), 0, "")
	routes := r.dialRoutes()
	until(t, "permission in the route", func() bool {
		return strings.Contains(string(routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "T")).Body), `"perm":4`)
	})
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := update("autoCreateTopicEnable=true\n"); got.Code != remoting.RespSystemError || !strings.Contains(string(got.Remark), "could not be written") {
		t.Error(got.Code, string(got.Remark))
	}
}

func TestTopicsOfAnOperator(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	two := `{"topicConfigList":[{"topicName":"A","readQueueNums":1,"writeQueueNums":1,"perm":6},{"topicName":"%s","readQueueNums":1,"writeQueueNums":1,"perm":6}]}`
	want(t, c.call(withText(remoting.CodeUpdateAndCreateTopicList, fmt.Sprintf(two, "TBW102"))), remoting.RespInvalidParameter, "The topic[TBW102] is conflict with system topic.")
	want(t, c.call(request(remoting.CodeGetTopicConfig, "topic", "A")), remoting.RespTopicNotExist, "No topic in this broker. topic: A")
	want(t, c.call(withText(remoting.CodeUpdateAndCreateTopicList, fmt.Sprintf(two, "B"))), 0, made.Remark)
	for _, topic := range []string{"A", "B"} {
		has(t, r.dialRoutes().call(request(remoting.CodeGetRouteinfoByTopic, "topic", topic)), `"broker-a"`)
	}
	update := func(topic, attributes string) *remoting.Command {
		return c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", topic, "defaultTopic", "TBW102", "readQueueNums", 1, "writeQueueNums", 2, "perm", 6, "topicFilterType", "SINGLE_TAG", "attributes", attributes))
	}
	want(t, update("A", "+message.type=MIXED"), remoting.RespSystemError, "MIXED message type is not supported.")
	want(t, update("A", "+message.type=FIFO"), 0, made.Remark)
	has(t, c.call(request(remoting.CodeGetTopicConfig, "topic", "A")), `"attributes":{"message.type":"FIFO"}`)
	want(t, update("A", "-message.type"), 0, made.Remark)
	has(t, c.call(request(remoting.CodeGetTopicConfig, "topic", "A")), `"attributes":{}`)
	has(t, c.call(request(remoting.CodeGetTopicStatsInfo, "topic", "A")), `"queueId":0`, `"queueId":1`, `"maxOffset":0,"minOffset":0`)
	for _, without := range []string{"readQueueNums", "writeQueueNums", "perm"} {
		req := request(remoting.CodeUpdateAndCreateTopic, "topic", "C")
		for _, field := range []string{"readQueueNums", "writeQueueNums", "perm"} {
			if field != without {
				req.Set(field, "6")
			}
		}
		want(t, c.call(req), remoting.RespSystemError, "the custom field <"+without+"> is null")
	}
	want(t, c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "C", "readQueueNums", 1, "writeQueueNums", 1, "perm", 6, "topicFilterType", "11")),
		remoting.RespSystemError, "topicFilterType = [11] value invalid")
	want(t, c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "C", "readQueueNums", "many")), remoting.RespSystemError, `field readQueueNums: For input string: "many"`)
}

func TestDeletedTopicIsGone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "old")), 0, "")
	has(t, c.call(beat("c1", "G", "T", "*", 1)))
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G", "topic", "T", "queueId", 0, "commitOffset", 1)), 0, "")
	r.visibleMax("T", 0, 1)
	held := r.dial().start(pullOf("G", "T", 0, 1, "*", time.Minute))
	r.heldNow(1)
	want(t, c.call(request(remoting.CodeDeleteTopicInBroker, "topic", "T")), 0, "")
	await(t, held)
	want(t, c.call(pullOf("G", "T", 0, 1, "*", 0)), remoting.RespTopicNotExist, "topic[T] not exist, apply first please! \nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.")
	want(t, c.call(request(remoting.CodeGetTopicStatsInfo, "topic", "T")), remoting.RespTopicNotExist, "topic[T] not exist")
	has(t, c.call(request(remoting.CodeQueryTopicsByConsumer, "group", "G")), `"topicList":[]`)
	has(t, c.call(request(remoting.CodeGetAllConsumerOffset)), `"offsetTable":{}`)
	want(t, c.call(request(remoting.CodeDeleteTopicInBroker, "topic", "../../T")), remoting.RespInvalidParameter,
		"The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$")
	want(t, c.call(request(remoting.CodeDeleteTopicInBroker, "topic", " ")), remoting.RespInvalidParameter, "The specified topic is blank.")

	sent := c.call(sendTo("T", 0, "", "new"))
	want(t, sent, 0, "")
	if sent.Text("queueOffset") != "0" {
		t.Error("the new topic goes on where the old one ended:", sent.Text("queueOffset"))
	}
}

func TestGroupsOfAnOperator(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	list := `{"groupConfigList":[{"groupName":"G1"},{"groupName":"%s","retryMaxTimes":3}]}`
	want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroupList, fmt.Sprintf(list, " "))), remoting.RespInvalidParameter, "The specified group is blank.")
	if strings.Contains(string(c.call(request(remoting.CodeGetAllSubscriptiongroupConfig)).Body), `"G1"`) {
		t.Error("half a list was taken")
	}
	want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroupList, fmt.Sprintf(list, "G2"))), 0, "")
	has(t, c.call(request(remoting.CodeGetSubscriptiongroupConfig, "group", "G2")), `"retryMaxTimes":3`, `"consumeEnable":true`, `"groupRetryPolicy":{"type":"CUSTOMIZED"}`)
	if got := c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, `{"groupName":`)); got.Code != remoting.RespSystemError {
		t.Error(got.Code)
	}
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	want(t, c.call(request(remoting.CodeUpdateConsumerOffset, "consumerGroup", "G2", "topic", "T", "queueId", 0, "commitOffset", 1)), 0, "")
	has(t, c.call(request(remoting.CodeQueryTopicConsumeByWho, "topic", "T")), `"groupList":["G2"]`)
	has(t, c.call(request(remoting.CodeGetBrokerConsumeStats, "isOrder", "false")), `{"G2":[{"consumeTps":0.0,"offsetTable":{{"brokerName":"broker-a","queueId":0,"topic":"T"}:{"brokerOffset":1,"consumerOffset":1,`, `"totalDiff":0,`)
	want(t, c.call(request(remoting.CodeDeleteSubscriptiongroup, "groupName", "G2", "cleanOffset", "true")), 0, "")
	has(t, c.call(request(remoting.CodeGetConsumeStats, "consumerGroup", "G2")), `"offsetTable":{}`)
}

func TestResetsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	has(t, c.call(beat("c1", "G", "T", "*", 1)))
	at := func(group, topic string, queue int, offset any) *remoting.Command {
		cmd := request(remoting.CodeInvokeBrokerToResetOffset, "group", group, "topic", topic, "queueId", queue, "timestamp", -1, "isForce", "true")
		if offset != nil {
			cmd.Set("offset", fmt.Sprint(offset))
		}
		return c.call(cmd)
	}
	want(t, at("G", "U", -1, nil), remoting.RespTopicNotExist, "Topic U does not exist")
	want(t, at("H", "T", -1, nil), remoting.RespSubscriptionGroupNotExist, "Group H does not exist")
	want(t, at("G", "T", 0, 9), remoting.RespSystemError, "Target offset 9 not in consume queue range [0-1]")
	want(t, at("G", "T", 99, 0), remoting.RespSystemError, "No queues to reset.")
	want(t, at("G", "T", 0, "x"), remoting.RespSystemError, `field offset: For input string: "x"`)
	has(t, at("G", "T", 0, -1), `{{"brokerName":"broker-a","queueId":0,"topic":"T"}:1}`)
	has(t, at("G", "T", -1, 1), `"queueId":3,"topic":"T"}:0`)

	want(t, c.call(withText(remoting.CodeUpdateBrokerConfig, "useServerSideResetOffset=false\n")), 0, "")
	want(t, at("nobody", "T", -1, nil), remoting.RespSystemError, "THe consumer group <nobody> not exist")
	want(t, at("G", "U", -1, nil), remoting.RespSystemError, "[reset-offset] reset offset failed, no topic in this broker. topic=U")
	cmd := request(remoting.CodeInvokeBrokerToResetOffset, "group", "G", "topic", "T", "queueId", -1, "timestamp", 0, "isForce", "true")
	cmd.Language = remoting.Cpp
	want(t, c.call(cmd), 0, made.Remark)
	if got := <-c.news; got.Code != remoting.CodeNotifyConsumerIdsChanged {
		t.Error(got.Code)
	}
	if got := <-c.news; got.Code != remoting.CodeResetConsumerClientOffset || !strings.Contains(string(got.Body), `{"offsetTable":[{"brokerName":"broker-a","offset":0,"queueId":0,"topic":"T"}`) {
		t.Error(got.Code, string(got.Body))
	}
}

func TestConsumeQueueEntries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	for range 3 {
		want(t, c.call(sendTo("T", 0, "TAGS\x01a\x02", "x")), 0, "")
	}
	until(t, "dispatch", func() bool { return r.broker.store.MaxOffset([]byte("T"), 0) == 3 })
	query := func(index, count int, more ...any) *remoting.Command {
		return c.call(request(remoting.CodeQueryConsumeQueue, append([]any{"topic", "T", "queueId", 0, "index", index, "count", count}, more...)...))
	}
	got := query(1, 1_000_000_000, "consumerGroup", "G")
	has(t, got, `"maxQueueIndex":3,"minQueueIndex":0`, `"filterData":"G@T is not online!"`, fmt.Sprintf(`"tagsCode":%d`, 'a'))
	if n := strings.Count(string(got.Body), "physicOffset"); n != 2 {
		t.Error(n, "entries")
	}
	for _, index := range []int{3, 1000, -1} {
		has(t, query(index, 10), `"queueData":[]`)
	}
	has(t, query(0, 1, "consumerGroup", ""), `"filterData":"@T is not online!"`)
	if got := query(0, 1); strings.Contains(string(got.Body), "filterData") {
		t.Errorf("without a group: %s", got.Body)
	}
}

// TestDelayedMessagesAreCountedTwice, as stock counts them: where they wait when they are sent, in their topic when they are delivered.
func TestDelayedMessagesAreCountedTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, "messageDelayLevel=0s 1h")
	c := r.dial()
	figure := func(name, key string) string {
		t.Helper()
		a := c.call(request(remoting.CodeViewBrokerStatsData, "statsName", name, "statsKey", key))
		if a.Code != remoting.RespSuccess {
			return string(a.Remark)
		}
		var d remoting.BrokerStatsData
		if err := remoting.Unmarshal(a.Body, &d); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(d.StatsDay.Sum)
	}
	const waits, taken = "SCHEDULE_TOPIC_XXXX", "SCHEDULE_TOPIC_XXXX@SCHEDULE_CONSUMER"
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Error(err)
		}
		return n
	}
	at := time.Now()
	check := func(when string, want map[string]string) {
		t.Helper()
		at = at.Add(time.Hour) // the next sample of every window
		r.broker.stats.Sample(at)
		for key, sum := range want {
			name := stats.TopicPutNums
			if key == taken {
				name = stats.GroupGetNums
			}
			if got := figure(name, key); got != sum {
				t.Errorf("%s: %s of %s is %s, want %s", when, name, key, got, sum)
			}
		}
	}
	for range 3 {
		want(t, c.call(sendTo("Later", 0, "DELAY\x012\x02", "x")), 0, "")
	}
	check("they wait", map[string]string{waits: "3", "Later": "The stats <TOPIC_PUT_NUMS> <Later> not exist", taken: "The stats <GROUP_GET_NUMS> <" + taken + "> not exist"})
	for range 2 {
		want(t, c.call(sendTo("Later", 0, "DELAY\x011\x02", "x")), 0, "")
	}
	r.delivered(1, 2)
	check("two came", map[string]string{waits: "5", "Later": "2", taken: "2"})
	if n, m := number(figure(stats.TopicPutSize, waits)), number(figure(stats.TopicPutSize, "Later")); n%5 != 0 || m%2 != 0 || m == 0 || n/5 <= m/2 {
		t.Error("bytes of 5 that wait, with their topic's name, and of 2 that were delivered:", n, m)
	}
	want(t, c.call(sendTo("Later", 0, "", "x")), 0, "")
	r.visibleMax("Later", 0, 3)
	raw := c.call(pullOf("G", "Later", 0, 0, "*", 0)).Body
	want(t, c.giveBack(t, raw, 2), 0, "")
	check("one is given back", map[string]string{waits: "6", "Later": "3"})
	if got := figure(stats.BrokerPutNums, "DefaultCluster"); got != "8" {
		t.Error("5 delayed, 2 of them delivered, 1 sent: ", got)
	}
}

// delivered waits until so many messages of a delay level have come to their topics and are counted there.
func (r *rig) delivered(level int, n int64) {
	r.t.Helper()
	until(r.t, "delivery", func() bool {
		return slices.ContainsFunc(r.broker.delay.Progress(), func(p delay.Progress) bool { return p.Level == level && p.Next == n })
	})
}

// TestSilentClientsHoldNobodyUp: more requests wait for a client than there are workers, and others are served meanwhile.
func TestSilentClientsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, silent := r.dial(), r.dial()
	want(t, silent.call(sendTo("T", 0, "", "x")), 0, "")
	has(t, silent.call(beat("c1", "G", "T", "*", 1)))
	ask := func() *remoting.Command {
		return request(remoting.CodeGetConsumerRunningInfo, "consumerGroup", "G", "clientId", "c1", "jstackEnable", "false")
	}
	var waiting []<-chan *remoting.Command
	for range 40 {
		waiting = append(waiting, c.start(ask()))
	}
	until(t, "asked", func() bool {
		silent.mu.Lock()
		defer silent.mu.Unlock()
		return len(silent.asked) > len(waiting)
	})
	has(t, c.call(request(remoting.CodeGetTopicConfig, "topic", "T")), `"T"`)
	if got := c.call(request(remoting.CodeConsumeMessageDirectly, "consumerGroup", "G", "clientId", "c1", "msgId", "none")); got.Code != remoting.RespSystemError {
		t.Error(got.Code)
	}
	silent.Close()
	for _, ch := range waiting {
		if got := await(t, ch); got.Code != remoting.RespSystemError || !strings.HasPrefix(string(got.Remark), "invoke consumer <G> <c1> Exception: ") {
			t.Fatal(got.Code, string(got.Remark))
		}
	}
	until(t, "client gone", func() bool { return len(r.broker.members.Consumers("G")) == 0 })
	want(t, c.call(ask()), remoting.RespSystemError, "The Consumer <G> <c1> not online")
}

// TestShutdownDoesNotWaitForClients: what a client was asked is given up with its connection.
func TestShutdownDoesNotWaitForClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, silent := r.dial(), r.dial()
	has(t, silent.call(beat("c1", "G", "T", "*", 1)))
	if err := c.Oneway(request(remoting.CodeGetConsumerRunningInfo, "consumerGroup", "G", "clientId", "c1")); err != nil {
		t.Fatal(err)
	}
	until(t, "asked", func() bool {
		silent.mu.Lock()
		defer silent.mu.Unlock()
		return len(silent.asked) > 1
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r.down = true
	if err := r.broker.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
