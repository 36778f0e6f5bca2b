package broker

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/record"
)

// onLoop serves a request on its connection's loop and sees to its answer. It must not block.
type onLoop func(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict

// onWorker serves a request of its own copy, on a worker, and returns the answer.
type onWorker func(c *netpoll.Conn, req *remoting.Command) answer

// handler is one of the two.
type handler struct {
	loop   onLoop
	worker onWorker
	slow   bool // on few workers of its own
	main   bool // not on the second port
	admin  bool // for whom the gate admits
}

// answer is a whole response, for requests that are not hot.
type answer struct {
	Code   int32
	Remark string
	Fields []answerField
	Body   []byte
}

type answerField struct{ Key, Value string }

func fail(code int32, remark string) answer { return answer{Code: code, Remark: remark} }

func withBody(b []byte) answer { return answer{Body: b} }

func withInt(key string, v int64) answer {
	return answer{Fields: []answerField{{key, strconv.FormatInt(v, 10)}}}
}

// maxBodyBytes is how long the body of an answer may be: it goes in one frame, with its fields and remark.
const maxBodyBytes = remoting.MaxFrameBytes - 64<<10

// append appends the frame that answers req. A body that no frame holds is refused: the peer would lose the connection over it.
func (a answer) append(dst []byte, req *remoting.Command) []byte {
	if len(a.Body) > maxBodyBytes {
		a = fail(remoting.RespSystemError, fmt.Sprintf("The answer would have %d bytes; a frame holds %d.", len(a.Body), maxBodyBytes))
	}
	r := remoting.BeginReply(dst, req.Encoding, req.Opaque, a.Code)
	r.Remark(cutRemark(a.Remark))
	for _, f := range a.Fields {
		r.Str(f.Key, f.Value)
	}
	r.Body(a.Body)
	return r.End()
}

// maxRemarkBytes is how long a remark may be. Many repeat what they were asked for, and that has no bound.
const maxRemarkBytes = 8 << 10

func cutRemark(s string) string {
	if len(s) <= maxRemarkBytes {
		return s
	}
	return strings.ToValidUTF8(s[:maxRemarkBytes], "") + "..."
}

// smallAnswerBytes is how long an answer may be when memory is short.
const smallAnswerBytes = 4 << 10

// encode appends the frame that answers req: busy in place of a long answer that there is no memory for. Any goroutine.
func encode(dst []byte, c *netpoll.Conn, req *remoting.Command, a answer) []byte {
	start := len(dst)
	dst = a.append(dst, req)
	if len(dst)-start > smallAnswerBytes && c.Spent() {
		dst = busy.append(dst[:start], req)
	}
	return dst
}

// maxCode is the highest request code served, and some more.
const maxCode = 1 << 11

// handlerOf finds the handler of a code, nil if it is not served.
func (b *Broker) handlerOf(code int32) *handler {
	if uint32(code) >= maxCode {
		return nil
	}
	hd := &b.handlers[code]
	if hd.loop == nil && hd.worker == nil {
		return nil
	}
	return hd
}

// table is the index of this package: request code to function.
func (b *Broker) table() *[maxCode]handler {
	t := &[maxCode]handler{
		remoting.CodeSendMessage:             {loop: b.send},
		remoting.CodeSendMessageV2:           {loop: b.send},
		remoting.CodeSendBatchMessage:        {loop: b.send},
		remoting.CodePullMessage:             {loop: b.pull, main: true},
		remoting.CodeLitePullMessage:         {loop: b.pull, main: true},
		remoting.CodeQueryConsumerOffset:     {loop: b.quick(b.queryConsumerOffset)},
		remoting.CodeUpdateConsumerOffset:    {loop: b.quick(b.updateConsumerOffset)},
		remoting.CodeGetMaxOffset:            {loop: b.quick(b.maxOffset)},
		remoting.CodeGetMinOffset:            {loop: b.quick(b.minOffset)},
		remoting.CodeSearchOffsetByTimestamp: {worker: b.searchOffset},
		remoting.CodeGetEarliestMsgStoretime: {worker: b.earliestTime},
		remoting.CodeHeartBeat:               {loop: b.bySize(b.heartbeat, b.largeHeartbeat)},
		remoting.CodeUnregisterClient:        {loop: b.quick(b.unregisterClient)},
		remoting.CodeGetConsumerListByGroup:  {loop: b.quick(b.consumerList)},
		remoting.CodeCheckClientConfig:       {loop: b.bySize(b.checkClientConfig, b.checkClientConfig)},
		remoting.CodeLockBatchMq:             {loop: b.bySize(b.lockQueues, b.lockQueues)},
		remoting.CodeUnlockBatchMq:           {loop: b.bySize(b.unlockQueues, b.unlockQueues)},
		remoting.CodeConsumerSendMsgBack:     {loop: b.sendBack},
		remoting.CodeQueryMessage:            {worker: b.queryMessage, slow: true},
		remoting.CodeViewMessageById:         {worker: b.viewMessage},
	}
	for _, table := range []map[int32]onWorker{b.adminTable(), b.haTable()} {
		for code, fn := range table {
			t[code] = handler{worker: fn}
		}
	}
	for code, fn := range b.settledTable() {
		t[code] = handler{loop: b.settledLater(fn)}
	}
	for code, fn := range b.relayTable() {
		t[code] = handler{loop: fn}
	}
	if b.slave {
		for code, hd := range b.notHere() {
			t[code] = hd
		}
	}
	for code := range t {
		t[code].admin = remoting.IsAdmin(int32(code))
	}
	return t
}

// quick makes a handler that answers at once out of a function.
func (b *Broker) quick(fn onWorker) onLoop {
	return func(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
		b.reply(c, req, fn(c, req))
		return netpoll.Done
	}
}

// reply answers on the loop.
func (b *Broker) reply(c *netpoll.Conn, req *remoting.Command, a answer) {
	code := req.Code
	if b.handlerOf(code) == nil {
		code = stats.UnknownRequest
	}
	b.loop(c.Loop()).figures.answered(stats.RpcKey{Request: code, Response: a.Code, Oneway: req.IsOneway()})
	if !req.IsOneway() {
		c.PutOut(encode(c.Out(), c, req, a))
	}
}

// handlerSide is the broker as netpoll sees it.
type handlerSide struct{ b *Broker }

const fastListener = 1

// Serve implements netpoll.Handler.
func (h *handlerSide) Serve(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	b := h.b
	b.loop(c.Loop()).now() // turns with requests in them are counted
	hd := b.handlerOf(req.Code)
	switch {
	case hd == nil || hd.main && c.Listener() == fastListener:
		b.reply(c, req, fail(remoting.RespRequestCodeNotSupported, " request type "+strconv.Itoa(int(req.Code))+" not supported"))
		return netpoll.Done
	case hd.admin && !b.admits(c, req):
		b.reply(c, req, fail(remoting.RespNoPermission, b.gate.Refusal(c, req)))
		return netpoll.Done
	case hd.loop != nil:
		return hd.loop(c, req)
	}
	pool := b.workers
	if hd.slow {
		pool = b.few
	}
	return b.serveOn(pool, c, req, hd.worker)
}

// serveOn serves a request on a worker of a pool.
func (b *Broker) serveOn(pool *netpoll.Workers, c *netpoll.Conn, req *remoting.Command, fn onWorker) netpoll.Verdict {
	came := b.loop(c.Loop()).now()
	ok := pool.TryClone(req, func(own *remoting.Command) {
		a := fn(c, own)
		if !own.IsOneway() {
			_ = c.Give(encode(nil, c, own, a))
		}
		b.answeredElsewhere(own, a.Code, came)
	})
	if !ok {
		b.reply(c, req, busy)
	}
	return netpoll.Done
}

var busy = fail(remoting.RespSystemBusy, "[OVERLOAD]system busy, start flow control for a while")

// Opened implements netpoll.Handler. A connection that comes while Start has not yet noted where it listens waits that moment.
func (h *handlerSide) Opened(c *netpoll.Conn) {
	<-h.b.listening
	c.SetState(&connState{use: usage{c: c}})
	h.b.mu.Lock()
	h.b.conns[c.ID()] = c
	h.b.mu.Unlock()
}

// Closed implements netpoll.Handler.
func (h *handlerSide) Closed(c *netpoll.Conn, _ error) {
	h.b.mu.Lock()
	delete(h.b.conns, c.ID())
	h.b.mu.Unlock()
	h.b.holds.closed(c)
	h.b.forgetSlowed(c)
	l, state := h.b.loop(c.Loop()), c.State().(*connState)
	state.sends.urgent = true
	h.b.drain(c)
	h.b.clientGone(c)
	l.leave(&state.use)
	l.turnEnded() // netpoll ends no turn for this
}

// Woken implements netpoll.Handler.
func (h *handlerSide) Woken(loop int) {
	l := h.b.loop(loop)
	l.woken = true
	l.runReady()
	l.runPutOff()
}

// conn finds an open connection.
func (b *Broker) conn(id uint64) *netpoll.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conns[id]
}

// connState is what the broker keeps with a connection; its loop's own.
type connState struct {
	sends  sendQueue
	held   *heldPull // the first of those that wait or are on their way to the loop
	helds  int       // how many
	use    usage
	slowed slowedPulls
}

// loopState is what requests of one loop share: scratch memory and the answers that wait for the log. Its loop's own, but for
// what is said otherwise.
type loopState struct {
	b     *Broker
	index int
	turn  time.Duration // Broker.uptime in this turn; 0: nobody has asked yet

	send       *remoting.SendHeader // of the send at hand
	message    store.Message
	known      record.Known // of the properties of the send at hand
	properties []byte
	delayed    []byte
	places     []store.Placed
	topics     topicMemo
	counted    []*knownTopic // with figures that are not counted yet
	appends    *store.Turn
	parked     parking
	figures    figures
	came       time.Duration // Broker.uptime of the send at hand
	user       *usage        // and whose it is
	dead       bool          // the send at hand becomes a dead letter
	woken      bool          // answers are to be looked at in this turn, whether the log is safe up to them or not
	releases   atomic.Bool   // it is about to look at its parked answers; any goroutine reads it

	pull      remoting.PullHeader
	want      store.Want
	tags      tagFilter
	head      []byte // of the newest answer with records
	headRoom  int    // bytes of it
	ready     readyPulls
	putOff    putOffPulls
	built     int // bytes of the answers to pulls made in this turn
	warm      int // bytes that pulls of this turn may still take from the page cache
	freeHelds []*heldPull

	users []*usage    // that have used something since the loop last told
	ticks int64       // Broker.ticks when it did
	owes  atomic.Bool // there are users, so the next tick shall find the loop awake; any goroutine may look
}

// now is Broker.uptime, the same all through a turn.
func (l *loopState) now() time.Duration {
	if l.turn == 0 {
		l.turn = max(l.b.uptime(), 1)
	}
	return l.turn
}

// turnEnded is called after every turn of the loop.
func (l *loopState) turnEnded() {
	for i, t := range l.counted {
		t.puts.Flush()
		l.counted[i] = nil
	}
	l.counted = l.counted[:0]
	l.handOver()
	// The log may pass in here what this loop waits for; it looks for itself right away.
	l.releases.Store(true)
	l.appends.End()
	l.releases.Store(false)
	l.release()
	if n := l.parked.count(); n != l.figures.parkedNow {
		l.figures.parkedNow = n
		l.figures.parked.Store(n)
	}
	l.figures.turnEnded(l.turn, l.b.uptime)
	l.tellUsed()
	l.turn, l.woken, l.built, l.warm = 0, false, 0, warmBytes
}

// loop returns the state of a loop. The states are made before the first connection is served.
func (b *Broker) loop(i int) *loopState { return b.loops[i] }
