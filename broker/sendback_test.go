package broker

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/record"
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
	r.nothingPending()
}

// TestSendBacksHeedTheBound: answers to messages given back count for what may wait for the log with a loop; the messages beyond it are stored when
// there is room, also where their connection has ended by then.
func TestSendBacksHeedTheBound(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var stuck atomic.Bool
	const limit = 1 << 10
	r.startWith(Options{Loops: 1}, func(b *Broker) {
		loaded := b.visible
		b.visible = func() int64 {
			if stuck.Load() {
				return 0
			}
			return loaded()
		}
		b.loops[0].parked.limit = limit
	}, "syncFlushTimeout=3600000", "messageDelayLevel=1h")
	c, ends := r.dial(), r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	want(t, c.call(beat("client", "G", "T", "*", 1)), 0, "")
	back := func() *remoting.Command {
		return request(remoting.CodeConsumerSendMsgBack, "group", "G", "offset", 0, "delayLevel", 1, "originTopic", "T")
	}
	want(t, c.call(back()), 0, "")
	delayed := func() int64 { return r.broker.store.MaxOffset([]byte(store.DelayTopic), 0) }
	until(t, "stored", func() bool { return delayed() == 1 })
	// waiting is how many answers are parked, in how many bytes, and how many messages wait for that.
	waiting := func() (parked, bytes, later int) {
		r.onLoop(func() {
			p := &r.broker.loops[0].parked
			parked, bytes, later = len(p.visible.queue)-p.visible.head, p.bytes(), len(p.waiting)
		})
		return parked, bytes, later
	}
	stuck.Store(true)
	const backs = 100
	var answers []<-chan *remoting.Command
	for range backs {
		answers = append(answers, c.start(back()))
	}
	until(t, "all are with the loop", func() bool { parked, _, later := waiting(); return parked+later == backs })
	parked, bytes, _ := waiting()
	if most := limit + bytes/max(parked, 1) + 1; bytes > most || parked == 0 {
		t.Errorf("%d answers in %d bytes wait, %d at most may", parked, bytes, most)
	}
	ends.start(back())
	until(t, "one more", func() bool { parked, _, later := waiting(); return parked+later == backs+1 })
	ends.Close()
	stuck.Store(false)
	r.broker.wakeParked()
	for _, a := range answers {
		want(t, await(t, a), 0, "")
	}
	until(t, "all are stored", func() bool { return delayed() == backs+2 })
	r.nothingPending()
}

// TestMessagesGivenBackOutliveTheLoop: one whose loop ends before it gets to it is stored all the same, without an answer, and holds nothing any
// more.
func TestMessagesGivenBackOutliveTheLoop(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startWith(Options{Loops: 1}, func(*Broker) {}, "messageDelayLevel=1h")
	c := r.dial()
	want(t, c.call(sendTo("T", 0, "", "x")), 0, "")
	r.visibleMax("T", 0, 1)
	want(t, c.call(beat("client", "G", "T", "*", 1)), 0, "")
	back := request(remoting.CodeConsumerSendMsgBack, "group", "G", "offset", 0, "delayLevel", 1, "originTopic", "T")
	want(t, c.call(back), 0, "") // the topic for the retries is settled
	r.nothingPending()

	b := r.broker
	b.mu.Lock()
	conn := slices.Collect(maps.Values(b.conns))[0]
	b.mu.Unlock()
	entered, gate := make(chan struct{}), make(chan struct{})
	do := func(fn func()) {
		if err := conn.Do(fn); err != nil {
			t.Fatal(err)
		}
	}
	do(func() { close(entered); <-gate })
	<-entered
	for range 1024 { // as many as gnet runs before it looks whether it has ended
		do(func() {})
	}
	raw, err := b.store.MessageByOffset(0, nil)
	if err != nil || !b.pending.Take(len(raw)) {
		t.Fatal(err)
	}
	var m record.Record
	if err := m.Parse(raw); err != nil {
		t.Fatal(err)
	}
	g, _ := b.groups.Lookup("G")
	s := &returned{b: b, c: conn, group: "G", bytes: len(raw)}
	if s.m, s.topic, err = b.givenBack(back, g, &m); err != nil {
		t.Fatal(err)
	}
	s.store()

	over, cancel := context.WithCancel(t.Context())
	cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.net.Shutdown(over) }()
	until(t, "the loop takes no more", func() bool { return conn.Do(func() {}) != nil })
	time.Sleep(10 * time.Millisecond) // until gnet has told the loop
	close(gate)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	r.nothingPending()
	until(t, "it is stored", func() bool { return b.store.MaxOffset([]byte(store.DelayTopic), 0) == 2 })
}

// nothingPending waits until nothing is held for requests that wait. A worker gives back what its job held when that is done, which may be after the
// answer.
func (r *rig) nothingPending() {
	r.t.Helper()
	until(r.t, "no bytes held for nobody", func() bool { return r.broker.pending.Held() == 0 })
}

// onLoop runs fn on the loop of a broker that has one, and waits for it.
func (r *rig) onLoop(fn func()) {
	r.t.Helper()
	ran := make(chan struct{})
	until(r.t, "a connection of the loop", func() bool {
		r.broker.mu.Lock()
		defer r.broker.mu.Unlock()
		for _, c := range r.broker.conns {
			if c.Do(func() { fn(); close(ran) }) == nil {
				return true
			}
		}
		return false
	})
	<-ran
}

// TestRetryTopicFollowsItsGroup: a group that asks for more queues for its retries gets them in the topic that is there; for fewer it loses none, and for
// more than a topic may have it is refused.
func TestRetryTopicFollowsItsGroup(t *testing.T) {
	r := newRig(t)
	c := r.dial()
	queues := func() [2]int32 {
		topic, ok := r.broker.topics.Lookup("%RETRY%G")
		if !ok {
			t.Fatal("there is no topic")
		}
		return [2]int32{topic.ReadQueueNums, topic.WriteQueueNums}
	}
	group := func(queues int) *remoting.Command {
		return c.call(withText(remoting.CodeUpdateAndCreateSubscriptiongroup, fmt.Sprintf(`{"groupName":"G","retryQueueNums":%d}`, queues)))
	}
	want(t, group(1), 0, "")
	if _, ok := r.broker.topics.Lookup("%RETRY%G"); ok {
		t.Error("a topic was made for a group that nobody is in")
	}
	want(t, c.call(beat("client", "G", "T", "*", 1)), 0, "")
	for _, n := range []struct{ asked, got int }{{1, 1}, {4, 4}, {2, 4}, {maxQueueNums, maxQueueNums}} {
		want(t, group(n.asked), 0, "")
		if got := queues(); got != [2]int32{int32(n.got), int32(n.got)} {
			t.Errorf("%d queues were asked for, there are %v", n.asked, got)
		}
	}
	want(t, group(maxQueueNums+1), remoting.RespInvalidParameter, "The group[G] has more than 65535 retry queues.")
	if g, _ := r.broker.groups.Lookup("G"); g.RetryQueueNums != maxQueueNums {
		t.Error(g.RetryQueueNums)
	}
}

// givenBackTo gives a message back for a group, and returns what is stored for it and the queue of the group's retries that it will come to.
func (r *rig) givenBackTo(g *remoting.SubscriptionGroupConfig, m *record.Record, fields ...any) (*store.Message, string) {
	r.t.Helper()
	req := request(remoting.CodeConsumerSendMsgBack, append([]any{"delayLevel", 0}, fields...)...)
	req.Version = ownLimitSince
	stored, topic, err := r.broker.givenBack(req, g, m)
	if err != nil || topic.TopicName != "%RETRY%"+g.GroupName {
		r.t.Fatal(topic.TopicName, err)
	}
	queue, _ := record.Property(stored.Properties, "REAL_QID")
	return stored, string(queue)
}

// TestMessagesComeBackWhereTheyAreRead: not in queues that the topic for the retries does not have, which no consumer knows.
func TestMessagesComeBackWhereTheyAreRead(t *testing.T) {
	r := newRig(t)
	g := remoting.NewSubscriptionGroupConfig("G")
	g.RetryQueueNums = 4
	for _, c := range []struct{ there, used int32 }{{0, 4}, {1, 1}, {3, 3}, {8, 4}} { // 0: it will be made
		if c.there > 0 {
			r.broker.topics.Put(remoting.NewTopicConfig("%RETRY%G", c.there, remoting.PermRead|remoting.PermWrite))
		}
		seen := map[string]bool{}
		for range 200 {
			_, queue := r.givenBackTo(&g, &record.Record{Topic: []byte("T"), StoreHost: r.broker.advertise, BornHost: r.broker.advertise})
			seen[queue] = true
		}
		var all []string
		for i := range c.used {
			all = append(all, fmt.Sprint(i))
		}
		if got := sortedNames(seen); !slices.Equal(got, all) {
			t.Errorf("of %d queues %v are used", c.there, got)
		}
	}
}

// TestMessagesWithAnyCountAreGivenBack: how often a message came back is a client's word, and may be any number.
func TestMessagesWithAnyCountAreGivenBack(t *testing.T) {
	r := newRig(t)
	g := remoting.NewSubscriptionGroupConfig("G")
	for _, c := range []struct{ says, becomes, level int32 }{{-1, 1, 3}, {math.MinInt32, 1, 3}, {0, 1, 3}, {2, 3, 5}, {math.MaxInt32 - 2, math.MaxInt32 - 1, 18}, {math.MaxInt32 - 1, math.MaxInt32, 18}} {
		m, _ := r.givenBackTo(&g, &record.Record{Topic: []byte("T"), StoreHost: r.broker.advertise, BornHost: r.broker.advertise, ReconsumeTimes: c.says}, "maxReconsumeTimes", math.MaxInt32)
		level, _ := record.Property(m.Properties, record.PropertyDelay)
		if m.ReconsumeTimes != c.becomes || m.QueueID != c.level-1 || string(level) != strconv.Itoa(int(c.level)) {
			t.Errorf("%d becomes %d, level %s in queue %d", c.says, m.ReconsumeTimes, level, m.QueueID)
		}
	}

	c := r.dial()
	cmd := sendTo("T", 0, "", "x")
	cmd.Set("j", "-7")
	want(t, c.call(cmd), 0, "")
	r.visibleMax("T", 0, 1)
	raw := c.call(pullOf("G", "T", 0, 0, "*", 0)).Body
	var m record.Record
	if err := m.Parse(raw); err != nil || m.ReconsumeTimes != 0 {
		t.Fatal(err, m.ReconsumeTimes)
	}
	want(t, c.giveBack(t, raw, 0), 0, "")
}
