package broker

import (
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
)

// TestSendBacksThatWaitKeepNobodyWaiting: while the log hangs, more messages are given back than there are workers; pulls from disk
// and other requests for workers go on. Each of the messages is answered when the log goes on, or has hung too long.
func TestSendBacksThatWaitKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var stuck atomic.Bool
	var ahead atomic.Int64
	r.startAltered(func(b *Broker) {
		loaded, up := b.visible, b.uptime
		b.visible = func() int64 {
			if stuck.Load() {
				return 0
			}
			return loaded()
		}
		b.uptime = func() time.Duration { return up() + time.Duration(ahead.Load()) }
	}, "syncFlushTimeout=3600000")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	want(t, c.call(beat("client", "G", "T", "*", 1)), 0, "")
	stuck.Store(true)
	back := func() *remoting.Command {
		return request(remoting.CodeConsumerSendMsgBack, "group", "G", "offset", 0, "delayLevel", 0, "originTopic", "T")
	}
	var answers []<-chan *remoting.Command
	for range 100 {
		answers = append(answers, c.start(back()))
	}
	r.parkedNow(100)
	other := r.dial()
	want(t, other.call(request(remoting.CodeSearchOffsetByTimestamp, "topic", "T", "queueId", 0, "timestamp", 0)), 0, "")
	ahead.Store(int64(2 * time.Hour))
	r.broker.wakeParked()
	for _, a := range answers {
		want(t, await(t, a), remoting.RespSystemError, "FLUSH_DISK_TIMEOUT")
	}
	last := c.start(back())
	r.parkedNow(1)
	stuck.Store(false)
	r.broker.wakeParked()
	want(t, await(t, last), 0, "")
	if n := r.broker.pending.Held(); n != 0 {
		t.Fatal(n, "bytes held for nobody")
	}
}
