package broker

import (
	"fmt"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// unattendedRig is a broker with topics of two queues.
type unattendedRig struct {
	*rig
	c *client
}

func newUnattendedRig(t *testing.T, more ...string) *unattendedRig {
	t.Helper()
	r := newRig(t, append([]string{"adminHttpAddress=127.0.0.1:0"}, more...)...)
	return &unattendedRig{r, r.dial()}
}

// fill makes a topic with so many messages in each of its queues.
func (r *unattendedRig) fill(topic string, each int) {
	r.t.Helper()
	a := r.c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", topic, "readQueueNums", 2, "writeQueueNums", 2, "perm", 6, "topicFilterType", "SINGLE_TAG"))
	if a.Code != 0 {
		r.t.Fatal(string(a.Remark))
	}
	for i := range 2 * each {
		want(r.t, r.c.call(sendTo(topic, i%2, "", "x")), 0, "")
	}
	for queue := range int32(2) {
		r.visibleMax(topic, queue, int64(each))
	}
}

// left has a group consume a queue as far as an offset without being a member.
func (r *unattendedRig) left(group, topic string, queue int, offset int64) {
	r.t.Helper()
	r.broker.groups.Find([]byte(group))
	want(r.t, r.c.call(commit(group, topic, queue, offset)), 0, "")
}

// expect compares the series of a scrape, "group topic" with its messages.
func (r *unattendedRig) expect(what string, want map[string]float64) {
	r.t.Helper()
	got := map[string]float64{}
	for name, v := range scrapes(r.t, r.broker.web.admin) {
		if labels, ok := strings.CutPrefix(name, "ringmq_unattended_messages{"); ok {
			group, topic, _ := strings.Cut(strings.NewReplacer("consumer_group=", "", `"`, "", "}", "").Replace(labels), ",topic=")
			got[group+" "+topic] = v
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// TestUnattended: what waits for a group counts while it has no member, in queues that it has consumed from; with the group, or the topic, the
// series ends.
func TestUnattended(t *testing.T) {
	t.Parallel()
	r := newUnattendedRig(t)
	for _, topic := range []string{"T", "U", "%RETRY%Gone"} {
		r.fill(topic, 5)
	}
	r.expect("nobody has consumed", map[string]float64{})
	r.left("Gone", "T", 0, 2)
	r.left("Gone", "%RETRY%Gone", 0, 0)
	r.left("Done", "T", 0, 5)
	r.left("Both", "T", 0, 0)
	r.left("Both", "U", 0, 1)
	r.left("Both", "U", 1, 1)
	r.left("TOOLS_CONSUMER", "T", 0, 0)
	r.left("CID_RMQ_SYS_X", "T", 0, 0)
	all := map[string]float64{"Gone T": 3, "Both T": 5, "Both U": 8}
	r.expect("no member", all)
	member := r.dial()
	want(t, member.call(beat("member", "Gone", "T", "*", 1)), 0, "")
	r.expect("a member", map[string]float64{"Both T": 5, "Both U": 8})
	want(t, member.call(request(remoting.CodeUnregisterClient, "clientID", "member", "consumerGroup", "Gone")), 0, "")
	r.expect("it has left", all)
	want(t, r.c.call(request(remoting.CodeDeleteTopicInBroker, "topic", "U")), 0, "")
	r.expect("a topic is deleted", map[string]float64{"Gone T": 3, "Both T": 5})
	want(t, r.c.call(request(remoting.CodeDeleteSubscriptiongroup, "groupName", "Both", "cleanOffset", false)), 0, "")
	r.expect("a group is deleted, and its progress kept", map[string]float64{"Gone T": 3})
	r.left("Gone", "T", 0, 9)
	r.expect("beyond the end", map[string]float64{})
}

// TestUnattendedInFewSeries: those that most waits for, and all others together.
func TestUnattendedInFewSeries(t *testing.T) {
	t.Parallel()
	r := newUnattendedRig(t, "metricsTopK=2")
	r.fill("T", 9)
	for i := range 5 {
		r.left(fmt.Sprint("G", i), "T", 0, int64(i))
	}
	r.expect("two of five", map[string]float64{"G0 T": 9, "G1 T": 8, "(other) (other)": 7 + 6 + 5})
}

// TestUnattendedOfASlave: its groups are its master's to watch, and it does not look at them.
func TestUnattendedOfASlave(t *testing.T) {
	if all, others := (scraped{&Broker{slave: true}}).Unattended(10); len(all) != 0 || others != 0 {
		t.Error(all, others)
	}
}
