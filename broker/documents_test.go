package broker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestGroupsThatCouldNotBeReadAgain are refused: the next start would have no groups.
func TestGroupsThatCouldNotBeReadAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	nested := func(n int) string {
		return `{"groupName":"deep","groupRetryPolicy":` + strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) + "}"
	}
	for _, body := range []string{nested(9999), nested(31), nested(30), `{"groupName":"long","attributes":{"` + strings.Repeat("a", 1<<17) + `":"b"}}`} {
		for code, text := range map[int32]string{remoting.CodeUpdateAndCreateSubscriptiongroup: body, remoting.CodeUpdateAndCreateSubscriptiongroupList: `{"groupConfigList":[` + body + `]}`} {
			if a := c.call(withText(code, text)); a.Code == 0 {
				t.Error(code, len(body), "taken")
			}
		}
	}
	want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, nested(20))), 0, "")
	r.stopBroker()
	r.startBroker()
	if _, ok := r.broker.groups.Lookup("deep"); !ok {
		t.Fatal("forgotten")
	}
}

// TestStartWithDocumentsThatCannotBeRead: the ones before are taken, and what could not be read is kept.
func TestStartWithDocumentsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	for _, name := range []string{"A", "B", "C"} {
		want(t, c.call(sendTo(name, 0, "", "x")), 0, "")
		want(t, c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, `{"groupName":"`+name+`"}`)), 0, "")
	}
	r.stopBroker()
	config := filepath.Join(r.root, "store", "config")
	bad := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, name := range []string{"topics.json", "subscriptionGroup.json", "consumerOffset.json", "consumerOffset.json.bak"} {
		name = filepath.Join(config, name)
		if strings.HasPrefix(filepath.Base(name), "consumer") {
			if err := os.WriteFile(name, []byte(bad), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		good, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(name+".bak", good, 0o600)
		}
		if err == nil {
			err = os.WriteFile(name, []byte(bad), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.startBroker()
	for _, name := range []string{"A", "B", "C"} {
		_, topic := r.broker.topics.Lookup(name)
		_, group := r.broker.groups.Lookup(name)
		if !topic || !group {
			t.Error(name, topic, group)
		}
	}
	for _, name := range []string{"topics.json", "subscriptionGroup.json", "consumerOffset.json", "consumerOffset.json.bak"} {
		if kept, err := os.ReadFile(filepath.Join(config, name+".unreadable")); err != nil || string(kept) != bad {
			t.Error(name, "is not kept:", err)
		}
	}
	want(t, r.dial().call(sendTo("A", 0, "", "y")), 0, "")
}

// TestBatchTopicsAreKnownBeforeTheirQueues: when the queues are made again of the log, they are of the right kind.
func TestBatchTopicsAreKnownBeforeTheirQueues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(request(remoting.CodeUpdateAndCreateTopic, "topic", "Kept", "readQueueNums", 1, "writeQueueNums", 1, "perm", 6, "attributes", "+queue.type=BatchCQ")), 0, made.Remark)
	for _, body := range []string{"a", "b", "c"} {
		want(t, c.call(sendTo("Kept", 0, "", body)), 0, "")
	}
	r.visibleMax("Kept", 0, 3)
	r.stopBroker()
	for _, name := range []string{"batchconsumequeue", "checkpoint", "ringmq"} {
		if err := os.RemoveAll(filepath.Join(r.root, "store", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(r.root, "store", "abort"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.startBroker()
	c = r.dial()
	r.visibleMax("Kept", 0, 3)
	if got := bodies(t, c.call(pullOf("G", "Kept", 0, 0, "*", 0))); strings.Join(got, "") != "abc" {
		t.Fatal(got)
	}
	if a := c.call(sendTo("Kept", 0, "", "d")); a.Text("queueOffset") != "3" {
		t.Fatal(a.Text("queueOffset"))
	}
	r.stopBroker()
	if _, err := os.Stat(filepath.Join(r.root, "store", "consumequeue", "Kept")); err == nil {
		t.Fatal("it has a queue of single messages")
	}
}
