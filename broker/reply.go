package broker

import (
	"time"

	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/replica"
)

// parking holds the answers of one loop's sends until the log is safe up to them. Appends of one loop have growing ends, so
// the answers leave in the order in which they came. The frames are made when the message is stored and wait as bytes.
type parking struct {
	frames []byte
	queue  []parkedAnswer
	head   int // in queue
	fresh  int // in queue: the first of this turn
	limit  int // of the bytes that wait: maxParkedBytes

	waiting []func() // sends that wait for answers to leave; called once
}

type parkedAnswer struct {
	c    *netpoll.Conn
	end  int64 // of the record in the log
	from int   // of the frame in frames
	to   int
	kind parkedKind
	came time.Duration // Broker.uptime of the request
	at   time.Duration // and when its message was appended

	handed time.Duration // when the loop had done so with all that it had read at once
}

// maxParkedBytes bounds the answers that wait with one loop, whatever slaves or the disk are up to. Sends wait then as they do when the
// log has no room: many small messages have answers longer than themselves. As much again may be of answers that have left, see compact, and
// a third of it in the queue beside them: some 40 MiB a loop in all.
const maxParkedBytes = 16 << 20

// full says that no more sends should be stored before answers have left.
func (p *parking) full() bool {
	return p.head < len(p.queue) && len(p.frames)-p.queue[p.head].from >= p.limit
}

// resume goes on with the sends that waited for this, once half of the answers have left.
func (p *parking) resume() {
	if len(p.waiting) == 0 || p.head < len(p.queue) && len(p.frames)-p.queue[p.head].from > p.limit/2 {
		return
	}
	all := p.waiting
	p.waiting = nil
	for _, fn := range all {
		fn()
	}
}

// keptFrameBytes bounds the memory that stays with a loop after a burst of answers.
const keptFrameBytes = 4 << 20

// park keeps the frame that was appended to p.frames from an offset on, for a request that came at a time of Broker.uptime.
func (l *loopState) park(c *netpoll.Conn, end int64, from int, kind parkedKind, came time.Duration) {
	p := &l.parked
	p.queue = append(p.queue, parkedAnswer{c: c, end: end, from: from, to: len(p.frames), kind: kind, came: came, at: l.now()})
}

// handOver notes when the turn has appended all that it will. At its end.
func (l *loopState) handOver() {
	p := &l.parked
	if p.fresh == len(p.queue) {
		return
	}
	now := l.b.uptime()
	for i := p.fresh; i < len(p.queue); i++ {
		p.queue[i].handed = now
	}
}

// wakeParked has every loop with waiting answers look whether they may go. Any goroutine.
func (b *Broker) wakeParked() {
	for _, l := range b.loops {
		if l.waitsFor.Load() != 0 {
			b.net.Wake(l.index)
		}
	}
}

// wakePassed has the loops look whose first answer the log has become safe up to; all of them when it has failed. Any goroutine.
func (b *Broker) wakePassed(visible int64, failed error) {
	for _, l := range b.loops {
		if end := l.waitsFor.Load(); end != 0 && (end <= visible || failed != nil) && !l.releases.Load() {
			b.net.Wake(l.index)
		}
	}
}

// release sends the answers that may go, at the end of a turn.
func (l *loopState) release() {
	p := &l.parked
	defer p.resume()
	if p.head == len(p.queue) {
		return
	}
	// Told before it looks: a log that passes a record after this look finds that somebody waits.
	l.tellParked()
	if !l.woken && l.b.visible() < p.queue[p.head].end && l.b.failed() == nil {
		return
	}
	for l.sendParked(); p.head < len(p.queue); {
		first := p.queue[p.head].end
		l.tellParked()
		if first > l.b.visible() && l.b.failed() == nil {
			return
		}
		l.sendParked()
	}
	l.tellParked()
}

// tellParked says what the first parked answer waits for.
func (l *loopState) tellParked() {
	first := int64(0)
	if p := &l.parked; p.head < len(p.queue) {
		first = p.queue[p.head].end
	}
	if l.waitsFor.Load() != first {
		l.waitsFor.Store(first)
	}
}

func (l *loopState) sendParked() {
	p := &l.parked
	// In this order: what the log has passed before it failed is safe.
	failed := l.b.failed()
	visible := l.b.visible()
	now := l.now()
	limit := now - l.b.syncLimit
	copies := l.b.copies.Load()
	var agreed replica.Agreement
	if copies != nil {
		agreed = copies.leader.Agreed()
	}
	for ; p.head < len(p.queue); p.head++ {
		a := &p.queue[p.head]
		code := remoting.RespSuccess
		frame := p.frames[a.from:a.to]
		switch {
		case a.end <= visible && copies == nil:
			a.send(frame)
		case a.end <= visible:
			code = a.copied(copies.short(&agreed, a))
			a.send(coded(frame, code))
		case failed != nil:
			code = remoting.RespSystemError
			a.send(a.lost(frame, failed))
		case copies.slow(a, now):
			code = a.copied(remoting.RespFlushSlaveTimeout)
			a.send(coded(frame, code))
		case a.at < limit:
			code = remoting.RespFlushDiskTimeout
			a.send(a.late(frame))
		default:
			l.compact()
			return
		}
		l.b.store.NotePutTime(now - a.at)
		l.answeredSend(a, code, frame, now)
		a.c = nil
	}
	p.queue, p.head, p.frames = p.queue[:0], 0, p.frames[:0]
	if cap(p.frames) > keptFrameBytes {
		p.queue, p.frames = nil, nil
	}
}

// answeredSend counts an answer, and says so where it took long.
func (l *loopState) answeredSend(a *parkedAnswer, code int32, frame []byte, now time.Duration) {
	took := now - a.came
	if code == remoting.RespSuccess {
		l.figures.stored[a.kind].Add(took.Microseconds())
	} else {
		l.figures.answeredLate(stats.RpcKey{Request: a.kind.code(), Response: code}, took)
	}
	if limit := l.b.inForce.get().slow; took > limit && limit > 0 {
		l.b.slow.send(a, code, frame, now)
	}
}

func (a *parkedAnswer) send(frame []byte) {
	if !a.c.IsClosed() {
		a.c.PutOut(append(a.c.Out(), frame...))
	}
}

// lost is the answer when the log has failed, late the one when it takes too long.
func (a *parkedAnswer) lost(frame []byte, failed error) []byte {
	if a.kind == parkedBack {
		return recode(frame, remoting.RespSystemError, "UNKNOWN_ERROR")
	}
	return recode(frame, remoting.RespSystemError, "store: "+failed.Error())
}

func (a *parkedAnswer) late(frame []byte) []byte {
	if a.kind == parkedBack {
		return recode(frame, remoting.RespSystemError, "FLUSH_DISK_TIMEOUT")
	}
	return recode(frame, remoting.RespFlushDiskTimeout, "")
}

// copied is the code of the answer when the message is safe on this broker and a code says what is wrong with its copies, 0 for nothing. A
// message given back does not wait for copies in stock, and its answer cannot tell of them.
func (a *parkedAnswer) copied(code int32) int32 {
	if a.kind == parkedBack {
		return remoting.RespSuccess
	}
	return code
}

// coded is an answer with a code, which is 0 in the frame.
func coded(frame []byte, code int32) []byte {
	if code == remoting.RespSuccess {
		return frame
	}
	return recode(frame, code, "")
}

// compact moves what still waits to the front, once most has gone.
func (l *loopState) compact() {
	p := &l.parked
	if p.head < 1024 || p.head < len(p.queue)/2 {
		return
	}
	from := p.queue[p.head].from
	p.frames = p.frames[:copy(p.frames, p.frames[from:])]
	left := copy(p.queue, p.queue[p.head:])
	clear(p.queue[left:])
	p.queue, p.head = p.queue[:left], 0
	for i := range p.queue {
		p.queue[i].from -= from
		p.queue[i].to -= from
	}
}

// recode changes the code of a parked answer: rare, so it takes the frame apart again. A plain failure keeps no fields.
func recode(frame []byte, code int32, remark string) []byte {
	var c remoting.Command
	if err := c.Decode(frame); err != nil {
		panic("broker: own frame: " + err.Error())
	}
	c.Code = code
	if remark != "" {
		c.Remark, c.Ext = []byte(remark), nil
	}
	return remoting.AppendCommand(nil, &c)
}
