package broker

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"

	"ringmq/broker/meta"
	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/delay"
	"ringmq/store/record"
)

// sysFlagsOfBatches are the bits that only the store sets: a record with them takes as many places in its queue as it says.
const sysFlagsOfBatches = record.SysFlagInnerBatch | record.SysFlagNeedUnwrap

// clientSysFlag is what counts of the bits a client sends. A message that says it is prepared or rolled back would be acknowledged and
// never served: those of transactions are refused by their property, so that others are just messages.
func clientSysFlag(f int32) int32 {
	f &^= sysFlagsOfBatches
	if kind := f & record.SysFlagTransaction; kind == record.SysFlagPrepared || kind == record.SysFlagRollback {
		f &^= record.SysFlagTransaction
	}
	return f
}

// outcome of an attempt to store a send.
type outcome uint8

const (
	sendDone        outcome = iota // stored or refused; an answer was given or is parked
	sendNoRoom                     // there is none: try again after Broker.room
	sendAwaitsTopic                // its topic is not settled; the connection's sends are tried again when it is
)

// trySend appends a message on the loop and parks the answer. Without a fault it allocates nothing.
func (b *Broker) trySend(c *netpoll.Conn, req *remoting.Command) outcome {
	l := b.loop(c.Loop())
	if l.parked.full() {
		return sendNoRoom
	}
	h, err := req.Send()
	l.send = h
	if err != nil {
		return b.refuse(c, req, remoting.RespSystemError, err.Error())
	}
	if b.closing.Load() {
		return b.refuse(c, req, remoting.RespServiceNotAvailable, b.notAvailable())
	}
	t := l.topics.find(h.Topic)
	if t == nil {
		var o outcome
		if t, o = b.topicOfSend(c, req, l); t == nil {
			return o
		}
	}
	topic, queue := t.config, h.QueueID
	if queue >= max(topic.ReadQueueNums, topic.WriteQueueNums) {
		return b.refuse(c, req, remoting.RespInvalidParameter, fmt.Sprintf("request queueId[%d] is illegal, %s Producer: %s", queue, describeTopic(topic), c.RemoteAddr()))
	}
	if topic.Order && b.permission()&remoting.PermWrite == 0 {
		return b.refuse(c, req, remoting.RespNoPermission, b.forbidden("sending message"))
	}
	if queue < 0 {
		queue = rand.Int32N(max(topic.WriteQueueNums, 1))
		h.QueueID = queue // the answer names it
	}
	m := &l.message
	*m = store.Message{
		Topic: h.Topic, QueueID: queue, Flag: h.Flag, SysFlag: clientSysFlag(h.SysFlag) | t.sysFlag, BornTimestamp: h.BornTimestamp, BornHost: c.RemoteAddr(),
		StoreHost: b.advertise, ReconsumeTimes: max(h.ReconsumeTimes, 0), Body: req.Body,
	}
	if h.Batch {
		return b.sendBatch(c, req, l, t)
	}
	return b.sendOne(c, req, l, t)
}

// topicOfSend finds the topic of a send that the loop does not know, and says what comes of the send where there is none to store it
// in.
func (b *Broker) topicOfSend(c *netpoll.Conn, req *remoting.Command, l *loopState) (*knownTopic, outcome) {
	h := l.send
	if code, remark := admit(h); code != remoting.RespSuccess {
		return nil, b.refuse(c, req, code, remark)
	}
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		made, allowed := b.template(h)
		if !allowed {
			return nil, b.refuse(c, req, remoting.RespTopicNotExist, "topic["+string(h.Topic)+"] not exist, apply first please!"+faq)
		}
		return nil, b.await(c, made)
	}
	if c.State().(*connState).sends.urgent {
		return newKnownTopic(b, topic), sendDone
	}
	switch b.topicState(h.Topic) {
	case topicWaits:
		return nil, b.await(c, *topic)
	case topicFailed:
		return nil, b.refuse(c, req, remoting.RespServiceNotAvailable, b.notAvailable())
	}
	return l.topics.add(topic), sendDone
}

// await has a send wait for its topic, which is made if it is not there.
func (b *Broker) await(c *netpoll.Conn, t remoting.TopicConfig) outcome {
	b.settle(t, func(error) { b.drainSoon(c) })
	return sendAwaitsTopic
}

// admit checks the name of the topic.
func admit(h *remoting.SendHeader) (int32, string) {
	if remark := meta.CheckTopicName(h.Topic); remark != "" {
		return remoting.RespInvalidParameter, remark
	}
	if meta.IsNotForSend(h.Topic) {
		return remoting.RespNoPermission, "Sending message to topic[" + string(h.Topic) + "] is forbidden."
	}
	return remoting.RespSuccess, ""
}

// addProperties builds the properties a message is stored with: the producer's, of which known is known, and what the broker adds. A
// name stands once: a message that was received and is sent again brings some of them along. uniq is the message's unique key.
func (b *Broker) addProperties(dst, properties []byte, known *record.Known) (all, uniq []byte) {
	dst = append(dst, properties...)
	if known.PopCheck != nil {
		dst = record.DeleteProperty(dst[:0], dst, record.PropertyPopCheck)
	}
	if known.Region == nil && known.Trace == nil && known.Cluster == nil && record.ClosedProperties(dst) {
		dst = append(dst, b.added...)
	} else {
		dst = setProperty(dst, known.Region, record.PropertyRegion, b.region)
		dst = setProperty(dst, known.Trace, record.PropertyTrace, "true")
		dst = setProperty(dst, known.Cluster, record.PropertyCluster, b.cluster)
	}
	if known.UniqKey != nil {
		return dst, known.UniqKey
	}
	dst = append(dst, record.PropertyUniqKey+"\x01"...)
	at := len(dst)
	dst = append(b.uniqKeys.Append(dst), 2)
	return dst, dst[at : len(dst)-1]
}

// setProperty gives a property a value, in place; old is the one that counts so far, nil if there is none.
func setProperty(properties, old []byte, name, value string) []byte {
	if old != nil {
		if string(old) == value {
			return properties
		}
		properties = record.DeleteProperty(properties[:0], properties, name)
	}
	if !record.ClosedProperties(properties) {
		properties = append(properties, 2)
	}
	return record.AppendProperty(properties, name, value)
}

// sendOne stores a single message.
func (b *Broker) sendOne(c *netpoll.Conn, req *remoting.Command, l *loopState, t *knownTopic) outcome {
	h, m := l.send, &l.message
	if len(m.Body) == 0 {
		b.reply(c, req, fail(remoting.RespSystemError, "the message body is empty"))
		return sendDone
	}
	l.dead = false
	if isRetry(h.Topic) {
		if v, ok := b.retried(c, req, l); !ok {
			return v
		}
	}
	known := &l.known
	known.Scan(h.Properties)
	if h.SysFlag&record.SysFlagInnerBatch != 0 || known.InnerNum != nil {
		return b.refuse(c, req, remoting.RespMessageIllegal, b.illegal())
	}
	if known.Keys == nil && t.needsKey {
		return b.refuse(c, req, remoting.RespMessageIllegal, "Required message key is missing")
	}
	if b.refuses(known.Wait) {
		return b.refuse(c, req, remoting.RespSystemError, notEnough)
	}
	level := delay.Level(known.Delay, b.maxLevel)
	if isTrue(known.Transaction) && !(m.ReconsumeTimes > 0 && level > 0) {
		return b.refuse(c, req, remoting.RespNoPermission, b.forbidden("sending transaction message"))
	}
	var uniq []byte
	l.properties, uniq = b.addProperties(l.properties[:0], h.Properties, known)
	m.Properties = l.properties
	if level > 0 {
		l.delayed = delay.Transform(m, level, l.delayed[:0])
	} else if known.TimerWhen != nil {
		return b.refuse(c, req, remoting.RespSystemError, "accurate timer message is not enabled, timerWheelEnable is false")
	}
	p, err := l.appends.Append(m)
	if err != nil {
		return b.notStored(c, req, err)
	}
	l.count(l.topics.countedIn(t, level > 0), stats.KindOf(known), 1, int64(p.Size))
	if l.dead {
		b.deadLetter(h)
	}
	if l.waits(req) {
		var id [64]byte
		b.answerSend(c, req, l, &stored{ids: record.AppendOffsetID(id[:0], b.advertise, p.PhysicalOffset), queueOffset: p.QueueOffset, end: p.End, uniq: uniq})
	}
	return sendDone
}

// stored is what the answer to a send says of its messages.
type stored struct {
	ids         []byte // offset ids, parted by commas
	queueOffset int64  // of the first
	end         int64  // in the log, behind the last
	uniq        []byte // unique key; nil: there is none
	inner       bool   // they are one record
}

// answerSend parks the answer of a send that was stored until the log is as safe as its message asks for. What the loop knows is of this send.
func (b *Broker) answerSend(c *netpoll.Conn, req *remoting.Command, l *loopState, s *stored) {
	line := l.parked.lineOf(l.known.Wait)
	from := len(line.frames)
	r := b.opening.Begin(line.frames, req.Encoding, req.Opaque)
	r.Plain("msgId", s.ids)
	r.Int("queueId", int64(l.send.QueueID))
	r.Int("queueOffset", s.queueOffset)
	if s.uniq != nil {
		r.Bytes("transactionId", s.uniq)
	}
	if s.inner {
		r.Bytes("batchUniqId", s.uniq)
	}
	line.frames = r.End()
	l.park(line, c, s.end, from, kindOfSend(req.Code), l.came)
}

// waits says that somebody waits for the answer to a send that was stored, and counts one that nobody waits for.
func (l *loopState) waits(req *remoting.Command) bool {
	if req.IsOneway() {
		l.figures.answered(stats.RpcKey{Request: req.Code, Oneway: true})
		return false
	}
	return true
}

func isTrue(v []byte) bool { return bytes.EqualFold(v, []byte("true")) }

// maxIDsBytes is how long the ids of a batch may be in its answer. Ids that no frame of a client's holds are left out: the messages are stored, and a
// client that lost its connection over the answer would send them again.
const maxIDsBytes = maxBodyBytes / 2

// sendBatch stores the items of a batch as messages of their own.
func (b *Broker) sendBatch(c *netpoll.Conn, req *remoting.Command, l *loopState, t *knownTopic) outcome {
	h := l.send
	if isRetry(h.Topic) || len(h.Topic) > 127 {
		return b.refuse(c, req, remoting.RespMessageIllegal, "batch request does not support retry group "+string(h.Topic))
	}
	// Of a batch in pieces these are stored nowhere, so that the store would not mind: a unique key is in the answer.
	if len(h.Properties) > record.MaxPropertiesBytes {
		return b.refuse(c, req, remoting.RespMessageIllegal, b.illegal())
	}
	known := &l.known
	known.Scan(h.Properties)
	if delay.Level(known.Delay, b.maxLevel) > 0 {
		return b.refuse(c, req, remoting.RespMessageIllegal, b.illegal())
	}
	if b.refuses(known.Wait) {
		return b.refuse(c, req, remoting.RespSystemError, notEnough)
	}
	if known.UniqKey != nil && t.batches {
		return b.sendInner(c, req, l, t)
	}
	places, err := l.appends.AppendBatch(&l.message, req.Body, l.places[:0])
	if errors.Is(err, store.ErrMalformed) {
		b.reply(c, req, fail(remoting.RespSystemError, "the items of the batch do not add up"))
		return sendDone
	}
	if err != nil {
		return b.notStored(c, req, err)
	}
	l.places = places
	bytesIn := int64(0)
	for i := range places {
		bytesIn += int64(places[i].Size)
	}
	l.count(t, stats.KindOf(known), int64(len(places)), bytesIn)
	if !l.waits(req) {
		return sendDone
	}
	l.properties = l.properties[:0]
	for i := range places {
		if i > 0 {
			l.properties = append(l.properties, ',')
		}
		l.properties = record.AppendOffsetID(l.properties, b.advertise, places[i].PhysicalOffset)
	}
	if len(l.properties) > maxIDsBytes {
		l.properties = l.properties[:0]
	}
	b.answerSend(c, req, l, &stored{ids: l.properties, queueOffset: places[0].QueueOffset, end: places[len(places)-1].End, uniq: known.UniqKey})
	return sendDone
}

// sendInner stores a batch as one record, in a topic that keeps batches as they are.
func (b *Broker) sendInner(c *netpoll.Conn, req *remoting.Command, l *loopState, t *knownTopic) outcome {
	h := l.send
	uniq := l.known.UniqKey
	l.properties, _ = b.addProperties(l.properties[:0], h.Properties, &l.known)
	l.message.Properties = l.properties
	p, count, err := l.appends.AppendInner(&l.message, req.Body)
	if errors.Is(err, store.ErrMalformed) {
		b.reply(c, req, fail(remoting.RespSystemError, "the items of the batch do not add up"))
		return sendDone
	}
	if err != nil {
		return b.notStored(c, req, err)
	}
	l.count(t, stats.KindOf(&l.known), int64(count), int64(p.Size))
	if l.waits(req) {
		var id [64]byte
		b.answerSend(c, req, l, &stored{ids: record.AppendOffsetID(id[:0], b.advertise, p.PhysicalOffset), queueOffset: p.QueueOffset, end: p.End, uniq: uniq, inner: true})
	}
	return sendDone
}
