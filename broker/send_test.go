package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

func TestTopicIsRoutedAndKeptWhenItsFirstSendIsAnswered(t *testing.T) {
	r := newRig(t)
	c, routes := r.dial(), r.dialRoutes()
	want(t, routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "New")), remoting.RespTopicNotExist, "No topic route info in name server for the topic: New"+faq)
	a := c.call(sendTo("New", 3, "TAGS\x01A\x02", "body"))
	want(t, a, remoting.RespSuccess, "")
	if a.Text("queueId") != "3" || a.Text("queueOffset") != "0" || len(a.Text("transactionId")) != 32 {
		t.Fatal(names(a))
	}
	route := routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "New"))
	if route.Code != 0 || !bytes.Contains(route.Body, []byte(`"writeQueueNums":4`)) || !bytes.Contains(route.Body, []byte(r.broker.advertise.String())) {
		t.Fatal(route.Code, string(route.Body))
	}
	r.stopBroker()
	want(t, routes.call(request(remoting.CodeGetRouteinfoByTopic, "topic", "New")), remoting.RespTopicNotExist, "No topic route info in name server for the topic: New"+faq)
	r.startBroker()
	if topic, ok := r.broker.topics.Lookup("New"); !ok || topic.WriteQueueNums != 4 || topic.Perm != 6 {
		t.Fatal(topic, ok)
	}
	got := r.dial().call(pullOf("CG", "New", 3, 0, "*", 0))
	var m record.Record
	if err := m.Parse(got.Body); err != nil || string(m.Body) != "body" {
		t.Fatal(got.Code, string(got.Remark), err)
	}
	for name, value := range map[string]string{"TAGS": "A", "MSG_REGION": "DefaultRegion", "TRACE_ON": "true", "CLUSTER": "DefaultCluster", "UNIQ_KEY": a.Text("transactionId")} {
		if v, _ := record.Property(m.Properties, name); string(v) != value {
			t.Errorf("%s is %q, not %q", name, v, value)
		}
	}
}

func TestPropertiesOfTheBrokerStandOnce(t *testing.T) {
	r := newRig(t)
	for _, p := range []string{"", "TAGS\x01A", "MSG_REGION\x01Elsewhere\x02TRACE_ON\x01true\x02CLUSTER\x01Other\x02UNIQ_KEY\x01U\x02POP_CK\x01x\x02K\x01v\x02", "XUNIQ_KEY\x01v\x02"} {
		var known record.Known
		known.Scan([]byte(p))
		all, uniq := r.broker.addProperties(nil, []byte(p), &known)
		got := string(all)
		if v, _ := record.Property(all, record.PropertyUniqKey); len(v) == 0 || string(v) != string(uniq) {
			t.Errorf("%q: the unique key is %q, not %q", p, v, uniq)
		}
		for _, name := range []string{"MSG_REGION", "TRACE_ON", "CLUSTER", "UNIQ_KEY"} {
			if n := strings.Count("\x02"+got, "\x02"+name+"\x01"); n != 1 {
				t.Errorf("%q: %s stands %d times in %q", p, name, n, got)
			}
		}
		if strings.Contains(got, "POP_CK") || strings.Contains(got, "Elsewhere") || strings.Contains(p, "TAGS\x01A") && !strings.Contains(got, "TAGS\x01A\x02") {
			t.Errorf("%q became %q", p, got)
		}
	}
}

func TestSendsOfAConnectionThatEndsAreStored(t *testing.T) {
	r := newRig(t)
	for round := range 20 {
		topic := "Bye" + strconv.Itoa(round)
		w := r.wire()
		cmd := sendTo(topic, 0, "", "x")
		cmd.Flag |= remoting.FlagOneway
		if _, err := w.conn.Write(encoded(10, cmd)); err != nil {
			t.Fatal(err)
		}
		_ = w.conn.Close()
		r.visibleMax(topic, 0, 10)
	}
}

// slowRoutes is a name server that answers registrations, and keeps them waiting while it is told to.
type slowRoutes struct {
	mu    sync.Mutex
	asked chan struct{} // nil: it answers
	held  []func()      // answers
}

// serveSlowRoutes starts one. It returns where it listens.
func serveSlowRoutes(t *testing.T) (*slowRoutes, string) {
	t.Helper()
	s := &slowRoutes{}
	n, err := netpoll.Serve(netpoll.Options{Addrs: []string{"127.0.0.1:0"}}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Shutdown(context.Background()) }) // the test's own context has ended by then
	return s, n.Addrs()[0].String()
}

func (s *slowRoutes) Opened(*netpoll.Conn)        {}
func (s *slowRoutes) Closed(*netpoll.Conn, error) {}
func (s *slowRoutes) Woken(int)                   {}
func (s *slowRoutes) Serve(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		c.PutOut(remoting.AppendReply(c.Out(), req.Encoding, req.Opaque, 0, ""))
		return netpoll.Done
	}
	answer := remoting.AppendReply(nil, req.Encoding, req.Opaque, 0, "")
	if s.held = append(s.held, func() { _ = c.Give(answer) }); len(s.held) == 1 {
		close(s.asked)
	}
	return netpoll.Done
}

// hush has it answer nothing until speak. asked is closed when it has been asked.
func (s *slowRoutes) hush() (asked <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = make(chan struct{})
	return s.asked
}

// speak has it answer what it was asked, and what comes.
func (s *slowRoutes) speak() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, answer := range s.held {
		answer()
	}
	s.asked, s.held = nil, nil
}

// TestOtherRequestsGoOnWhileATopicIsMade has the name server hang: sends of the connection wait in their order, its other requests
// do not.
func TestOtherRequestsGoOnWhileATopicIsMade(t *testing.T) {
	t.Parallel()
	s, routes := serveSlowRoutes(t)
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	r.startAltered(func(b *Broker) { b.registrar.timeout = time.Hour }, "namesrvAddr="+r.routes.Addr().String()+";"+routes)
	asked := s.hush()
	c := r.dial()
	var answers []<-chan *remoting.Command
	const sends = maxWaitingSends / 2
	w := r.wire()
	cmd := sendTo("Slow", 0, "", "x")
	var frames []byte
	for i := range sends {
		cmd.Opaque = int32(i)
		frames = remoting.AppendCommand(frames, cmd)
	}
	if _, err := w.conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	<-asked
	// The same connection: what is answered first is not a send.
	w.exchange(encodedAs(5000, request(remoting.CodeGetMaxOffset, "topic", "Slow", "queueId", 0)), 1)
	if a := w.answer(); a.Opaque != 5000 || a.Text("offset") != "0" {
		t.Fatal("answer to", a.Opaque, "offset", a.Text("offset"))
	}
	// Another connection's send to the topic waits for it too.
	answers = append(answers, c.start(sendTo("Slow", 1, "", "y")))
	s.speak()
	for i := range sends {
		w.exchange(nil, 1)
		if a := w.answer(); a.Code != 0 || a.Opaque != int32(i) || a.Text("queueOffset") != strconv.Itoa(i) {
			t.Fatal("answer", i, "is", a.Code, string(a.Remark), "to", a.Opaque, "at", a.Text("queueOffset"))
		}
	}
	want(t, await(t, answers[0]), 0, "")
}

func encodedAs(opaque int32, cmd *remoting.Command) []byte {
	cmd.Opaque = opaque
	return remoting.AppendCommand(nil, cmd)
}

func TestMoreSendsThanMayWaitForATopic(t *testing.T) {
	r := newRig(t)
	w := r.wire()
	const sends = 5 * maxWaitingSends
	cmd := sendTo("Many", 0, "", "x")
	go func() { _, _ = w.conn.Write(encoded(sends, cmd)) }()
	for i := range sends {
		w.exchange(nil, 1)
		if a := w.answer(); a.Code != 0 || a.Opaque != int32(i) || a.Text("queueOffset") != strconv.Itoa(i) {
			t.Fatal("answer", i, "is", a.Code, string(a.Remark), "to", a.Opaque, "at", a.Text("queueOffset"))
		}
	}
}

func TestManyTopicsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w := r.wire()
	const topics = 500
	var frames []byte
	for i := range topics {
		frames = append(frames, encodedAs(int32(i), sendTo("T"+strconv.Itoa(i), 0, "", "x"))...)
	}
	go func() { _, _ = w.conn.Write(frames) }()
	for i := range topics {
		w.exchange(nil, 1)
		if a := w.answer(); a.Code != 0 || a.Opaque != int32(i) {
			t.Fatal(i, a.Code, string(a.Remark), a.Opaque)
		}
	}
	if n := r.broker.settling.n.Load(); n != 0 {
		t.Fatal(n, "topics not settled")
	}
}

func TestFullAppendBufferHoldsProducersBack(t *testing.T) {
	r := newRig(t, "flushDiskType=SYNC_FLUSH", "tailCacheBytes=1048576")
	want(t, r.dial().call(sendTo("Full", 0, "", "first")), 0, "")
	var all sync.WaitGroup
	for range 4 {
		w := r.wire()
		all.Add(1)
		go func() {
			defer all.Done()
			const sends = 100
			cmd := sendTo("Full", 0, "", strings.Repeat("b", 100<<10))
			go func() { _, _ = w.conn.Write(encoded(sends, cmd)) }()
			last := int64(-1)
			for i := range sends {
				w.exchange(nil, 1)
				a := w.answer()
				at, _, _ := a.Int64("queueOffset")
				if a.Code != 0 || a.Opaque != int32(i) || at <= last {
					t.Error("answer", i, "is", a.Code, string(a.Remark), "to", a.Opaque, "at", at)
					return
				}
				last = at
			}
		}()
	}
	all.Wait()
	until(t, "queue", func() bool { return r.broker.store.MaxOffset([]byte("Full"), 0) == 401 })
}

func TestAnswersWaitForTheLog(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var mu sync.Mutex
	safe, broken, passes := int64(-1), error(nil), false
	var ahead atomic.Int64
	r.startAltered(func(b *Broker) {
		loaded, up := b.visible, b.uptime
		b.uptime = func() time.Duration { return up() + time.Duration(ahead.Load()) }
		b.visible = func() int64 {
			mu.Lock()
			defer mu.Unlock()
			if safe < 0 {
				return loaded()
			}
			return safe
		}
		b.failed = func() error {
			mu.Lock()
			defer mu.Unlock()
			if passes {
				safe = math.MaxInt64
			}
			return broken
		}
	}, "syncFlushTimeout=3600000")
	c := r.dial()
	want(t, c.call(sendTo("Log", 0, "", "first")), 0, "")
	mu.Lock()
	safe = r.broker.visible0()
	mu.Unlock()
	waits := c.start(sendTo("Log", 0, "", "late"))
	r.parkedNow(1)
	ahead.Store(int64(2 * time.Hour))
	r.broker.wakeParked()
	late := await(t, waits)
	want(t, late, remoting.RespFlushDiskTimeout, "")
	if late.Text("queueOffset") != "1" || late.Text("msgId") == "" {
		t.Fatal(names(late))
	}
	want(t, c.call(sendTo("Log", 0, "WAIT\x01false\x02", "now")), 0, "")
	mu.Lock()
	broken = errors.New("input/output error")
	mu.Unlock()
	want(t, c.call(sendTo("Log", 0, "", "lost")), remoting.RespSystemError, "store: input/output error")
	// The log passes a record and fails in one moment: the record is safe.
	mu.Lock()
	safe, passes = r.broker.visible0(), true
	mu.Unlock()
	want(t, c.call(sendTo("Log", 0, "", "safe")), 0, "")
	mu.Lock()
	safe, broken, passes = -1, nil, false
	mu.Unlock()
	want(t, c.call(sendTo("Log", 0, "", "again")), 0, "")
}

// TestLogTimeoutsFollowTheClockNobodySets: a send waits its time, measured from when it was parked.
func TestLogTimeoutsFollowTheClockNobodySets(t *testing.T) {
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
	want(t, c.call(sendTo("Stuck", 0, "", "first")), 0, "")
	stuck.Store(true)
	first := c.start(sendTo("Stuck", 0, "", "waits"))
	r.parkedNow(1)
	ahead.Store(int64(time.Hour) - int64(time.Minute))
	r.broker.wakeParked()
	select {
	case a := <-first:
		t.Fatal("answered before its time:", a.Code)
	case <-time.After(50 * time.Millisecond):
	}
	second := c.start(sendTo("Stuck", 0, "", "waits as long, from now"))
	r.parkedNow(2)
	ahead.Store(int64(time.Hour) + int64(time.Minute))
	r.broker.wakeParked()
	want(t, await(t, first), remoting.RespFlushDiskTimeout, "")
	stuck.Store(false)
	r.broker.wakeParked()
	want(t, await(t, second), 0, "")
}

// TestParkedAnswersAreBounded: while the log passes nothing, sends are stored until their answers take what they may, the others wait, and
// all are answered when it goes on.
func TestParkedAnswersAreBounded(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, root: t.TempDir()}
	r.startRoutes("127.0.0.1", 0)
	var stuck atomic.Bool
	r.startWith(Options{Loops: 1}, func(b *Broker) {
		loaded := b.visible
		b.visible = func() int64 {
			if stuck.Load() {
				return 0
			}
			return loaded()
		}
		b.loops[0].parked.limit = 8 << 10
	}, "syncFlushTimeout=3600000")
	c := r.dial()
	want(t, c.call(sendTo("Bound", 0, "", "first")), 0, "")
	stuck.Store(true)
	const sends = 400
	var answers []<-chan *remoting.Command
	for range sends {
		answers = append(answers, c.start(sendTo("Bound", 0, "", "x")))
	}
	until(t, "a bound that is met", func() bool { return r.broker.store.MaxOffset([]byte("Bound"), 0) > 10 })
	// Another connection of the loop is served behind all that was read, and its sends wait as well.
	behind := r.dial()
	behind.call(remoting.NewRequest(remoting.CodeGetAllTopicConfig))
	last := behind.start(sendTo("Bound", 0, "", "last"))
	r.dial().call(remoting.NewRequest(remoting.CodeGetAllTopicConfig))
	if n := r.broker.store.MaxOffset([]byte("Bound"), 0); n > sends/4 {
		t.Fatal(n, "were stored")
	}
	stuck.Store(false)
	r.broker.wakeParked()
	for i, a := range answers {
		got := await(t, a)
		if want(t, got, 0, ""); got.Text("queueId") != "0" {
			t.Fatal(i, names(got))
		}
	}
	want(t, await(t, last), 0, "")
}

// parkedNow waits until so many answers wait for the log.
func (r *rig) parkedNow(n int) {
	r.t.Helper()
	until(r.t, fmt.Sprint(n, " answers parked"), func() bool {
		r.broker.mu.Lock()
		perLoop := map[int]*netpoll.Conn{}
		for _, c := range r.broker.conns {
			perLoop[c.Loop()] = c
		}
		r.broker.mu.Unlock()
		all, counts := 0, make(chan int, len(perLoop))
		asked := 0
		for i, c := range perLoop {
			if c.Do(func() { counts <- int(r.broker.loop(i).parked.count()) }) == nil {
				asked++
			}
		}
		for range asked {
			all += <-counts
		}
		return all == n
	})
}

func (b *Broker) visible0() int64 { return b.store.Visible().Load() }

func TestOnewayIsNeverAnswered(t *testing.T) {
	r := newRig(t)
	w := r.wire()
	var frames []byte
	for i, cmd := range []*remoting.Command{sendTo("One", 0, "", "x"), sendTo("bad topic", 0, "", "x"), request(9999), request(remoting.CodeSearchOffsetByTimestamp), request(remoting.CodePullMessage), request(remoting.CodeGetMaxOffset, "queueId", "x")} {
		cmd.Flag |= remoting.FlagOneway
		frames = append(frames, encodedAs(int32(i), cmd)...)
	}
	frames = append(frames, encodedAs(77, sendTo("One", 0, "", "y"))...)
	w.exchange(frames, 1)
	if a := w.answer(); a.Opaque != 77 || a.Code != 0 || a.Text("queueOffset") != "1" {
		t.Fatal(a.Opaque, a.Code, string(a.Remark), a.Text("queueOffset"))
	}
}

func TestRequestsThatAreNotServed(t *testing.T) {
	r := newRig(t)
	want(t, r.dial().call(request(9999)), remoting.RespRequestCodeNotSupported, " request type 9999 not supported")
	fast := r.dialFast()
	want(t, fast.call(pullOf("CG", "TBW102", 0, 0, "*", 0)), remoting.RespRequestCodeNotSupported, " request type 11 not supported")
	want(t, fast.call(sendTo("Fast", 0, "", "x")), 0, "")
}

func TestDelayedMessageArrivesInItsQueue(t *testing.T) {
	r := newRig(t, "messageDelayLevel=0s 1h")
	c := r.dial()
	want(t, c.call(sendTo("Later", 2, "DELAY\x011\x02TAGS\x01A\x02", "soon")), 0, "")
	want(t, c.call(sendTo("Later", 2, "DELAY\x0199\x02", "in an hour")), 0, "")
	got := await(t, c.start(pullOf("CG", "Later", 2, 0, "*", time.Minute)))
	var m record.Record
	if err := m.Parse(got.Body); err != nil || string(m.Body) != "soon" || int(m.TotalSize) != len(got.Body) {
		t.Fatal(got.Code, string(got.Remark), err, string(m.Body))
	}
	// The first may have come to its topic before the second was in its queue.
	until(t, "one message waits an hour", func() bool { return r.broker.store.MaxOffset([]byte("SCHEDULE_TOPIC_XXXX"), 1) == 1 })
}

// batchBody is the body of a batch of n messages.
func batchBody(n int) string {
	var b []byte
	for range n {
		b = append(b, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 'b', '1', 0, 0)
	}
	return string(b)
}

func TestBatches(t *testing.T) {
	r := newRig(t)
	kept := remoting.NewTopicConfig("Kept", 1, 6)
	kept.Attributes = map[string]string{"queue.type": "BatchCQ"}
	r.broker.topics.Put(kept)
	c := r.dial()
	batch := func(topic, properties string, n int) *remoting.Command {
		cmd := sendTo(topic, 0, properties, batchBody(n))
		cmd.Code = remoting.CodeSendBatchMessage
		r := cmd.Ext[len(cmd.Ext)-1:]
		r[0].Value = []byte("true")
		return c.call(cmd)
	}
	a := batch("Parts", "", 3)
	want(t, a, 0, "")
	if len(strings.Split(a.Text("msgId"), ",")) != 3 || a.Text("queueOffset") != "0" {
		t.Fatal(a.Text("msgId"))
	}
	r.visibleMax("Parts", 0, 3)
	for range 2 {
		a = batch("Kept", "UNIQ_KEY\x01U\x02", 3)
		want(t, a, 0, "")
		if a.Text("batchUniqId") != "U" || len(a.Text("msgId")) != 32 {
			t.Fatal(names(a))
		}
	}
	if a.Text("queueOffset") != "3" {
		t.Fatal(a.Text("queueOffset"))
	}
	r.visibleMax("Kept", 0, 6)
	got := c.call(pullOf("G", "Kept", 0, 4, "*", 0))
	var m record.Record
	if err := m.Parse(got.Body); err != nil || m.QueueOffset != 3 || string(m.Body) != batchBody(3) {
		t.Fatal(got.Code, string(got.Remark), err, m.QueueOffset)
	}
}
