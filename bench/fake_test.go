package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// fakeBroker keeps messages in memory and can be told to do wrong.
type fakeBroker struct {
	ln net.Listener

	mu       sync.Mutex
	topics   map[string][]*fakeQueue
	groups   map[string]bool // nil: any group is known
	held     []*fakePull
	sends    int
	pulls    int
	asked    int    // for offsets
	enough   func() // called once, with the send of number enoughAt
	enoughAt int
	cond     func() bool // nil, or when it holds stop is called
	stop     func()
	waiter   chan struct{} // closed when so many pulls are held as wanted
	wanted   int
	wrong    fakeWrong
	conns    []net.Conn
}

// fakeWrong says by the number of a send request, from 0, what goes wrong with it; nil: nothing does.
type fakeWrong struct {
	refuse    func(n int) int32 // not stored, and answered with the code, unless that is 0
	doubtful  func(n int) int32 // stored, and answered with the code
	drop      func(n int) bool  // acknowledged, not stored
	hole      func(n int) bool  // acknowledged, not stored, the offset is used up
	duplicate func(n int) bool  // stored twice
	corrupt   func(n int) bool  // stored with another last byte
	swap      func(n int) bool  // stored behind the next one of its queue
	hangUp    func(n int) bool  // the connection ends
	delay     time.Duration     // of every answer to a send
	pull      func(n int) int32 // code of a pull
	still     func(n int) bool  // a pull gets its messages, and is told to come for them again
	blind     int               // so many questions for offsets are answered as if nothing was there
	groupless bool              // consumer groups have to be made
	greets    bool              // says greet to every request and hangs up
	greet     string
	remark    string // of a refused send
	slave     bool   // it says so, and serves all the same
	secret    int32  // code of questions about itself and its topics, and of making topics
}

func is(f func(int) bool, n int) bool { return f != nil && f(n) }

type fakeQueue struct {
	min, next int64
	messages  []fakeMessage
	waiting   *fakeMessage // swapped: goes in behind the next
}

type fakeMessage struct {
	offset int64
	rec    []byte
	ack    func(offset int64)
}

// fakePull is a pull that is held.
type fakePull struct {
	c     *fakeConn
	req   *remoting.Command
	timer *time.Timer
}

type fakeConn struct {
	b    *fakeBroker
	conn net.Conn
	mu   sync.Mutex
}

// startFake starts one that does wrong as told from the beginning.
func startFake(t testing.TB, wrong fakeWrong) *fakeBroker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBroker{ln: ln, topics: map[string][]*fakeQueue{}, wrong: wrong}
	if wrong.groupless {
		b.groups = map[string]bool{}
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.conns = append(b.conns, conn)
			b.mu.Unlock()
			c := &fakeConn{b: b, conn: conn}
			all.Go(c.serve)
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		b.mu.Lock()
		for _, c := range b.conns {
			_ = c.Close()
		}
		for _, p := range b.held {
			p.timer.Stop()
		}
		b.mu.Unlock()
		all.Wait()
	})
	return b
}

// until is a context that ends when n sends have come, so that tests do not depend on time.
func (b *fakeBroker) until(t testing.TB, n int) context.Context {
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	b.mu.Lock()
	b.enough, b.enoughAt = stop, b.sends+n
	b.mu.Unlock()
	return ctx
}

// when is a context that ends when a request has been handled after which cond holds; cond may look at b.
func (b *fakeBroker) when(t testing.TB, cond func() bool) context.Context {
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	b.mu.Lock()
	b.cond, b.stop = cond, stop
	b.mu.Unlock()
	return ctx
}

// sent is how many sends have come.
func (b *fakeBroker) sent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sends
}

// allHeld waits until so many pulls are held.
func (b *fakeBroker) allHeld(ctx context.Context, n int) {
	came := make(chan struct{})
	b.mu.Lock()
	if len(b.held) == n {
		close(came)
	} else {
		b.waiter, b.wanted = came, n
	}
	b.mu.Unlock()
	select {
	case <-came:
	case <-ctx.Done():
	}
}

func (b *fakeBroker) addr() string { return b.ln.Addr().String() }

func (c *fakeConn) serve() {
	defer c.conn.Close()
	r := bufio.NewReaderSize(c.conn, 64<<10)
	for {
		head, err := r.Peek(4)
		if err != nil {
			return
		}
		frame := make([]byte, 4+binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(r, frame); err != nil {
			return
		}
		var req remoting.Command
		if err := req.Decode(frame); err != nil {
			return
		}
		if c.b.wrong.greets {
			_, _ = io.WriteString(c.conn, c.b.wrong.greet)
			return
		}
		c.handle(&req)
	}
}

func (c *fakeConn) handle(req *remoting.Command) {
	b := c.b
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() {
		if b.cond != nil && b.cond() {
			b.stop()
		}
	}()
	switch req.Code {
	case remoting.CodeUpdateAndCreateTopic:
		if b.wrong.secret != 0 {
			c.answer(req, b.wrong.secret, nil)
			return
		}
		n, _, _ := req.Int32("writeQueueNums")
		name := req.Text("topic")
		for len(b.topics[name]) < int(n) {
			b.topics[name] = append(b.topics[name], &fakeQueue{})
		}
		c.answer(req, 0, nil)
	case remoting.CodeGetTopicConfig:
		name := req.Text("topic")
		switch n := len(b.topics[name]); {
		case b.wrong.secret != 0:
			c.answer(req, b.wrong.secret, nil)
		case n == 0:
			c.answer(req, remoting.RespTopicNotExist, nil)
		default:
			body, _ := json.Marshal(remoting.NewTopicConfig(name, int32(n), 6))
			c.answer(req, 0, body)
		}
	case remoting.CodeDeleteTopicInBroker:
		delete(b.topics, req.Text("topic"))
		c.answer(req, 0, nil)
	case remoting.CodeGetBrokerConfig:
		role := "ASYNC_MASTER"
		if b.wrong.slave {
			role = "SLAVE"
		}
		c.answer(req, b.wrong.secret, []byte("brokerName=a\nflushDiskType=SYNC_FLUSH\nbrokerRole="+role+"\n"))
	case remoting.CodeGetBrokerRuntimeInfo:
		c.answer(req, b.wrong.secret, []byte(`{"table":{"brokerVersionDesc":"V5_3_3","diskEngine":"pwrite"}}`))
	case remoting.CodeUpdateAndCreateSubscriptiongroup:
		var g remoting.SubscriptionGroupConfig
		if err := remoting.Unmarshal(req.Body, &g); err != nil {
			c.answer(req, remoting.RespSystemError, nil)
			return
		}
		b.groups[g.GroupName] = true
		c.answer(req, 0, nil)
	case remoting.CodeGetMaxOffset, remoting.CodeGetMinOffset:
		q := b.queue(req.Text("topic"), req, "queueId")
		if q == nil {
			c.answer(req, remoting.RespTopicNotExist, nil)
			return
		}
		n := q.next
		if b.asked++; req.Code == remoting.CodeGetMinOffset || b.asked <= b.wrong.blind {
			n = q.min
		}
		c.answer(req, 0, nil, "offset", strconv.FormatInt(n, 10))
	case remoting.CodePullMessage:
		c.pull(req, true)
	case remoting.CodeSendMessage, remoting.CodeSendMessageV2, remoting.CodeSendBatchMessage:
		c.send(req)
	default:
		c.answer(req, remoting.RespRequestCodeNotSupported, nil)
	}
}

func (b *fakeBroker) queue(topic string, req *remoting.Command, key string) *fakeQueue {
	id, _, _ := req.Int32(key)
	if all := b.topics[topic]; id >= 0 && int(id) < len(all) {
		return all[id]
	}
	return nil
}

func (c *fakeConn) answer(req *remoting.Command, code int32, body []byte, fields ...string) {
	if req.IsOneway() {
		return
	}
	r := remoting.BeginReply(nil, req.Encoding, req.Opaque, code)
	for i := 0; i < len(fields); i += 2 {
		r.Str(fields[i], fields[i+1])
	}
	if body != nil {
		r.Body(body)
	}
	frame := r.End()
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.conn.Write(frame)
}

func (c *fakeConn) refuse(req *remoting.Command, code int32, remark string) {
	if req.IsOneway() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.conn.Write(remoting.AppendReply(nil, req.Encoding, req.Opaque, code, remark))
}

// send stores and acknowledges.
func (c *fakeConn) send(req *remoting.Command) {
	b, w := c.b, &c.b.wrong
	n := b.sends
	b.sends++
	if b.enough != nil && n == b.enoughAt {
		b.enough()
	}
	if is(w.hangUp, n) {
		_ = c.conn.Close()
		return
	}
	topic, queueKey, bornKey, propertiesKey := req.Text("b"), "e", "g", "i"
	if req.Code == remoting.CodeSendMessage {
		topic, queueKey, bornKey, propertiesKey = req.Text("topic"), "queueId", "bornTimestamp", "properties"
	}
	q := b.queue(topic, req, queueKey)
	if q == nil {
		c.answer(req, remoting.RespTopicNotExist, nil)
		return
	}
	if w.refuse != nil {
		if code := w.refuse(n); code != 0 {
			c.refuse(req, code, w.remark)
			return
		}
	}
	id, _, _ := req.Int32(queueKey)
	born, _, _ := req.Int64(bornKey)
	r := record.Record{Topic: []byte(topic), QueueID: id, BornTimestamp: born, StoreTimestamp: time.Now().UnixMilli(),
		BornHost: netip.MustParseAddrPort("127.0.0.1:1"), StoreHost: netip.MustParseAddrPort("127.0.0.1:2"), Body: req.Body, Properties: []byte(req.Text(propertiesKey))}
	ack := func(offset int64) {
		code := int32(0)
		if w.doubtful != nil {
			code = w.doubtful(n)
		}
		reply := func() {
			c.answer(req, code, nil, "msgId", "0", "queueId", strconv.Itoa(int(id)), "queueOffset", strconv.FormatInt(offset, 10))
		}
		if w.delay > 0 {
			time.AfterFunc(w.delay, reply)
		} else {
			reply()
		}
	}
	if req.Code != remoting.CodeSendBatchMessage {
		b.store(q, n, &r, ack)
		b.arrived()
		return
	}
	first := q.next
	it, item := record.BatchItems{Rest: req.Body}, record.BatchItem{}
	for it.Next(&item) {
		r.Body, r.Properties = item.Body, item.Properties
		b.store(q, n, &r, func(int64) {})
	}
	ack(first)
	b.arrived()
}

func (b *fakeBroker) store(q *fakeQueue, n int, r *record.Record, ack func(int64)) {
	w := &b.wrong
	if is(w.drop, n) || is(w.hole, n) {
		ack(q.next)
		if is(w.hole, n) {
			q.next++
		}
		return
	}
	m := fakeMessage{rec: record.Append(nil, r, false), ack: ack}
	if is(w.corrupt, n) {
		var own record.Record
		if err := own.Parse(m.rec); err != nil {
			panic(err)
		}
		own.Body[len(own.Body)-1] ^= 1
	}
	if is(w.swap, n) && q.waiting == nil {
		q.waiting = &m
		return
	}
	q.put(m)
	if is(w.duplicate, n) {
		m.rec, m.ack = append([]byte(nil), m.rec...), func(int64) {}
		q.put(m)
	}
	if m := q.waiting; m != nil {
		q.waiting = nil
		q.put(*m)
	}
}

func (q *fakeQueue) put(m fakeMessage) {
	m.offset = q.next
	q.next++
	record.PatchPlaced(m.rec, m.offset, m.offset*1000, time.Now().UnixMilli(), int32(binary.BigEndian.Uint32(m.rec[12:])))
	q.messages = append(q.messages, m)
	m.ack(m.offset)
}

// arrived runs held pulls again whose queue has grown.
func (b *fakeBroker) arrived() {
	all := b.held
	b.held = nil
	for _, p := range all {
		at, _, _ := p.req.Int64("queueOffset")
		if q := b.queue(p.req.Text("topic"), p.req, "queueId"); q.next > at {
			p.timer.Stop()
			p.c.pull(p.req, false)
		} else {
			b.held = append(b.held, p)
		}
	}
}

func (c *fakeConn) pull(req *remoting.Command, mayHold bool) {
	b := c.b
	n := b.pulls
	b.pulls++
	if b.wrong.pull != nil {
		if code := b.wrong.pull(n); code != 0 {
			c.answer(req, code, nil)
			return
		}
	}
	var h remoting.PullHeader
	if err := h.Decode(req); err != nil || h.SysFlag&remoting.PullSubscription == 0 || string(h.Subscription) != "*" {
		c.answer(req, remoting.RespSystemError, nil)
		return
	}
	if b.groups != nil && !b.groups[string(h.ConsumerGroup)] {
		c.answer(req, remoting.RespSubscriptionGroupNotExist, nil)
		return
	}
	q := b.queue(string(h.Topic), req, "queueId")
	if q == nil {
		c.answer(req, remoting.RespTopicNotExist, nil)
		return
	}
	reply := func(code int32, next int64, body []byte) {
		c.answer(req, code, body, "nextBeginOffset", strconv.FormatInt(next, 10), "minOffset", strconv.FormatInt(q.min, 10),
			"maxOffset", strconv.FormatInt(q.next, 10), "suggestWhichBrokerId", "0")
	}
	var body []byte
	next, messages := h.QueueOffset, int32(0)
	for i := sort.Search(len(q.messages), func(i int) bool { return q.messages[i].offset >= next }); i < len(q.messages); i++ {
		if messages == h.MaxMsgNums || len(body) > 256<<10 {
			break
		}
		body, next = append(body, q.messages[i].rec...), q.messages[i].offset+1
		messages++
	}
	switch {
	case h.QueueOffset < q.min:
		reply(remoting.RespPullOffsetMoved, q.min, nil)
	case h.QueueOffset > q.next:
		reply(remoting.RespPullOffsetMoved, q.next, nil)
	case messages > 0:
		if is(b.wrong.still, n) {
			next = h.QueueOffset
		}
		reply(remoting.RespSuccess, next, body)
	case mayHold && h.SysFlag&remoting.PullSuspend != 0:
		p := &fakePull{c: c, req: req}
		p.timer = time.AfterFunc(time.Duration(h.SuspendTimeoutMillis)*time.Millisecond, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			for i := range b.held {
				if b.held[i] == p {
					b.held = append(b.held[:i], b.held[i+1:]...)
					c.pull(req, false)
					return
				}
			}
		})
		if b.held = append(b.held, p); len(b.held) == b.wanted && b.waiter != nil {
			close(b.waiter)
			b.waiter = nil
		}
	default:
		reply(remoting.RespPullNotFound, h.QueueOffset, nil)
	}
}
