package broker

import (
	"sync/atomic"
	"time"

	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/replica"
)

// parking holds the answers of one loop's sends until the log is as safe up to them as they ask for. The frames are made when the message
// is stored and wait as bytes.
type parking struct {
	visible parkedLine // for the log's visible watermark
	written parkedLine // for the written one: sends that wait for neither the disk nor copies. A kill must not take back what they were told
	limit   int        // of the bytes that wait: maxParkedBytes

	waiting []func() // sends that wait for answers to leave; called once
}

// parkedLine are answers that wait for one watermark. Appends of one loop have growing ends, so the answers leave in the order in which
// they came.
type parkedLine struct {
	frames []byte
	queue  []parkedAnswer
	head   int          // in queue
	fresh  int          // in queue: the first of this turn
	first  atomic.Int64 // offset that the watermark must have passed for the first of them, 0: there is none; any goroutine reads it
}

// lineOf is the line for the answer to a send with such a WAIT property.
func (p *parking) lineOf(wait []byte) *parkedLine {
	if string(wait) == "false" {
		return &p.written
	}
	return &p.visible
}

func (p *parking) lines() [2]*parkedLine { return [2]*parkedLine{&p.visible, &p.written} }

// bytes is what the answers take that wait.
func (p *parking) bytes() (n int) {
	for _, line := range p.lines() {
		if line.head < len(line.queue) {
			n += len(line.frames) - line.queue[line.head].from
		}
	}
	return n
}

// count is how many answers wait.
func (p *parking) count() (n int64) {
	for _, line := range p.lines() {
		n += int64(len(line.queue) - line.head)
	}
	return n
}

// waits says that there are answers. Any goroutine.
func (p *parking) waits() bool { return p.visible.first.Load() != 0 || p.written.first.Load() != 0 }

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
func (p *parking) full() bool { return p.bytes() >= p.limit }

// resume goes on with the sends that waited for this, once half of the answers have left.
func (p *parking) resume() {
	if len(p.waiting) == 0 || p.bytes() > p.limit/2 {
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
func (l *loopState) park(p *parkedLine, c *netpoll.Conn, end int64, from int, kind parkedKind, came time.Duration) {
	p.queue = append(p.queue, parkedAnswer{c: c, end: end, from: from, to: len(p.frames), kind: kind, came: came, at: l.now()})
}

// handOver notes when the turn has appended all that it will. At its end.
func (l *loopState) handOver() {
	now := time.Duration(0)
	for _, p := range l.parked.lines() {
		if p.fresh < len(p.queue) && now == 0 {
			now = l.b.uptime()
		}
		for i := p.fresh; i < len(p.queue); i++ {
			p.queue[i].handed = now
		}
	}
}

// wakeParked has every loop with waiting answers look whether they may go. Any goroutine.
func (b *Broker) wakeParked() {
	for _, l := range b.loops {
		if l.parked.waits() {
			b.net.Wake(l.index)
		}
	}
}

// wakePassed has the loops look whose first answer the log has become safe up to; all of them when it has failed. Any goroutine.
func (b *Broker) wakePassed(visible int64, failed error) {
	if failed != nil {
		b.wakeParked()
		return
	}
	for _, l := range b.loops {
		l.wakePassed(&l.parked.visible, visible)
	}
}

// wakeWritten is wakePassed for what waits for no more than that the log is written. That it has failed is told by wakePassed.
func (b *Broker) wakeWritten(written int64, _ error) {
	for _, l := range b.loops {
		l.wakePassed(&l.parked.written, written)
	}
}

func (l *loopState) wakePassed(p *parkedLine, passed int64) {
	if end := p.first.Load(); end != 0 && end <= passed && !l.releases.Load() {
		l.b.net.Wake(l.index)
	}
}

// release sends the answers that may go, at the end of a turn.
func (l *loopState) release() {
	l.releaseLine(&l.parked.visible, l.b.visible)
	l.releaseLine(&l.parked.written, l.b.written)
	for _, p := range l.parked.lines() {
		p.fresh = len(p.queue)
	}
	l.parked.resume()
}

// releaseLine sends those of a line, whose watermark has passed so much of the log.
func (l *loopState) releaseLine(p *parkedLine, passed func() int64) {
	if p.head == len(p.queue) {
		return
	}
	// Told before it looks: a log that passes a record after this look finds that somebody waits.
	p.tell()
	if !l.woken && passed() < p.queue[p.head].end && l.b.failed() == nil {
		return
	}
	for l.sendParked(p, passed); p.head < len(p.queue); {
		first := p.queue[p.head].end
		p.tell()
		if first > passed() && l.b.failed() == nil {
			return
		}
		l.sendParked(p, passed)
	}
	p.tell()
}

// tell says what the first answer waits for.
func (p *parkedLine) tell() {
	first := int64(0)
	if p.head < len(p.queue) {
		first = p.queue[p.head].end
	}
	if p.first.Load() != first {
		p.first.Store(first)
	}
}

func (l *loopState) sendParked(p *parkedLine, passed func() int64) {
	// In this order: what the log has passed before it failed is safe.
	failed := l.b.failed()
	safe := passed()
	now := l.now()
	limit := now - l.b.syncLimit
	var copies *copies
	var agreed replica.Agreement
	if p == &l.parked.visible {
		copies = l.b.copies.Load()
	}
	if copies != nil {
		agreed = copies.leader.Agreed()
	}
	for ; p.head < len(p.queue); p.head++ {
		a := &p.queue[p.head]
		code := remoting.RespSuccess
		frame := p.frames[a.from:a.to]
		switch {
		case a.end <= safe && copies == nil:
			a.send(frame)
		case a.end <= safe:
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
			p.compact()
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
func (p *parkedLine) compact() {
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
