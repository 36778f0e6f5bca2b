package broker

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestTopicThatCannotBeWritten: no message is acknowledged in a topic that a crash would forget, however the topic came about; and
// when it can be written again, sends go on by themselves.
func TestTopicThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("Before", 0, "", "x")), 0, "")
	if err := r.broker.settled(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.root, "store", "config", "topics.json")
	if err := os.Mkdir(file+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	refused := func(topic string) {
		t.Helper()
		a := c.call(sendTo(topic, 0, "", "x"))
		if a.Code != remoting.RespServiceNotAvailable || !strings.HasPrefix(string(a.Remark), "service not available now.") {
			t.Fatal(topic, a.Code, string(a.Remark))
		}
	}
	began := time.Now()
	for range 2 * patience / settleRetry {
		refused("BySend") // nobody waits for one attempt after the other: so many take longer than patience
	}
	if took := time.Since(began); took > patience {
		t.Fatal("refused after", took)
	}
	if a := c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "ByOperator", "readQueueNums", 1, "writeQueueNums", 1, "perm", 6, "topicFilterType", "SINGLE_TAG")); a.Code == 0 {
		t.Fatal("created:", string(a.Remark))
	}
	refused("ByOperator")
	want(t, c.call(beat("client", "Group", "Before", "*", 1)), 0, "")
	refused("%RETRY%Group")
	want(t, c.call(sendTo("Before", 0, "", "a topic that is there takes messages")), 0, "")
	if err := os.Remove(file + ".tmp"); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"BySend", "ByOperator", "%RETRY%Group"} {
		until(t, topic, func() bool { return c.call(sendTo(topic, 0, "", "x")).Code == 0 })
		if doc, err := os.ReadFile(file); err != nil || !strings.Contains(string(doc), `"`+topic+`"`) {
			t.Error(topic, "is acknowledged and not on disk", err)
		}
	}
}

// settled waits for afterSettled.
func (b *Broker) settled() error {
	done := make(chan error, 1)
	b.afterSettled(func(err error) { done <- err })
	return <-done
}

// TestTopicsThatAreNotSettledKeepNobodyWaiting: operators' requests for topics outnumber the workers while a name server hangs.
func TestTopicsThatAreNotSettledKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	s, routes := serveSlowRoutes(t)
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.registrar.timeout = time.Hour }, "namesrvAddr="+r.routes.Addr().String()+";"+routes)
	asked := s.hush()
	c := r.dial()
	var answers []<-chan *remoting.Command
	for i := range 40 {
		answers = append(answers, c.start(request(remoting.CodeUpdateAndCreateTopic, "topic", "N"+strconv.Itoa(i), "readQueueNums", 1, "writeQueueNums", 1, "perm", 6)))
	}
	<-asked
	for range 3 { // those are waited for until the name server answers, and these would come behind them
		want(t, c.call(request(remoting.CodeSearchOffsetByTimestamp, "topic", "T", "queueId", 0, "timestamp", 0)), 0, "")
		want(t, c.call(request(remoting.CodeGetBrokerRuntimeInfo)), 0, "")
	}
	for i, a := range answers {
		if len(a) > 0 {
			t.Error("topic", i, "is answered, and the name server hangs")
		}
	}
	s.speak()
	for _, a := range answers {
		want(t, await(t, a), 0, made.Remark)
	}
}
