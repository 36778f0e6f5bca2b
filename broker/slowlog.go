package broker

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/record"
)

// slowLog tells of requests that took long, one line each, with where the time went. Loops ask it only for requests that did; what a line
// needs beyond their memory a worker finds. Any goroutine.
type slowLog struct {
	b     *Broker
	sends atomic.Int64
	pulls atomic.Int64

	mu      sync.Mutex
	since   time.Duration // Broker.uptime when the second began
	lines   int           // of this second
	dropped int64         // requests since the last line that have none
}

// slowLinesPerSecond bounds what is written. A broker whose disk stands still would have a line for each of many thousand messages.
const slowLinesPerSecond = 10

// mayTell says whether there may be one more line, and how many requests had none since the last.
func (s *slowLog) mayTell(now time.Duration) (dropped int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now-s.since >= time.Second {
		s.since, s.lines = now, 0
	}
	if s.lines >= slowLinesPerSecond {
		s.dropped++
		return 0, false
	}
	s.lines++
	dropped, s.dropped = s.dropped, 0
	return dropped, true
}

// send tells of a send whose answer left at a time of Broker.uptime. On its loop.
func (s *slowLog) send(l *loopState, a *parkedAnswer, code int32, frame []byte, now time.Duration) {
	s.sends.Add(1)
	dropped, ok := s.mayTell(now)
	if !ok {
		return
	}
	t := slowSend{came: a.came, appended: a.at, answered: now, end: a.end, kind: a.kind, code: code, client: a.c.RemoteAddr().String(), unsent: a.c.Unsent(), dropped: dropped}
	own := append([]byte(nil), frame...)
	s.b.workers.Try(len(own), func() { s.tellSend(&t, own) })
}

// slowSend is what its loop knows of a slow send, in Broker.uptime.
type slowSend struct {
	came, appended, answered time.Duration
	end                      int64
	kind                     parkedKind
	code                     int32
	client                   string
	unsent                   int64
	dropped                  int64
}

// sendParts are what the time of a send adds up from: until its topic was there and it was its turn, until its batch went to the disk, until the
// disk had it, and until there were enough copies, the loop had time, and the answer left.
type sendParts struct{ topic, queue, disk, replica time.Duration }

// parts takes the times when the message's batch went to the disk and was over, if that is known. Otherwise the disk has it still.
func (t *slowSend) parts(began, ended time.Duration, known bool) sendParts {
	handed, safe := t.appended, t.answered
	if known {
		handed = min(max(began, t.appended), t.answered)
		safe = min(max(ended, handed), t.answered)
	}
	return sendParts{topic: t.appended - t.came, queue: handed - t.appended, disk: safe - handed, replica: t.answered - safe}
}

func (s *slowLog) tellSend(t *slowSend, frame []byte) {
	b := s.b
	topic, queue, offset := b.storedAs(t.end, frame)
	began, ended, committed := b.store.Committed(t.end)
	p := t.parts(began.Sub(b.began), ended.Sub(b.began), committed)
	b.logger.Warn("slow send", "request", remoting.CodeName(t.kind.code()), "response", remoting.RespName(t.code), "topic", topic, "queueId", queue, "queueOffset", offset, "client", t.client,
		"totalMs", ms(t.answered-t.came), "topicMs", ms(p.topic), "queueMs", ms(p.queue), "diskMs", ms(p.disk), "replicaMs", ms(p.replica),
		"committed", committed, "clientUnreadBytes", t.unsent, "untold", t.dropped)
}

// storedAs says which message a send became, by its answer and the log: the last one where there were several. It may read the disk.
func (b *Broker) storedAs(end int64, frame []byte) (topic string, queue int32, queueOffset int64) {
	var c remoting.Command
	if c.Decode(frame) != nil {
		return "", -1, -1
	}
	ids := c.Text("msgId")
	_, offset, err := record.ParseOffsetID([]byte(ids[strings.LastIndexByte(ids, ',')+1:]))
	if err != nil || offset >= end {
		return "", -1, -1
	}
	raw, err := b.store.MessageByOffset(offset, nil)
	var r record.Record
	if err != nil || r.Parse(raw) != nil {
		return "", -1, -1
	}
	return string(r.Topic), r.QueueID, r.QueueOffset
}

// pull tells of a pull that a worker read for, and that was answered or held in this turn. h and f stay as they are. On its loop.
func (s *slowLog) pull(c *netpoll.Conn, l *loopState, h *remoting.PullHeader, a *pullAnswer, f *store.Found) {
	now := l.now()
	limit := s.b.inForce.get().slow
	if limit == 0 || now-a.came <= limit || a.held {
		return
	}
	s.pulls.Add(1)
	dropped, ok := s.mayTell(now)
	if !ok {
		return
	}
	t, client, unread := *a, c.RemoteAddr().String(), c.Unsent()
	s.b.workers.Try(0, func() {
		s.b.logger.Warn("slow pull", "request", remoting.CodeName(t.code), "status", f.Status.String(), "topic", string(h.Topic), "queueId", h.QueueID, "queueOffset", h.QueueOffset,
			"group", string(h.ConsumerGroup), "client", client, "totalMs", ms(now-t.came), "queueMs", ms(t.began-t.came), "diskMs", ms(t.read-t.began), "loopMs", ms(now-t.read),
			"messages", f.Messages, "bytes", f.Bytes, "diskBytes", f.ColdBytes, "keptBack", t.keptBack, "clientUnreadBytes", unread, "untold", dropped)
	})
}

// ms is a time in milliseconds with three places.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
