package broker

import (
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/disk"
)

// figures is the table of the answer to 28, with what is ours if that is asked for.
func (c *client) figures(ours bool) map[string]string {
	c.t.Helper()
	req := request(remoting.CodeGetBrokerRuntimeInfo)
	if ours {
		req.Set("diskEngine", "true")
	}
	var table remoting.KVTable
	if err := remoting.Unmarshal(c.call(req).Body, &table); err != nil {
		c.t.Fatal(err)
	}
	return table.Table
}

// TestRuntimeFiguresOfOurs: what stock has no key for is told to who asks for it only, and leaves the others' keys alone.
func TestRuntimeFiguresOfOurs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plain, all := r.dial().figures(false), r.dial().figures(true)
	for key, want := range map[string]string{"ringmqVersion": "test", "diskEngine": "pwrite", "logStandsStillMs": "0", "logGaps": "0", "queueFlushFailures": "0", "queueFlushFailing": "false"} {
		if _, there := plain[key]; there || all[key] != want {
			t.Errorf("%s is %q, want %q; told to everybody: %v", key, all[key], want, there)
		}
	}
	for key := range plain {
		if _, there := all[key]; !there {
			t.Errorf("%s is missing", key)
		}
	}
	if plain["brokerVersionDesc"] != "V5_3_3" || all["brokerVersionDesc"] != "V5_3_3" {
		t.Error("the release is", plain["brokerVersionDesc"], all["brokerVersionDesc"])
	}
}

// TestDamageIsTold: a place of the log that is lost, and queue files that cannot be written, for as long as they cannot.
func TestDamageIsTold(t *testing.T) {
	t.Parallel()
	f := disk.NewFaulty()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{alterStore: func(o *store.Options) { o.FS = f }}, func(*Broker) {}, "flushIntervalConsumeQueue=10")
	c := r.dial()
	r.broker.store.NoteGap(1<<20, 1<<20+100)
	if got := c.figures(true)["logGaps"]; got != "1" {
		t.Error("gaps:", got)
	}
	var fails atomic.Bool
	fails.Store(true)
	f.OnOp(func(op int, kind, name string) {
		if fails.Load() && kind == "write" && strings.Contains(name, "/consumequeue/") {
			f.FailAt(op, syscall.EIO)
		}
	})
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	failures := func() int {
		n, err := strconv.Atoi(c.figures(true)["queueFlushFailures"])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	until(t, "a queue file cannot be written", func() bool { return failures() > 0 && c.figures(true)["queueFlushFailing"] == "true" })
	fails.Store(false)
	until(t, "it can be written", func() bool { return c.figures(true)["queueFlushFailing"] == "false" })
	if failures() == 0 {
		t.Error("what happened is forgotten")
	}
}
