package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// ending is what a puller does at the end of a queue.
type ending int

const (
	follow  ending = iota // waits there for more, with the broker holding the pull
	leave                 // is finished with the queue
	restart               // begins again where it began
)

// puller reads all queues from one goroutine, with one pull in flight for each of each group: a queue here is one as a group sees it. Nothing
// is allocated per message.
type puller struct {
	w      *Workload
	g      *gauge
	ls     *netpoll.Lines
	lines  []*pullLine
	queues []pullQueue    // those of the first group, then those of the second
	ask    []*pullStencil // by group, and in it by topic
	hold   []*pullStencil
	cmd    remoting.Command
	rec    record.Record
	end    ending
	later  []pause // queues that have to wait, the longest waiting first
	open   int     // queues not finished with
	lag    int64   // messages between where it reads and the end of the queues, as last told

	// visit, if not nil, gets every message, valid until it returns, and the queue, of the first group. With visitCounts it counts them too.
	visit       func(queue int, r *record.Record)
	visitCounts bool

	caughtUp bool  // the end of some queue was reached
	rounds   int64 // times that a queue was begun again
	stuck    int   // queues left before their end, because nothing came any more
}

// pullQueue is one queue's state.
type pullQueue struct {
	line      *pullLine
	next      int64 // offset
	first     int64 // where reading began
	end       int64 // where it ends, with leave
	lag       int64
	sent      time.Duration
	fails     int // in a row
	inFlight  bool
	held      bool // what is in flight may be held, and is outside the window
	atEnd     bool
	got       bool // something since the last restart
	abandoned bool
}

type pause struct {
	queue int
	until time.Duration
}

// pullLine is one connection. Queues that find its window full take turns.
type pullLine struct {
	line     *netpoll.Line
	inFlight int     // without held ones
	ready    []int32 // a ring with room for every queue of the connection
	head     int
	waiting  int
}

const (
	pauseAfterFailure = 100 * time.Millisecond
	maxFails          = 50 // in a row, before a queue that is to be left at its end is left early
)

// newPuller connects; from says where reading begins and, with leave, ends, for every group. Close p.ls.
func newPuller(ctx context.Context, w *Workload, g *gauge, end ending, from []span) (*puller, error) {
	ls, err := netpoll.NewLines()
	if err != nil {
		return nil, err
	}
	p := &puller{w: w, g: g, ls: ls, end: end, queues: make([]pullQueue, len(from)*w.Groups)}
	for range min(w.Conns, len(p.queues)) {
		line, err := ls.Dial(ctx, w.Addr)
		if err != nil {
			ls.Close()
			return nil, err
		}
		p.lines = append(p.lines, &pullLine{line: line})
	}
	for q := range p.queues {
		s := from[q%len(from)]
		l := p.lines[q%len(p.lines)]
		l.ready = append(l.ready, 0)
		p.queues[q] = pullQueue{line: l, next: s.low, first: s.low, end: s.high, atEnd: s.low >= s.high, abandoned: end == leave && s.low >= s.high}
		if !p.queues[q].abandoned {
			p.open++
		}
	}
	for g := range w.Groups {
		for i := range w.Topics {
			p.ask = append(p.ask, newPullStencil(w, w.group(g), w.topic(i), false))
			p.hold = append(p.hold, newPullStencil(w, w.group(g), w.topic(i), true))
		}
	}
	return p, nil
}

// run reads until ctx has ended or, with leave, everything was read.
func (p *puller) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	netpoll.KeepTime()
	for q := range p.queues {
		if !p.queues[q].abandoned {
			p.pull(q)
		}
	}
	for ctx.Err() == nil && p.open > 0 {
		for len(p.later) > 0 && p.later[0].until <= p.ls.Now() {
			q := p.later[0].queue
			p.later = p.later[:copy(p.later, p.later[1:])]
			p.pull(q)
		}
		if err := p.poll(idleWait); err != nil {
			return err
		}
	}
	return nil
}

// poll takes answers; the gauge is locked meanwhile.
func (p *puller) poll(timeout time.Duration) error {
	err := take(p.ls, p.g, timeout, nil, p.answered)
	for _, l := range p.lines {
		if err == nil && l.line.Err() != nil {
			err = fmt.Errorf("connection %d of %d: %w", l.line.Index()+1, len(p.lines), l.line.Err())
		}
	}
	return err
}

// pull asks for more of a queue, or has it wait for a place in its connection's window.
func (p *puller) pull(q int) {
	pq := &p.queues[q]
	l := pq.line
	if pq.held = pq.atEnd && p.end == follow; pq.held {
		p.send(q)
		return
	}
	l.ready[(l.head+l.waiting)%len(l.ready)] = int32(q)
	l.waiting++
	p.pump(l)
}

func (p *puller) pump(l *pullLine) {
	for l.inFlight < p.w.Window && l.waiting > 0 {
		q := int(l.ready[l.head])
		l.head, l.waiting = (l.head+1)%len(l.ready), l.waiting-1
		l.inFlight++
		p.send(q)
	}
}

func (p *puller) send(q int) {
	pq := &p.queues[q]
	pq.inFlight, pq.sent = true, p.ls.Now()
	of := len(p.queues) / p.w.Groups
	topic, id := p.w.queueOf(q % of)
	s := q/of*p.w.Topics + topic
	stencil := p.ask[s]
	if pq.held {
		stencil = p.hold[s]
	}
	pq.line.line.PutOut(stencil.append(pq.line.line.Out(), int32(q), id, pq.next))
}

func (p *puller) answered(_ *netpoll.Line, frame []byte) error {
	if err := p.cmd.Decode(frame); err != nil {
		return err
	}
	if !p.cmd.IsResponse() {
		return nil
	}
	q := int(p.cmd.Opaque) - firstOpaque
	if q < 0 || q >= len(p.queues) || !p.queues[q].inFlight {
		return fmt.Errorf("bench: an answer to pull %d, which is not in flight", p.cmd.Opaque)
	}
	pq := &p.queues[q]
	pq.inFlight = false
	if !pq.held {
		pq.line.inFlight--
		defer p.pump(pq.line)
	}
	next, end, ok := p.offsets()
	switch code := p.cmd.Code; {
	case code == remoting.RespSuccess && ok:
		if next <= pq.next { // the same messages would be counted again and again
			p.failed(q, "a pull that found messages does not move on")
			return nil
		}
		p.found(q)
	case (code == remoting.RespPullNotFound || code == remoting.RespPullRetryImmediately || code == remoting.RespPullOffsetMoved) && ok:
	default:
		p.g.refused("pull: ", code, frame)
		p.stalled(q)
		return nil
	}
	p.moved(q, next, end, next != pq.next)
	return nil
}

// offsets are those of an answer.
func (p *puller) offsets() (next, end int64, ok bool) {
	next, ok, err := p.cmd.Int64("nextBeginOffset")
	if !ok || err != nil {
		return 0, 0, false
	}
	end, ok, err = p.cmd.Int64("maxOffset")
	return next, end, ok && err == nil
}

// moved goes on with a queue whose pull was answered.
func (p *puller) moved(q int, next, end int64, progress bool) {
	pq := &p.queues[q]
	if next > pq.next {
		pq.fails = 0
	}
	p.lag += max(0, end-next) - pq.lag
	pq.next, pq.lag, pq.atEnd = next, max(0, end-next), next >= end
	p.caughtUp = p.caughtUp || pq.atEnd
	switch {
	case p.end == leave && next >= pq.end:
		p.finish(q)
	case p.end == restart && pq.atEnd:
		pq.next = pq.first
		if pq.got {
			pq.got = false
			p.rounds++
			p.pull(q)
		} else {
			p.pauseFor(q)
		}
	case progress || pq.atEnd && p.end == follow:
		p.pull(q)
	default:
		p.stalled(q)
	}
}

func (p *puller) finish(q int) {
	p.queues[q].abandoned = true
	p.open--
}

// failed counts a pull that the broker could not serve.
func (p *puller) failed(q int, why string) {
	p.g.failed(why)
	p.stalled(q)
}

// stalled has a queue try again later, or gives it up.
func (p *puller) stalled(q int) {
	pq := &p.queues[q]
	if pq.fails++; p.end == leave && pq.fails >= maxFails {
		p.stuck++
		p.finish(q)
		return
	}
	p.pauseFor(q)
}

func (p *puller) pauseFor(q int) {
	p.later = append(p.later, pause{q, p.ls.Now() + pauseAfterFailure})
}

// found counts the messages of an answer, or shows them.
func (p *puller) found(q int) {
	pq := &p.queues[q]
	pq.got = true
	messages, size := 0, 0
	for body := p.cmd.Body; len(body) > 0; body = body[p.rec.TotalSize:] {
		if err := p.rec.Parse(body); err != nil {
			p.g.failed("pull: " + err.Error())
			break
		}
		messages++
		size += len(p.rec.Body)
		if p.visit != nil {
			p.visit(q%(len(p.queues)/p.w.Groups), &p.rec)
		}
	}
	switch {
	case p.visitCounts:
	case pq.held: // how long it took says when the message came, not how fast the broker is
		p.g.count(messages, size)
	default:
		p.g.done(p.ls.ReadAt()-pq.sent, messages, size)
	}
}
