package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Produce sends messages to a broker and reports how it went. onTick, if not nil, is called once a counted second. A connection
// that is lost is an error in the report; when all are, the run ends early, and what was counted until then is reported.
func Produce(ctx context.Context, w Workload, onTick func(Second)) (*Report, error) {
	opened, err := w.open(ctx, madeTopics, nil)
	if err != nil {
		return nil, err
	}
	m := newMeter(opened, onTick)
	p, err := newProducer(ctx, opened, m.gauge())
	if err != nil {
		return nil, err
	}
	defer p.ls.Close()
	err = m.beside(ctx, p.run)
	if err != nil && !m.lost(err) {
		return nil, err
	}
	r := m.report("produce")
	if r.Stopped = m.stopped(ctx); err != nil && r.Stopped == "" {
		r.Stopped = after("ended", m.ended.Sub(m.began), m.length) + ": no connection was left"
	}
	p.warn(r)
	return r, nil
}

// follower is told what a producer sends and what comes back, so that it can tell its messages when they are read. The
// producer's goroutine calls it.
type follower interface {
	// begin comes before the bodies of a request; at is when it is sent, or should have been, on the clock of the producer's lines.
	begin(line int, slot int32, queue int, at time.Duration)
	// write may overwrite the beginning of each body.
	write(body []byte)
	answered(line int, slot, code int32, frame []byte) error
}

// producer drives all connections of a workload from one goroutine. Nothing is allocated per message.
type producer struct {
	w       *Workload
	g       *gauge
	ls      *netpoll.Lines
	lines   []*sendLine
	stencil map[int]*stencil // by topic and number of digits of the queue
	item    *itemStencil
	rng     *rand.Rand
	pool    []byte // bodies are cut out of it
	batch   []byte
	enc     remoting.Encoding

	pace   *openLoop // nil: closed loop
	next   int       // line that an open loop looks at first
	queue  int       // of all topics' queues, the next one
	serial uint64
	runID  uint64
	bornMs int64

	follow   follower      // nil: nobody
	left     int           // messages to send; below 0: without end
	refused  int           // requests of those
	inFlight int           // requests
	settle   time.Duration // at the end, answers are waited for so long
	ending   bool          // nothing is sent any more

	lost       int   // connections
	unanswered int   // requests that were in flight on them
	lastLoss   error // nil: none
}

// sendLine is one connection's requests in flight.
type sendLine struct {
	line *netpoll.Line
	lost bool
	free []int32         // slots not in flight; none once it is lost
	sent []time.Duration // by slot: when its request was sent, or should have been
	size []int           // by slot: bytes of its bodies
	n    []int           // by slot: messages
}

func newProducer(ctx context.Context, w *Workload, g *gauge) (*producer, error) {
	ls, err := netpoll.NewLines()
	if err != nil {
		return nil, err
	}
	p := &producer{w: w, g: g, ls: ls, stencil: map[int]*stencil{}, enc: w.encoding(), runID: rand.Uint64(), left: -1, rng: rand.New(rand.NewPCG(1, 2))}
	for p.pool = filler(); len(p.pool) < poolBytes+w.Sizes.Largest(); {
		p.pool = append(p.pool[:len(p.pool):len(p.pool)], filler()...)
	}
	if w.Batch > 1 {
		p.item = newItemStencil(w)
	}
	if w.Rate > 0 {
		p.pace = newOpenLoop(w.Rate/float64(w.Batch), w.Poisson, p.rng, 0, 1)
	}
	for range w.Conns {
		line, err := ls.Dial(ctx, w.Addr)
		if err != nil {
			ls.Close()
			return nil, err
		}
		l := &sendLine{line: line, sent: make([]time.Duration, w.Window), size: make([]int, w.Window), n: make([]int, w.Window), free: make([]int32, w.Window)}
		for i := range l.free {
			l.sent[i] = -1
			l.free[i] = int32(w.Window - 1 - i)
		}
		p.lines = append(p.lines, l)
	}
	return p, nil
}

// idleWait is how long the generator sleeps when nothing happens, so that it notices its end.
const idleWait = 20 * time.Millisecond

func (p *producer) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	netpoll.KeepTime()
	start := p.ls.Now()
	if p.pace == nil {
		p.g.mu.Lock()
		p.bornMs = time.Now().UnixMilli()
		for _, l := range p.lines {
			p.fill(l, start)
		}
		p.g.mu.Unlock()
	}
	for ctx.Err() == nil && (p.left != 0 || p.inFlight > 0) {
		wait := idleWait
		if p.pace != nil {
			p.g.mu.Lock()
			wait = min(p.launch(start), idleWait)
			p.g.mu.Unlock()
		} else if p.w.Oneway { // no answer makes room: the socket does
			p.g.mu.Lock()
			for _, l := range p.lines {
				p.fill(l, start)
			}
			p.g.mu.Unlock()
			wait = onewayWait
		}
		if err := p.poll(wait); err != nil {
			return err
		}
	}
	p.ending = true
	for until := p.ls.Now() + p.settle; p.inFlight > 0 && p.ls.Now() < until; {
		if err := p.poll(idleWait); err != nil {
			return err
		}
	}
	return nil
}

// poll takes answers, and in a closed loop sends on.
func (p *producer) poll(timeout time.Duration) error {
	err := take(p.ls, p.g, timeout, p.setBorn, p.answered)
	for _, l := range p.lines {
		if !l.lost && l.line.Err() != nil {
			p.lose(l)
		}
	}
	if err == nil && p.lost == len(p.lines) {
		err = fmt.Errorf("no connection of %d is left: %w", p.lost, &lossError{p.lastLoss})
	}
	return err
}

func (p *producer) setBorn() { p.bornMs = time.Now().UnixMilli() }

// lose goes on without a connection that has ended. Of a fixed number of messages, those in flight on it are sent again.
func (p *producer) lose(l *sendLine) {
	p.g.mu.Lock()
	defer p.g.mu.Unlock()
	p.g.failed("connection lost")
	n, messages := len(l.sent)-len(l.free), 0
	for slot, at := range l.sent {
		if at >= 0 {
			messages += l.n[slot]
		}
	}
	l.lost, l.free = true, nil
	p.lost, p.lastLoss = p.lost+1, l.line.Err()
	p.unanswered += n
	p.inFlight -= n
	if p.left < 0 {
		return
	}
	p.left += messages
	for _, other := range p.lines {
		if p.pace == nil {
			p.fill(other, p.ls.Now())
		}
	}
}

// warn says which connections were lost.
func (p *producer) warn(r *Report) {
	if p.lost > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %s lost, with %s in flight; of the last one: %v", p.lost, plural(len(p.lines), "connection"), plural(p.unanswered, "request"), &lossError{p.lastLoss}))
	}
}

func (p *producer) answered(line *netpoll.Line, frame []byte) error {
	l := p.lines[line.Index()]
	code, opaque, err := peek(frame)
	if err != nil {
		return err
	}
	slot := opaque - firstOpaque
	if slot < 0 || int(slot) >= len(l.sent) || l.sent[slot] < 0 {
		return fmt.Errorf("bench: an answer to request %d, which is not in flight", opaque)
	}
	now := p.ls.ReadAt()
	if code == remoting.RespSuccess {
		p.g.done(now-l.sent[slot], l.n[slot], l.size[slot])
	} else if err := p.rejected(code, l.n[slot], frame); err != nil {
		return err
	}
	if p.follow != nil {
		if err := p.follow.answered(l.line.Index(), slot, code, frame); err != nil {
			return err
		}
	}
	p.inFlight--
	l.sent[slot] = -1
	l.free = append(l.free, slot)
	if p.pace == nil {
		p.fill(l, now)
	}
	return nil
}

// rejected counts a request that failed; of a fixed number of messages it has to be sent again.
func (p *producer) rejected(code int32, messages int, frame []byte) error {
	p.g.refused("", code, frame)
	if p.left < 0 {
		return nil
	}
	p.left += messages
	if p.refused++; p.refused > maxRefused {
		return fmt.Errorf("bench: %d sends were refused, the last one with %s", p.refused, codeText(code))
	}
	return nil
}

// maxRefused is how many refusals a fixed number of messages may meet: a broker that is busy for a moment is no failure.
const maxRefused = 2000

// more says whether there is anything to send.
func (p *producer) more() bool { return !p.ending && p.left != 0 }

// fill sends on one connection until its window is full.
func (p *producer) fill(l *sendLine, at time.Duration) {
	for len(l.free) > 0 && p.more() {
		p.send(l, at)
		if p.w.Oneway && l.line.Unsent() > onewayUnsent {
			return
		}
	}
}

const (
	onewayUnsent = 1 << 20
	onewayWait   = 100 * time.Microsecond
)

// launch sends what is due, and returns how long it is until the next. What finds no free slot waits, and its latency counts
// from when it was due.
func (p *producer) launch(start time.Duration) time.Duration {
	p.bornMs = time.Now().UnixMilli()
	for {
		now := p.ls.Now()
		due := start + p.pace.due()
		if due > now {
			return due - now
		}
		l := p.idle()
		if l == nil {
			return idleWait
		}
		p.send(l, due)
		p.pace.advance()
	}
}

// idle finds a connection with room in its window, taking turns.
func (p *producer) idle() *sendLine {
	for range p.lines {
		l := p.lines[p.next]
		p.next = (p.next + 1) % len(p.lines)
		if len(l.free) > 0 {
			return l
		}
	}
	return nil
}

// send puts out one request.
func (p *producer) send(l *sendLine, at time.Duration) {
	slot := l.free[len(l.free)-1]
	if !p.w.Oneway {
		l.free = l.free[:len(l.free)-1]
	}
	n := p.w.Batch
	if p.left > 0 { // the last one has what is left: a number that is asked for is sent exactly
		n = min(n, p.left)
		p.left -= n
	}
	l.sent[slot], l.size[slot], l.n[slot] = at, 0, n
	all := p.w.Topics * p.w.Queues
	index := p.queue
	topic, queue := index%p.w.Topics, index/p.w.Topics
	p.queue = (p.queue + 1) % all
	if p.follow != nil {
		p.follow.begin(l.line.Index(), slot, index, at)
	}
	r := request{opaque: slot, queue: queue, bornMs: p.bornMs, serial: p.serial, run: p.runID}
	s := p.stencilFor(topic, queue)
	out := l.line.Out()
	if p.item == nil {
		body := p.body()
		l.size[slot] = len(body)
		out = append(s.append(out, &r, p.enc, len(body)), body...)
		p.wrote(out[len(out)-len(body):])
	} else {
		p.batch = p.batch[:0]
		for i := range n {
			body, at := p.body(), len(p.batch)+itemBodyAt
			p.batch = p.item.append(p.batch, body, p.runID, r.serial+uint64(i))
			p.wrote(p.batch[at : at+len(body)])
			l.size[slot] += len(body)
		}
		out = append(s.append(out, &r, p.enc, len(p.batch)), p.batch...)
	}
	p.serial += uint64(n)
	l.line.PutOut(out)
	if p.w.Oneway {
		p.g.done(1, n, l.size[slot])
	} else {
		p.inFlight++
	}
}

func (p *producer) wrote(body []byte) {
	if p.follow != nil {
		p.follow.write(body)
	}
}

func (p *producer) stencilFor(topic, queue int) *stencil {
	digits := 1
	for q := queue; q >= 10; q /= 10 {
		digits++
	}
	key := topic*8 + digits
	s := p.stencil[key]
	if s == nil {
		s = newStencil(p.w, p.w.topic(topic), digits)
		p.stencil[key] = s
	}
	return s
}
