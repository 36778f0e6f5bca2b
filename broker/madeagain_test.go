package broker

import (
	"os"
	"slices"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

func makeTopic(topic string) *remoting.Command {
	return request(remoting.CodeUpdateAndCreateTopic, "topic", topic, "defaultTopic", "TBW102", "readQueueNums", 2, "writeQueueNums", 2, "perm", 6,
		"topicFilterType", "SINGLE_TAG", "topicSysFlag", 0, "order", false)
}

// TestTopicMadeAgainAtTheSlave: a topic is deleted and made again, one is deleted for good. The slave serves what its master serves, also one that
// is emptied and copies the log again, after a restart, and when it is the master.
func TestTopicMadeAgainAtTheSlave(t *testing.T) {
	t.Parallel()
	p := newPair(t, "brokerRole=SYNC_MASTER")
	m := p.master.dial()
	until(t, "slave in step", func() bool { return p.master.broker.replication.leader.Agreed().InStep == 2 })
	for _, topic := range []string{"T", "Gone"} {
		want(t, m.call(makeTopic(topic)), remoting.RespSuccess, made.Remark)
		for i := range 20 {
			want(t, m.call(sendTo(topic, i%2, "", "old")), remoting.RespSuccess, "")
		}
	}
	p.copied()
	for _, topic := range []string{"T", "Gone"} {
		want(t, m.call(request(remoting.CodeDeleteTopicInBroker, "topic", topic)), remoting.RespSuccess, "")
	}
	want(t, m.call(makeTopic("T")), remoting.RespSuccess, made.Remark)
	for range 3 {
		want(t, m.call(sendTo("T", 0, "", "new")), remoting.RespSuccess, "")
	}
	serves := func(what string, n int64) {
		t.Helper()
		b, c := p.slave.broker, p.slave.dial()
		until(t, what, func() bool { return b.store.MaxOffset([]byte("T"), 0) == n })
		until(t, what+", and the topics", func() bool { _, ok := b.topics.Lookup("T"); return ok })
		resp := c.call(pullOf("G", "T", 0, 0, "*", 0))
		want(t, resp, remoting.RespSuccess, "FOUND")
		if body := string(resp.Body); int64(strings.Count(body, "new")) != n || strings.Contains(body, "old") {
			t.Fatalf("%s: %d of %d new messages", what, strings.Count(body, "new"), n)
		}
	}
	forgets := func(what string) {
		t.Helper()
		b := p.slave.broker
		until(t, what, func() bool {
			return b.store.MaxOffset([]byte("T"), 1) == 0 && !slices.Contains(b.store.QueueTopics(), "Gone")
		})
	}
	p.copied()
	serves("the slave has what is new", 3)
	forgets("and nothing that is not")

	p.slave.stopBroker()
	p.startSlave()
	p.copied()
	serves("after a restart", 3)
	forgets("nor after a restart")

	p.slave.stopBroker()
	if err := os.RemoveAll(p.slave.root); err != nil {
		t.Fatal(err)
	}
	p.startSlave()
	p.copied()
	serves("with an empty disk", 3)
	forgets("nor with an empty disk")

	p.master.stopBroker()
	p.slave.stopBroker()
	p.slave.startBroker("brokerRole=ASYNC_MASTER", "brokerId=0")
	serves("as the master", 3)
	forgets("nor as the master")
	s := p.slave.dial()
	if resp := s.call(sendTo("T", 0, "", "new")); field(resp, "queueOffset") != "3" {
		t.Fatal("it goes on at", field(resp, "queueOffset"))
	}
	if resp := s.call(sendTo("T", 1, "", "new")); field(resp, "queueOffset") != "0" {
		t.Fatal("the other queue goes on at", field(resp, "queueOffset"))
	}
	serves("its own too", 4)
}
