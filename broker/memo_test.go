package broker

import (
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestKnownTopicsAreNeverStale: what a loop remembers of a topic ends with every change of it, on the same connection.
func TestKnownTopicsAreNeverStale(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	put := func(change func(c *remoting.TopicConfig)) {
		t.Helper()
		config := remoting.NewTopicConfig("Known", 4, remoting.PermRead|remoting.PermWrite)
		config.Attributes = map[string]string{}
		change(&config)
		r.broker.topics.Put(config)
	}
	put(func(*remoting.TopicConfig) {})
	want(t, c.call(sendTo("Known", 3, "", "x")), 0, "")
	put(func(c *remoting.TopicConfig) { c.ReadQueueNums, c.WriteQueueNums = 2, 2 })
	if a := c.call(sendTo("Known", 3, "", "x")); a.Code != remoting.RespInvalidParameter {
		t.Fatal("fewer queues:", a.Code, string(a.Remark))
	}
	put(func(c *remoting.TopicConfig) { c.Attributes["cleanup.policy"] = "COMPACTION" })
	want(t, c.call(sendTo("Known", 3, "", "x")), remoting.RespMessageIllegal, "Required message key is missing")
	want(t, c.call(sendTo("Other", 0, "", "x")), 0, "")
	put(func(*remoting.TopicConfig) {})
	want(t, c.call(sendTo("Known", 3, "", "x")), 0, "")

	puts := func() string {
		return string(c.call(request(remoting.CodeViewBrokerStatsData, "statsName", "TOPIC_PUT_NUMS", "statsKey", "Known")).Remark)
	}
	if puts() != "" {
		t.Fatal(puts())
	}
	want(t, c.call(request(remoting.CodeDeleteTopicInBroker, "topic", "Known")), 0, "")
	if !strings.Contains(puts(), "not exist") {
		t.Fatal("figures of a deleted topic")
	}
	r.broker.topics.Put(remoting.NewTopicConfig("Known", 1, remoting.PermRead|remoting.PermWrite))
	if a := c.call(sendTo("Known", 3, "", "x")); a.Code != remoting.RespInvalidParameter {
		t.Fatal("made again with one queue:", a.Code, string(a.Remark))
	}
	want(t, c.call(sendTo("Known", 0, "", "x")), 0, "")
	if puts() != "" {
		t.Fatal("what is stored in a topic made again is not counted:", puts())
	}
}
