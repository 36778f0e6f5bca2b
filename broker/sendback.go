package broker

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"ringmq/broker/meta"
	"ringmq/broker/quota"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/delay"
	"ringmq/store/record"
)

// sendBack serves 36: a consumer gives a message back, to be delivered again later or to become a dead letter. A worker reads the
// message; its topic and the log are waited for as a send waits for them, on nobody's goroutine. For its client it counts as a send.
func (b *Broker) sendBack(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	l, u := b.loop(c.Loop()), &c.State().(*connState).use
	if l.slowsSend(u) {
		return netpoll.Hold
	}
	u.tookSend()
	came := l.now()
	ok := b.workers.TryClone(req, func(own *remoting.Command) {
		s := &returned{b: b, c: c, enc: own.Encoding, opaque: own.Opaque, oneway: own.IsOneway(), group: own.Text("group"), came: came}
		if a, done := s.read(own); done {
			s.answer(a)
			return
		}
		if _, there := b.topics.Lookup(s.topic.TopicName); !there && !b.mayMakeTopic(&s.topic) {
			s.answer(fail(remoting.RespServiceNotAvailable, tooManyTopics))
			return
		}
		b.settle(s.topic, func(err error) {
			if err != nil {
				s.answer(fail(remoting.RespServiceNotAvailable, b.notAvailable()))
				return
			}
			s.store()
		})
	})
	if !ok {
		b.reply(c, req, busy)
	}
	return netpoll.Done
}

// returned is a message that was given back and is not stored yet.
type returned struct {
	b      *Broker
	c      *netpoll.Conn
	enc    remoting.Encoding
	opaque int32
	oneway bool
	group  string
	from   string // topic that the message was sent to
	m      *store.Message
	topic  remoting.TopicConfig // of m
	bytes  int                  // of m, taken from Broker.pending
	came   time.Duration        // Broker.uptime of the request
}

// read finds the message and makes the one to be stored; done says that there is none, and a is the answer. It blocks.
func (s *returned) read(req *remoting.Command) (a answer, done bool) {
	b := s.b
	config := b.groups.Find([]byte(s.group))
	if config == nil || meta.CheckGroupName(s.group) != "" {
		return fail(remoting.RespSubscriptionGroupNotExist, "subscription group not exist, "+s.group+" "+faq), true
	}
	if b.permission()&remoting.PermWrite == 0 {
		return fail(remoting.RespNoPermission, b.forbidden("sending message")), true
	}
	if config.RetryQueueNums <= 0 {
		return answer{}, true
	}
	offset, _, err := req.Int64("offset")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error()), true
	}
	raw, err := b.store.MessageByOffset(offset, nil)
	var r record.Record
	if err != nil || r.Parse(raw) != nil {
		return fail(remoting.RespSystemError, "look message by offset failed, "+strconv.FormatInt(offset, 10)), true
	}
	if r.SysFlag&record.SysFlagInnerBatch != 0 {
		// Retry topics keep no batches. A client that hears this sends the one message it means.
		return fail(remoting.RespSystemError, "MESSAGE_ILLEGAL"), true
	}
	s.from = string(r.Topic)
	first, _ := record.Property(r.Properties, "RETRY_TOPIC")
	if _, known := b.topics.Get(first); known {
		s.from = string(first) // stock counts by the topic that it was sent to, however often it came back
	}
	if s.m, s.topic, err = b.givenBack(req, config, &r); err != nil {
		return fail(remoting.RespSystemError, err.Error()), true
	}
	if !b.pending.Take(len(raw)) {
		return busy, true
	}
	s.bytes = len(raw)
	return answer{}, false
}

// answer answers what was not stored. Any goroutine.
func (s *returned) answer(a answer) {
	s.b.pending.Give(s.bytes)
	s.b.answeredElsewhere(&remoting.Command{Code: remoting.CodeConsumerSendMsgBack}, a.Code, s.came)
	if s.oneway {
		return
	}
	_ = s.c.Give(a.append(nil, &remoting.Command{Encoding: s.enc, Opaque: s.opaque}))
}

// store has the message stored on its connection's loop, where answers wait for the log; without an answer if the connection has
// ended, or the loop does before it gets to it. Any goroutine.
func (s *returned) store() {
	if s.c.DoOr(s.storeOnLoop, s.storeUnanswered) != nil {
		s.storeUnanswered()
	}
}

func (s *returned) storeUnanswered() {
	s.oneway = true
	if _, err := s.b.store.Append(s.m); errors.Is(err, store.ErrFull) {
		s.b.store.Room(s.store)
		return
	}
	s.b.pending.Give(s.bytes)
}

func (s *returned) storeOnLoop() {
	b := s.b
	l := b.loop(s.c.Loop())
	if l.parked.full() {
		b.room(s.c, s.store)
		return
	}
	p, err := l.appends.Append(s.m)
	switch {
	case errors.Is(err, store.ErrFull):
		b.room(s.c, s.store)
		return
	case errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrMalformed):
		s.answer(fail(remoting.RespSystemError, "MESSAGE_ILLEGAL"))
		return
	case err != nil:
		s.answer(fail(remoting.RespSystemError, "SERVICE_NOT_AVAILABLE"))
		return
	}
	b.pending.Give(s.bytes)
	l.used(&s.c.State().(*connState).use, quota.Counts{quota.SendMessages: 1, quota.SendBytes: int64(p.Size)})
	b.stats.SendBack(s.group, s.from)
	if string(s.m.Topic) == store.DelayTopic {
		b.stats.Waits(int64(p.Size))
	} else if bytes.HasPrefix(s.m.Topic, []byte(meta.DLQPrefix)) {
		b.stats.DeadLetter(s.group, s.from)
	}
	if s.oneway {
		return
	}
	line := &l.parked.visible
	from := len(line.frames)
	line.frames = remoting.AppendReply(line.frames, s.enc, s.opaque, remoting.RespSuccess, "")
	l.park(line, s.c, p.End, from, parkedBack, s.came)
}

// givenBack is the message that is stored for one given back, and the topic it belongs in. The topic may not be there yet.
func (b *Broker) givenBack(req *remoting.Command, config *remoting.SubscriptionGroupConfig, r *record.Record) (m *store.Message, t remoting.TopicConfig, err error) {
	level, _, err := req.Int32("delayLevel")
	if err != nil {
		return nil, t, err
	}
	limit := config.RetryMaxTimes
	if n, ok, err := req.Int32("maxReconsumeTimes"); err != nil {
		return nil, t, err
	} else if ok && req.Version >= ownLimitSince {
		limit = n
	}
	const rw = remoting.PermRead | remoting.PermWrite
	properties := record.DeleteProperty(nil, r.Properties, record.PropertyCRC, record.PropertyDelay, "WAIT", "REAL_TOPIC", "REAL_QID")
	if len(properties) > 0 && !record.ClosedProperties(properties) {
		properties = append(properties, 2)
	}
	if _, ok := record.Property(properties, "RETRY_TOPIC"); !ok {
		properties = record.AppendPropertyBytes(properties, "RETRY_TOPIC", r.Topic)
	}
	if _, ok := record.Property(properties, "ORIGIN_MESSAGE_ID"); !ok {
		id := record.AppendOffsetID(nil, r.StoreHost, r.PhysicalOffset)
		properties = record.AppendPropertyBytes(properties, "ORIGIN_MESSAGE_ID", id)
	}
	properties = record.AppendProperty(properties, "WAIT", "false")
	times := max(r.ReconsumeTimes, 0) // a client may have written any number
	m = &store.Message{
		Flag: r.Flag, SysFlag: r.SysFlag, BornTimestamp: r.BornTimestamp, BornHost: r.BornHost, StoreHost: b.advertise,
		ReconsumeTimes: min(times, math.MaxInt32-1) + 1, Body: r.Body, Again: true,
	}
	if times >= limit || level < 0 {
		t = remoting.NewTopicConfig(meta.DLQPrefix+config.GroupName, 1, rw)
		m.Topic, m.Properties = []byte(t.TopicName), record.AppendProperty(properties, record.PropertyDelay, "0")
		return m, t, nil
	}
	t = retryTopic(config)
	if level == 0 {
		level = 3 + min(times, math.MaxInt32-3)
	}
	m.Topic, m.QueueID = []byte(t.TopicName), rand.Int32N(max(b.retryQueues(&t), 1))
	m.Properties = record.AppendProperty(properties, record.PropertyDelay, strconv.Itoa(int(level)))
	delay.Transform(m, min(int(level), b.maxLevel), nil)
	return m, t, nil
}
