package broker

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/delay"
	"ringmq/store/record"
)

const faq = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."

// send serves 10, 310 and 320: it appends the message on the loop and parks the answer. Without a fault it allocates nothing.
func (b *Broker) send(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
	l := b.loop(c.Loop())
	h := &l.send
	if err := h.Decode(req); err != nil {
		return b.refuse(c, req, remoting.RespSystemError, err.Error())
	}
	if code, remark := b.admit(h); code != remoting.RespSuccess {
		return b.refuse(c, req, code, remark)
	}
	topic, ok := b.topics.Get(h.Topic)
	if !ok {
		return b.createForSend(c, req, h)
	}
	queue := h.QueueID
	if queue >= max(topic.ReadQueueNums, topic.WriteQueueNums) {
		return b.refuse(c, req, remoting.RespInvalidParameter, fmt.Sprintf("request queueId[%d] is illegal, %s Producer: %s", queue, describeTopic(topic), c.RemoteAddr()))
	}
	if queue < 0 {
		queue = rand.Int32N(max(topic.WriteQueueNums, 1))
	}
	m := &l.message
	*m = store.Message{
		Topic: h.Topic, QueueID: queue, Flag: h.Flag, SysFlag: h.SysFlag, BornTimestamp: h.BornTimestamp, BornHost: c.RemoteAddr(),
		StoreHost: b.advertise, ReconsumeTimes: h.ReconsumeTimes, Body: req.Body,
	}
	if topic.TopicFilterType == "MULTI_TAG" {
		m.SysFlag |= 0x2
	}
	if h.Batch {
		return b.sendBatch(c, req, l)
	}
	return b.sendOne(c, req, l, topic)
}

// admit checks what needs no topic.
func (b *Broker) admit(h *remoting.SendHeader) (int32, string) {
	if b.closing.Load() {
		return remoting.RespServiceNotAvailable, notAvailable
	}
	if remark := meta.CheckTopicName(h.Topic); remark != "" {
		return remoting.RespInvalidParameter, remark
	}
	if meta.IsNotForSend(h.Topic) {
		return remoting.RespNoPermission, "Sending message to topic[" + string(h.Topic) + "] is forbidden."
	}
	return remoting.RespSuccess, ""
}

func describeTopic(t *remoting.TopicConfig) string {
	return fmt.Sprintf("topicConfig=[topicName=%s, readQueueNums=%d, writeQueueNums=%d, perm=%d]", t.TopicName, t.ReadQueueNums, t.WriteQueueNums, t.Perm)
}

// refuse answers a send that was not stored. Stock's refusals carry region and trace switch too.
func (b *Broker) refuse(c *netpoll.Conn, req *remoting.Command, code int32, remark string) netpoll.Verdict {
	b.reply(c, req, answer{Code: code, Remark: remark, Fields: []answerField{{"MSG_REGION", b.region}, {"TRACE_ON", "true"}}})
	return netpoll.Done
}

var (
	popCK       = []byte("POP_CK\x01")
	uniqKeyName = []byte("UNIQ_KEY\x01")
)

// stored builds the properties a message is stored with: the producer's, and what the broker adds.
func (b *Broker) stored(dst, properties []byte) []byte {
	if bytes.Contains(properties, popCK) {
		dst = record.DeleteProperty(dst, properties, "POP_CK")
	} else {
		dst = append(dst, properties...)
	}
	if len(dst) > 0 && !record.ClosedProperties(dst) {
		dst = append(dst, 2)
	}
	dst = record.AppendProperty(dst, "MSG_REGION", b.region)
	dst = record.AppendProperty(dst, "TRACE_ON", "true")
	dst = record.AppendProperty(dst, "CLUSTER", b.cluster)
	if !bytes.Contains(properties, uniqKeyName) {
		dst = append(dst, uniqKeyName...)
		dst = append(b.uniqKeys.Append(dst), 2)
	}
	return dst
}

// sendOne stores a single message.
func (b *Broker) sendOne(c *netpoll.Conn, req *remoting.Command, l *loopState, topic *remoting.TopicConfig) netpoll.Verdict {
	h, m := &l.send, &l.message
	if len(m.Body) == 0 {
		return b.refuse(c, req, remoting.RespSystemError, "the message body is empty")
	}
	if bytes.HasPrefix(h.Topic, []byte(meta.RetryPrefix)) && !b.retried(l, topic) {
		return b.refuse(c, req, remoting.RespSubscriptionGroupNotExist, "subscription group not exist, "+string(h.Topic[len(meta.RetryPrefix):])+" "+faq)
	}
	properties := h.Properties
	if v, ok := record.Property(properties, "TRAN_MSG"); ok && isTrue(v) && !(m.ReconsumeTimes > 0 && delay.Level(properties, b.maxLevel) > 0) {
		return b.refuse(c, req, remoting.RespNoPermission, "the broker["+b.advertise.Addr().String()+"] sending transaction message is forbidden")
	}
	l.properties = b.stored(l.properties[:0], properties)
	m.Properties = l.properties
	if level := delay.Level(m.Properties, b.maxLevel); level > 0 {
		l.delayed = delay.Transform(m, level, l.delayed[:0])
	} else if isTimer(m.Properties) {
		return b.refuse(c, req, remoting.RespSystemError, "accurate timer message is not enabled, timerWheelEnable is false")
	}
	p, err := b.store.Append(m)
	if err != nil {
		return b.notStored(c, req, err)
	}
	b.stats.Put(h.Topic, l.message.QueueID, 1, int64(p.Size))
	if req.IsOneway() {
		return netpoll.Done
	}
	uniq, _ := record.Property(l.properties, "UNIQ_KEY")
	from := len(l.parked.frames)
	r := remoting.BeginReply(l.parked.frames, req.Encoding, req.Opaque, remoting.RespSuccess)
	r.Str("MSG_REGION", b.region)
	r.Str("TRACE_ON", "true")
	var id [64]byte
	r.Bytes("msgId", record.AppendOffsetID(id[:0], b.advertise, p.PhysicalOffset))
	r.Int("queueId", int64(h.QueueID))
	r.Int("queueOffset", p.QueueOffset)
	r.Bytes("transactionId", uniq)
	l.parked.frames = r.End()
	l.answerWhenSafe(c, p.End, from, h.Properties)
	return netpoll.Done
}

// answerWhenSafe parks an answer, or sends it at once for a message that says it need not wait.
func (l *loopState) answerWhenSafe(c *netpoll.Conn, end int64, from int, properties []byte) {
	if v, ok := record.Property(properties, "WAIT"); ok && string(v) == "false" {
		c.PutOut(append(c.Out(), l.parked.frames[from:]...))
		l.parked.frames = l.parked.frames[:from]
		return
	}
	l.park(c, end, from)
}

func isTrue(v []byte) bool { return bytes.EqualFold(v, []byte("true")) }

// isTimer says that a message asks for an arbitrary time, which needs the timer wheel.
func isTimer(properties []byte) bool {
	if !bytes.Contains(properties, []byte("TIMER_")) {
		return false
	}
	for _, name := range [...]string{"TIMER_DELAY_SEC", "TIMER_DELAY_MS", "TIMER_DELIVER_MS"} {
		if _, ok := record.Property(properties, name); ok {
			return true
		}
	}
	return false
}

const notAvailable = "service not available now. It may be caused by one of the following reasons: the broker's disk is full [SYSTEM_ERROR], messages are put to the slave, message store has been shut down, etc."

// notStored answers what the store refused, or holds the frame until there is room.
func (b *Broker) notStored(c *netpoll.Conn, req *remoting.Command, err error) netpoll.Verdict {
	switch {
	case errors.Is(err, store.ErrFull):
		b.store.Room(c.Resume)
		return netpoll.Hold
	case errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrMalformed):
		return b.refuse(c, req, remoting.RespMessageIllegal, fmt.Sprintf("the message is illegal, maybe msg body or properties length not matched. msg body length limit %dB, msg properties length limit 32KB.", b.c.Int("maxMessageSize")))
	}
	b.logger.Warn("message not stored", "error", err)
	return b.refuse(c, req, remoting.RespServiceNotAvailable, notAvailable)
}

// sendBatch stores the items of a batch as messages of their own.
func (b *Broker) sendBatch(c *netpoll.Conn, req *remoting.Command, l *loopState) netpoll.Verdict {
	h := &l.send
	if bytes.HasPrefix(h.Topic, []byte(meta.RetryPrefix)) || len(h.Topic) > 127 {
		return b.refuse(c, req, remoting.RespMessageIllegal, "batch request does not support retry group "+string(h.Topic))
	}
	if delay.Level(h.Properties, b.maxLevel) > 0 {
		return b.refuse(c, req, remoting.RespMessageIllegal, "the message is illegal, maybe msg body or properties length not matched. msg body length limit 4194304B, msg properties length limit 32KB.")
	}
	places, err := b.store.AppendBatch(&l.message, req.Body, l.places[:0])
	if err != nil {
		return b.notStored(c, req, err)
	}
	l.places = places
	if len(places) == 0 {
		return b.refuse(c, req, remoting.RespMessageIllegal, "the batch is empty")
	}
	bytesIn := int64(0)
	for i := range places {
		bytesIn += int64(places[i].Size)
	}
	b.stats.Put(h.Topic, l.message.QueueID, int64(len(places)), bytesIn)
	if req.IsOneway() {
		return netpoll.Done
	}
	l.properties = l.properties[:0]
	for i := range places {
		if i > 0 {
			l.properties = append(l.properties, ',')
		}
		l.properties = record.AppendOffsetID(l.properties, b.advertise, places[i].PhysicalOffset)
	}
	from := len(l.parked.frames)
	r := remoting.BeginReply(l.parked.frames, req.Encoding, req.Opaque, remoting.RespSuccess)
	r.Str("MSG_REGION", b.region)
	r.Str("TRACE_ON", "true")
	r.Bytes("msgId", l.properties)
	r.Int("queueId", int64(h.QueueID))
	r.Int("queueOffset", places[0].QueueOffset)
	l.parked.frames = r.End()
	l.answerWhenSafe(c, places[len(places)-1].End, from, h.Properties)
	return netpoll.Done
}
