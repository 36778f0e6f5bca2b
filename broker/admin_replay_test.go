package broker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"ringmq/interop/golden"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/record"
)

// sameShape compares the members of two JSON bodies of an operator's request: names and types, not values.
func (r *replay) sameShape(where string, code int, wanted, got []byte) {
	r.t.Helper()
	if _, admin := r.broker.adminTable()[int32(code)]; !admin || len(wanted) == 0 || len(got) == 0 || wanted[0] != '{' {
		return
	}
	var a, b any
	if err := remoting.Unmarshal(wanted, &a); err != nil {
		r.t.Errorf("%s: recorded body: %v", where, err)
		return
	}
	if err := remoting.Unmarshal(got, &b); err != nil {
		r.t.Errorf("%s: body: %v\n%s", where, err, got)
		return
	}
	for _, d := range differences("", a, b) {
		r.t.Errorf("%s: body: %s", where, d)
	}
}

// tables are the members whose keys are data.
var tables = map[string]bool{
	"/offsetTable": true, "/groupTopicMap": true, "/topicConfigTable": true, "/subscriptionGroupTable": true, "/subscriptionTable": true, "/forbiddenTable": true,
	"/offsetTable/*": true, "/data": true, "/consumeStatsList[]": true, "/consumeStatsList[]/*[]/offsetTable": true, "/topicConfigTable/*/attributes": true, "/attributes": true,
}

// optional are members that stock writes only where it has something to say.
var optional = []string{"/subscriptionData", "/table/scheduleMessageOffset_", "/table/commitLogDiskRatio_", "/table/getTransferedTps"}

func differences(path string, wanted, got any) []string {
	if fmt.Sprintf("%T", wanted) != fmt.Sprintf("%T", got) {
		return []string{fmt.Sprintf("%s is %T, recorded %T", path, got, wanted)}
	}
	switch w := wanted.(type) {
	case []any:
		if g := got.([]any); len(w) > 0 && len(g) > 0 {
			return fullest(path+"[]", w, g)
		}
	case map[string]any:
		g := got.(map[string]any)
		if tables[path] {
			if len(w) > 0 && len(g) > 0 {
				return fullest(path+"/*", slices.Collect(maps.Values(w)), slices.Collect(maps.Values(g)))
			}
			return nil
		}
		var all []string
		for _, key := range slices.Sorted(maps.Keys(w)) {
			if v, ok := g[key]; ok {
				all = append(all, differences(path+"/"+key, w[key], v)...)
			} else if !isOptional(path + "/" + key) {
				all = append(all, path+"/"+key+" is missing")
			}
		}
		for _, key := range slices.Sorted(maps.Keys(g)) {
			if _, ok := w[key]; !ok && !isOptional(path+"/"+key) {
				all = append(all, path+"/"+key+" is not in the recording")
			}
		}
		return all
	}
	return nil
}

// fullest compares the longest elements, which show most.
func fullest(path string, wanted, got []any) []string {
	size := func(a, b any) int { return len(fmt.Sprint(a)) - len(fmt.Sprint(b)) }
	return differences(path, slices.MaxFunc(wanted, size), slices.MaxFunc(got, size))
}

func isOptional(path string) bool {
	return slices.ContainsFunc(optional, func(o string) bool { return strings.HasPrefix(path, o) })
}

// operatorScenarios are what the operator's tool did, in order.
const operatorScenarios = `updateTopic updateTopic-2 updateTopic-3 updateTopic-4 updateTopicPerm updateTopicPerm-2 updateSubGroup updateSubGroup-2
updateTopicList updateSubGroupList sendMessage sendMessage-2 clusterList clusterList-2 topicList topicList-2 topicRoute
topicRoute-2 topicStatus topicClusterList brokerStatus brokerStatus-2 brokerConsumeStats consumerProgress consumerProgress-2 consumerProgress-3
consumerConnection consumerConnection-2 producerConnection producer consumerStatus consumerStatus-2 queryMsgByKey queryMsgByUniqueKey
queryMsgByUniqueKey-2 queryMsgById queryMsgById-2 queryMsgById-3 queryMsgByOffset printMsgByQueue queryCq getConsumerConfig statsAll
statsAll-2 resetOffsetByTime resetOffsetByTime-2 resetOffsetByTime-3 skipAccumulatedMessage cloneGroupOffset cloneGroupOffset-2 updateBrokerConfig
resetOffsetByTime-4 resetOffsetByTime-5 updateBrokerConfig-2`

// laterScenarios came when the consumer had gone.
const laterScenarios = `getBrokerConfig updateBrokerConfig-3 updateBrokerConfig-4 updateBrokerConfig-5 updateBrokerConfig-6 updateBrokerConfig-7
sendMsgStatus checkMsgSendRT allocateMQ exportMetadata exportConfigs exportMetrics deleteSubGroup deleteSubGroup-2 deleteTopic`

// TestReplayOperator replays what the operator's tool asked a broker that has topics, messages, and a consumer that stays.
func TestReplayOperator(t *testing.T) {
	t.Parallel()
	r := newReplay(t, "messageDelayLevel="+strings.Repeat("0s ", 18))
	for _, name := range []string{"producer-basic", "producer-fill", "producer-delay", "consumer-concurrent", "consumer-tags", "consumer-litepull", "consumer-rebalance"} {
		r.scenario("json-" + name)
	}
	h := r.hold()
	r.leaveOut = r.strange
	for _, name := range strings.Fields(operatorScenarios) {
		r.scenario("mqadmin-" + name)
	}
	until(t, "reset", func() bool { return h.count(remoting.CodeResetConsumerClientOffset) == 1 })
	h.leave()
	until(t, "consumer gone", func() bool { return len(r.broker.members.Consumers("J_CG_hold")) == 0 })
	for _, name := range strings.Fields(laterScenarios) {
		r.scenario("mqadmin-" + name)
	}
	r.enough(500, 20)
	if info, direct := h.count(remoting.CodeGetConsumerRunningInfo), h.count(remoting.CodeConsumeMessageDirectly); info == 0 || direct == 0 {
		t.Error("requests that reached the consumer:", info, direct)
	}
}

// holder is a recorded consumer that stays and answers what it is asked through the broker.
type holder struct {
	mu    sync.Mutex
	asked map[int32]int
	conns map[int]*netpoll.Client
}

func (h *holder) leave() {
	for _, c := range h.conns {
		c.Close()
	}
}

func (h *holder) count(code int32) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[code]
}

// hold connects the recorded consumer.
func (r *replay) hold() *holder {
	r.t.Helper()
	h := &holder{asked: map[int32]int{}, conns: map[int]*netpoll.Client{}}
	all := golden.Scenario(r.t, "hold")
	recorded := map[int32]*remoting.Command{}
	for _, e := range all {
		if e.From == "server" && len(e.Response) > 0 {
			recorded[int32(*e.Code)] = decode(r.t, e.Response)
		}
	}
	for _, e := range all {
		if e.Code == nil || *e.Code != int(remoting.CodeHeartBeat) || h.conns[e.Conn] != nil && len(h.conns) > 1 {
			continue
		}
		c := h.conns[e.Conn]
		if c == nil {
			c = r.answering(h, recorded)
			h.conns[e.Conn] = c
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		resp, err := c.Call(ctx, decode(r.t, e.Request))
		cancel()
		if err != nil || resp.Code != 0 {
			r.t.Fatal(err, resp)
		}
	}
	return h
}

// answering dials a client that answers requests as recorded.
func (r *replay) answering(h *holder, recorded map[int32]*remoting.Command) *netpoll.Client {
	r.t.Helper()
	var c *netpoll.Client
	ready := make(chan struct{})
	c, err := netpoll.Dial(context.Background(), r.broker.net.Addrs()[0].String(), netpoll.DialOptions{OnRequest: func(req *remoting.Command) {
		<-ready
		h.mu.Lock()
		h.asked[req.Code]++
		h.mu.Unlock()
		r.checkAsked(req)
		if resp := recorded[req.Code]; resp != nil && !req.IsOneway() {
			own := *resp
			own.Opaque = req.Opaque
			_ = c.Reply(remoting.AppendCommand(nil, &own))
		}
	}})
	if err != nil {
		r.t.Fatal(err)
	}
	close(ready)
	r.t.Cleanup(c.Close)
	return c
}

// checkAsked looks at what the broker asks a client.
func (r *replay) checkAsked(req *remoting.Command) {
	switch req.Code {
	case remoting.CodeConsumeMessageDirectly:
		var m record.Record
		_, at, _ := record.ParseOffsetID([]byte(req.Text("msgId")))
		if err := m.Parse(req.Body); err != nil || m.PhysicalOffset != at {
			r.t.Errorf("message to consume: %v %s", err, m.Topic)
		}
		if req.Text("brokerName") != "broker-a" || req.Text("topicSysFlag") != "0" || req.Text("groupSysFlag") != "0" {
			r.t.Error("fields of a message to consume:", names(req), req.Text("brokerName"))
		}
	case remoting.CodeResetConsumerClientOffset:
		var table map[string]map[string]int64
		if err := remoting.Unmarshal(req.Body, &table); err != nil || len(table["offsetTable"]) != 4 || !req.IsOneway() {
			r.t.Errorf("reset: %v %s", err, req.Body)
		}
		if got := fmt.Sprint(names(req)); got != "[group isForce queueId timestamp topic]" {
			r.t.Error("fields of a reset:", got)
		}
	}
}

func decode(t testing.TB, frame []byte) *remoting.Command {
	t.Helper()
	var c remoting.Command
	if err := c.Decode(frame); err != nil {
		t.Fatal(err)
	}
	return c.Clone()
}

// strange says that a request names a topic or a group that the recorded broker had from scenarios which are not replayed.
func (r *replay) strange(e *golden.Exchange, req *remoting.Command) bool {
	if e.ResponseHeader == nil || e.ResponseHeader.Code != 0 {
		return false
	}
	topic, group := req.Text("topic"), ""
	if req.Code == remoting.CodeViewBrokerStatsData {
		topic, group, _ = strings.Cut(req.Text("statsKey"), "@")
		if topic != store.DelayTopic && r.broker.system.Has(topic) {
			return true
		}
	}
	_, known := r.broker.topics.Lookup(topic)
	if group != "" && known {
		return len(r.broker.offsets.TopicsOf(group)) == 0
	}
	return topic != "" && !known && req.Code != remoting.CodeUpdateAndCreateTopic
}
