package broker

import (
	"os"
	"path/filepath"
	"testing"

	"ringmq/netpoll/remoting"
)

// TestDeletionThatCannotBeWritten: a topic stays in the table until it is durable that it is deleted. Otherwise a crash could leave its
// queues without it, for a topic of the same name to find.
func TestDeletionThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	r.broker.offsets.Commit([]byte("G"), []byte("T"), 0, 1)
	file := filepath.Join(r.root, "store", "ringmq", "deleted.json")
	if err := os.Mkdir(file+".tmp", 0o700); err != nil {
		t.Fatal(err)
	}
	remove := func() *remoting.Command {
		return c.call(request(remoting.CodeDeleteTopicInBroker, "topic", "T"))
	}
	if a := remove(); a.Code != remoting.RespSystemError {
		t.Fatal("deleted:", a.Code, string(a.Remark))
	}
	if _, ok := r.broker.topics.Lookup("T"); !ok {
		t.Error("the topic is in no table, and its queues are there")
	}
	if n, ok := r.broker.offsets.Query([]byte("G"), []byte("T"), 0); !ok || n != 1 {
		t.Error("progress is lost:", n, ok)
	}
	want(t, c.call(sendTo("T", 0, "", "it goes on")), 0, "")
	r.visibleMax("T", 0, 2)
	if err := os.Remove(file + ".tmp"); err != nil {
		t.Fatal(err)
	}
	want(t, remove(), 0, "")
	if _, ok := r.broker.topics.Lookup("T"); ok || r.broker.hasQueues("T") {
		t.Error("the topic is still there:", ok)
	}
}
