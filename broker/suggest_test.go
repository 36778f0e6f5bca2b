package broker

import (
	"strings"
	"testing"

	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// TestWhichBrokerNext: consumers are sent to whichBrokerWhenConsumeSlowly when what they read lies further behind than memory goes, and
// to the group's brokerId otherwise.
func TestWhichBrokerNext(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		slaveRead  string
		messages   int
		offset     int64
		expression string
		suggest    string
	}{
		{"far behind", "true", 20, 0, "*", "7"},
		{"far behind, nothing wanted as far as one look goes", "true", 900, 0, "Other", "7"},
		{"nothing wanted up to the end", "true", 20, 0, "Other", "3"},
		{"at the end", "true", 20, 19, "*", "3"},
		{"nothing there", "true", 20, 20, "*", "3"},
		{"far behind, slaves may not be read from", "false", 20, 0, "*", "0"},
		{"at the end, slaves may not be read from", "false", 20, 19, "*", "0"},
	} {
		r := &rig{t: t, root: t.TempDir()}
		r.startRoutes("127.0.0.1", 0)
		// 40 % of it are 2,000 bytes, about ten records.
		r.startWith(Options{alterStore: func(o *store.Options) { o.MemoryBytes = 5000 }}, func(*Broker) {}, "slaveReadEnable="+c.slaveRead,
			"maxTransferCountOnMessageInDisk=2", "maxTransferCountOnMessageInMemory=2")
		group := request(remoting.CodeUpdateAndCreateSubscriptiongroup)
		group.Body = []byte(`{"groupName":"G","consumeEnable":true,"brokerId":3,"whichBrokerWhenConsumeSlowly":7}`)
		conn := r.dial()
		want(t, conn.call(group), remoting.RespSuccess, "")
		for range c.messages {
			want(t, conn.call(sendTo("T", 0, "TAGS\x01A\x02", "body")), remoting.RespSuccess, "")
		}
		until(t, "in the queue", func() bool { return r.broker.store.MaxOffset([]byte("T"), 0) == int64(c.messages) })
		if got := field(conn.call(pullOf("G", "T", 0, c.offset, c.expression, 0)), "suggestWhichBrokerId"); got != c.suggest {
			t.Errorf("%s: %s, want %s", c.name, got, c.suggest)
		}
	}
}

// TestWhichBrokerNextByResidency: where master and slaves are ours, or where it is told to, a master goes by what is in memory, not by
// how far behind a group is; where it is told not to, and beside stock slaves, by stock's estimate.
func TestWhichBrokerNextByResidency(t *testing.T) {
	t.Parallel()
	const messages, mib, all = 3000, 1 << 20, 1 << 40
	f := &fakeLeader{}
	r, d := coldStoreWith(t, messages, Options{lead: f.lead}, "slaveReadEnable=true", "maxTransferBytesOnMessageInMemory=1048576")
	group := request(remoting.CodeUpdateAndCreateSubscriptiongroup)
	group.Body = []byte(`{"groupName":"G","consumeEnable":true,"brokerId":3,"whichBrokerWhenConsumeSlowly":7}`)
	c := r.dial()
	want(t, c.call(group), remoting.RespSuccess, "")
	for _, test := range []struct {
		name    string
		mode    string
		ours    bool
		have    int64 // the slaves
		cold    int64 // from here on the log is not in the page cache
		offset  int64
		ratio   string // of memory, of the estimate
		suggest string
	}{
		{"ours, in the page cache", "auto", true, all, all, 0, "40", "3"},
		{"ours, on the disk", "auto", true, all, 0, 300, "40", "7"},
		{"ours, kept since it was read", "auto", true, all, 0, 301, "40", "3"},
		{"ours, on the disk, the slaves are not that far", "auto", true, mib / 4, 0, 600, "40", "3"},
		{"ours, the next ones on the disk", "auto", true, all, 5 * windowOfLog, 5*windowOfLog/1150 - 16, "40", "7"},
		{"ours, nothing there", "auto", true, all, 0, messages, "40", "3"},
		{"ours, on the disk, told to estimate", "off", true, all, 0, 1500, "40", "3"},
		{"stock's, on the disk", "auto", false, all, 0, 1800, "40", "3"},
		{"stock's, on the disk, told to look", "on", false, all, 0, 2100, "40", "7"},
		{"stock's, in the page cache, far behind", "auto", false, all, all, 0, "1", "7"},
		{"ours, in the page cache, far behind", "auto", true, all, all, 0, "1", "3"},
		{"ours, far behind, told to estimate", "off", true, all, all, 0, "1", "7"},
	} {
		f.ours.Store(test.ours)
		f.have.Store(test.have)
		set := request(remoting.CodeUpdateBrokerConfig)
		set.Body = []byte("suggestByResidency=" + test.mode + "\naccessMessageInMemoryMaxRatio=" + test.ratio + "\n")
		want(t, c.call(set), remoting.RespSuccess, "")
		d.SetCold(func(name string, off, n int64) bool {
			return strings.Contains(name, "/commitlog/") && off+n > test.cold
		})
		a := c.call(pullOf("G", "Cold", 0, test.offset, "*", 0))
		if got := field(a, "suggestWhichBrokerId"); got != test.suggest {
			t.Errorf("%s: %s, want %s (%d messages)", test.name, got, test.suggest, len(bodies(t, a)))
		}
	}
}

// windowOfLog is how much of the log is read at once.
const windowOfLog = 256 << 10

// TestSlaveKeepsWhoIsFarBehind: a slave of ours, whose master is there, sends consumers back when they have come to the newest messages;
// with the estimate as soon as they are within 30 % of memory.
func TestSlaveKeepsWhoIsFarBehind(t *testing.T) {
	t.Parallel()
	p := newPair(t, "slaveReadEnable=true")
	m := p.master.dial()
	for range 20 {
		want(t, m.call(sendTo("T", 0, "", "old")), remoting.RespSuccess, "")
	}
	p.copied()
	p.slave.stopBroker() // so that it has none of them among its newest
	p.startSlave()
	until(t, "connected", func() bool { return p.slave.broker.replication.follower.FollowsOurs() })
	until(t, "a slave of ours", func() bool { return p.master.broker.replication.leader.AllOurs() })
	p.hears(true)
	want(t, m.call(sendTo("T", 0, "", "new")), remoting.RespSuccess, "")
	p.copied()
	until(t, "the topic is at the slave", func() bool { _, ok := p.slave.broker.topics.Lookup("T"); return ok })
	s := p.slave.dial()
	suggested := func(offset int64, code int32) string {
		t.Helper()
		a := s.call(pullOf("G", "T", 0, offset, "*", 0))
		if a.Code != code {
			t.Fatal(a.Code, string(a.Remark))
		}
		return field(a, "suggestWhichBrokerId")
	}
	for _, test := range []struct{ mode, old string }{{"auto", "1"}, {"on", "1"}, {"off", "0"}} {
		set := request(remoting.CodeUpdateBrokerConfig)
		set.Body = []byte("suggestByResidency=" + test.mode + "\nmaxTransferCountOnMessageInMemory=8\n")
		want(t, s.call(set), remoting.RespSuccess, "")
		if got := suggested(0, remoting.RespSuccess); got != test.old {
			t.Errorf("%s, old messages: %s, want %s", test.mode, got, test.old)
		}
		if got := suggested(20, remoting.RespSuccess); got != "0" {
			t.Errorf("%s, the newest message: %s", test.mode, got)
		}
		if got := suggested(21, remoting.RespPullRetryImmediately); got != "0" {
			t.Errorf("%s, nothing: %s", test.mode, got)
		}
	}
}
