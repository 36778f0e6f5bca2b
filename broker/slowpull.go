package broker

import (
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// pull tells of a pull that was answered late, or failed late. What it waited for messages to come is not counted. f is nil where nothing was
// read; h and f stay as they are. On its loop.
func (s *slowLog) pull(c *netpoll.Conn, h *remoting.PullHeader, a *pullAnswer, f *store.Found, code int32, status string) {
	now := s.b.loop(c.Loop()).now()
	limit := s.b.inForce.get().slow
	if limit == 0 || now-a.since() <= limit {
		return
	}
	s.pulls.Add(1)
	dropped, ok := s.mayTell(now)
	if !ok {
		return
	}
	t := slowPull{pullAnswer: *a, answered: now, response: code, status: status, topic: string(h.Topic), group: string(h.ConsumerGroup), queue: h.QueueID, offset: h.QueueOffset,
		client: c.RemoteAddr().String(), dropped: dropped}
	if f != nil {
		t.messages, t.bytes, t.diskBytes = f.Messages, f.Bytes, f.ColdBytes
	}
	s.afterwards(c, 0, func(l left) { s.tellPull(&t, l) })
}

// since is when the time of a pull begins that is the broker's own: when it came, or, for one that was held, when it was run again.
func (a *pullAnswer) since() time.Duration {
	if a.held {
		return a.ran
	}
	return a.came
}

// slowPull is what is known of a slow pull.
type slowPull struct {
	pullAnswer
	answered        time.Duration // Broker.uptime
	response        int32
	status          string
	topic, group    string
	queue           int32
	offset          int64
	client          string
	dropped         int64
	messages, bytes int
	diskBytes       int64
}

// pullParts are what the time of a pull adds up from: while it was kept waiting, by its client's quota, for want of memory, or by the control of
// cold reads; until the requests before it were decoded and it was given to the workers; until one began to read; until it had read; and until
// the loop put out the answer.
type pullParts struct{ wait, decode, queue, disk, loop time.Duration }

func (t *slowPull) parts() (p pullParts) {
	at := t.since()
	until := func(next time.Duration) (took time.Duration) {
		took, at = next-at, next
		return took
	}
	switch {
	case t.ran == 0: // it never was
		p.wait = until(t.answered)
	case t.handed == 0: // no worker
		p.wait, p.loop = until(t.ran), until(t.answered)
	case t.began == 0: // there was none for it
		p.wait, p.decode, p.loop = until(t.ran), until(t.handed), until(t.answered)
	default:
		p.wait, p.decode, p.queue, p.disk, p.loop = until(t.ran), until(t.handed), until(t.began), until(t.read), until(t.answered)
	}
	return p
}

func (s *slowLog) tellPull(t *slowPull, l left) {
	p := t.parts()
	s.b.logger.Warn("slow pull", "request", remoting.CodeName(t.code), "response", remoting.RespName(t.response), "status", t.status, "topic", t.topic, "queueId", t.queue, "queueOffset", t.offset,
		"group", t.group, "client", t.client, "totalMs", ms(t.answered-t.since()+l.network), "waitMs", ms(p.wait), "decodeMs", ms(p.decode), "queueMs", ms(p.queue), "diskMs", ms(p.disk),
		"loopMs", ms(p.loop), "networkMs", ms(l.network), "taken", l.taken, "rttMs", ms(l.trip), "messages", t.messages, "bytes", t.bytes, "diskBytes", t.diskBytes, "keptBack", t.keptBack,
		"clientUnreadBytes", l.unsent, "untold", t.dropped)
}
