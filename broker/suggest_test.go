package broker

import (
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
