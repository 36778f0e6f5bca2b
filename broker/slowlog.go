package broker

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store/record"
)

// slowLog tells of requests that took long, one line each, with where the time went. Loops ask it only for requests that did; what a line
// needs beyond their memory a worker finds, when the answer has left. Any goroutine.
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

// takenLimit is how long a line waits for the socket to take the answer.
const takenLimit = 10 * time.Second

// left is what is known of an answer when its connection has taken it, or has not.
type left struct {
	network time.Duration // until the socket had it
	taken   bool          // it has
	trip    time.Duration // there and back, as the kernel measures it
	unsent  int64         // bytes of earlier answers that the client had not taken
}

// afterwards has a worker write a line when the answer that was just put out has left. On the connection's loop.
func (s *slowLog) afterwards(c *netpoll.Conn, bytes int, tell func(left)) {
	l := left{trip: c.RoundTrip(), unsent: c.Unsent()}
	c.WhenTaken(takenLimit, func(took time.Duration, all bool) {
		l.network, l.taken = took, all
		s.b.workers.Try(bytes, func() { tell(l) })
	})
}

// send tells of a send that was stored and whose answer was put out at a time of Broker.uptime. On its loop.
func (s *slowLog) send(a *parkedAnswer, code int32, frame []byte, now time.Duration) {
	s.sends.Add(1)
	dropped, ok := s.mayTell(now)
	if !ok {
		return
	}
	t := slowSend{came: a.came, appended: a.at, handed: a.handed, answered: now, request: a.kind.code(), code: code, client: a.c.RemoteAddr().String(), dropped: dropped}
	// Now: for how long the store knows that is less than for how long a client may take nothing.
	began, ended, committed := s.b.store.Committed(a.end)
	t.began, t.ended, t.committed = began.Sub(s.b.began), ended.Sub(s.b.began), committed
	own, end := append([]byte(nil), frame...), a.end
	s.afterwards(a.c, len(own), func(l left) {
		t.topic, t.queue, t.offset = s.b.storedAs(end, own)
		s.tellSend(&t, l)
	})
}

// unparked tells of a send that waited and was refused then. What the loop knows is of this send. On its loop.
func (s *slowLog) unparked(c *netpoll.Conn, l *loopState, request, code int32, why string) {
	now := l.now()
	if limit := s.b.inForce.get().slow; limit == 0 || now-l.came <= limit {
		return
	}
	s.sends.Add(1)
	dropped, ok := s.mayTell(now)
	if !ok {
		return
	}
	t := slowSend{came: l.came, appended: now, handed: now, answered: now, request: request, code: code, client: c.RemoteAddr().String(), dropped: dropped,
		topic: string(l.send.Topic), queue: l.send.QueueID, offset: -1, why: why}
	s.afterwards(c, len(why), func(l left) { s.tellSend(&t, l) })
}

// slowSend is what is known of a slow send; times are of Broker.uptime.
type slowSend struct {
	came, appended, handed, answered time.Duration
	began, ended                     time.Duration // its batch's time with the disk
	committed                        bool          // which is over
	request, code                    int32
	client                           string
	dropped                          int64
	topic                            string
	queue                            int32
	offset                           int64
	why                              string // it was refused
}

// sendParts are what the time of a send adds up from: until its topic was there and it was its turn; until all that was read with it had been
// decoded and the loop handed it over; until its batch went to the disk; until the disk had it; and until there were enough copies, the loop
// had time, and the answer was put out.
type sendParts struct{ topic, decode, queue, disk, replica time.Duration }

func (t *slowSend) parts() sendParts {
	// The clocks are read by different goroutines, and other loops may commit what is not handed over yet.
	handed := min(max(t.handed, t.appended), t.answered)
	began, ended := handed, t.answered // as if the disk had it still
	if t.committed {
		began = min(max(t.began, t.appended), t.answered)
		ended = min(max(t.ended, began), t.answered)
	}
	handed = min(handed, began)
	return sendParts{topic: t.appended - t.came, decode: handed - t.appended, queue: began - handed, disk: ended - began, replica: t.answered - ended}
}

func (s *slowLog) tellSend(t *slowSend, l left) {
	p := t.parts()
	line := []any{"request", remoting.CodeName(t.request), "response", remoting.RespName(t.code), "topic", t.topic, "queueId", t.queue, "queueOffset", t.offset, "client", t.client,
		"totalMs", ms(t.answered - t.came + l.network), "topicMs", ms(p.topic), "decodeMs", ms(p.decode), "queueMs", ms(p.queue), "diskMs", ms(p.disk), "replicaMs", ms(p.replica),
		"networkMs", ms(l.network), "taken", l.taken, "rttMs", ms(l.trip), "committed", t.committed, "clientUnreadBytes", l.unsent, "untold", t.dropped}
	if t.why != "" {
		line = append(line, "error", t.why)
	}
	s.b.logger.Warn("slow send", line...)
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

// ms is a time in milliseconds with three places.
func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
