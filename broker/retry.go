package broker

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strconv"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
	"ringmq/store/delay"
	"ringmq/store/record"
)

// retried applies the rules of a send to %RETRY%group: a message that was consumed too often, or any while a member of the group
// holds queues for itself, goes to the group's dead letters. It may change the loop's message. ok is false when the send is dealt
// with, by the verdict.
func (b *Broker) retried(c *netpoll.Conn, req *remoting.Command, l *loopState) (v netpoll.Verdict, ok bool) {
	h, m := &l.send, &l.message
	group := h.Topic[len(meta.RetryPrefix):]
	config := b.groups.Find(group)
	if config == nil {
		return b.refuse(c, req, remoting.RespSubscriptionGroupNotExist, "subscription group not exist, "+string(group)+" "+faq), false
	}
	limit := config.RetryMaxTimes
	if h.HasMaxReconsumeTimes && req.Version >= ownLimitSince {
		limit = h.MaxReconsumeTimes
	}
	if h.ReconsumeTimes <= limit && !b.locks.Held(string(group)) {
		return netpoll.Done, true
	}
	dlq := remoting.NewTopicConfig(meta.DLQPrefix+string(group), 1, remoting.PermRead|remoting.PermWrite)
	m.Topic, m.QueueID = []byte(dlq.TopicName), 0
	state := topicWaits
	if _, there := b.topics.Get(m.Topic); there {
		state = b.mayStore(c, m.Topic)
	}
	switch state {
	case topicWaits:
		return b.await(c, dlq), false
	case topicFailed:
		return b.refuse(c, req, remoting.RespServiceNotAvailable, b.notAvailable()), false
	}
	asked, _ := record.Property(h.Properties, record.PropertyDelay)
	h.Properties = setProperty(append([]byte(nil), h.Properties...), asked, record.PropertyDelay, "-1")
	return netpoll.Done, true
}

// ownLimitSince is the version from which on clients send their own limit of retries.
const ownLimitSince = 121

// sendBack serves 36: a consumer gives a message back, to be delivered again later or to become a dead letter.
func (b *Broker) sendBack(c *netpoll.Conn, req *remoting.Command) answer {
	group := req.Text("group")
	config := b.groups.Find([]byte(group))
	if config == nil {
		return fail(remoting.RespSubscriptionGroupNotExist, "subscription group not exist, "+group+" "+faq)
	}
	if b.permission()&remoting.PermWrite == 0 {
		return fail(remoting.RespNoPermission, b.forbidden("sending message"))
	}
	if config.RetryQueueNums <= 0 {
		return answer{}
	}
	offset, _, err := req.Int64("offset")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	raw, err := b.store.MessageByOffset(offset, nil)
	var r record.Record
	if err != nil || r.Parse(raw) != nil {
		return fail(remoting.RespSystemError, "look message by offset failed, "+strconv.FormatInt(offset, 10))
	}
	m, err := b.givenBack(req, config, &r)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if status := b.storeNow(m); status != "" {
		return fail(remoting.RespSystemError, status)
	}
	b.stats.SendBack(group, string(r.Topic))
	return answer{}
}

// storeNow stores a message and waits until it is safe; stock's name of what went wrong otherwise. It blocks: never on a loop.
func (b *Broker) storeNow(m *store.Message) (status string) {
	ctx, cancel := context.WithTimeout(context.Background(), b.syncLimit)
	defer cancel()
	for {
		p, err := b.store.Append(m)
		switch {
		case err == nil:
			if err = b.store.Visible().Wait(ctx, p.End); err == nil {
				return ""
			}
			if ctx.Err() != nil {
				return "FLUSH_DISK_TIMEOUT"
			}
			return "UNKNOWN_ERROR"
		case errors.Is(err, store.ErrTooLarge), errors.Is(err, store.ErrMalformed):
			return "MESSAGE_ILLEGAL"
		case !errors.Is(err, store.ErrFull):
			return "SERVICE_NOT_AVAILABLE"
		}
		room := make(chan struct{})
		b.store.Room(func() { close(room) })
		select {
		case <-room:
		case <-ctx.Done():
			return "SERVICE_NOT_AVAILABLE"
		}
	}
}

// givenBack is the message that is stored for one given back.
func (b *Broker) givenBack(req *remoting.Command, config *remoting.SubscriptionGroupConfig, r *record.Record) (*store.Message, error) {
	level, _, err := req.Int32("delayLevel")
	if err != nil {
		return nil, err
	}
	limit := config.RetryMaxTimes
	if n, ok, err := req.Int32("maxReconsumeTimes"); err != nil {
		return nil, err
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
	m := &store.Message{
		Flag: r.Flag, SysFlag: r.SysFlag, BornTimestamp: r.BornTimestamp, BornHost: r.BornHost, StoreHost: b.advertise,
		ReconsumeTimes: r.ReconsumeTimes + 1, Body: r.Body,
	}
	if r.ReconsumeTimes >= limit || level < 0 {
		t, err := b.ensureTopic(remoting.NewTopicConfig(meta.DLQPrefix+config.GroupName, 1, rw))
		if err != nil {
			return nil, err
		}
		m.Topic, m.Properties = []byte(t.TopicName), record.AppendProperty(properties, record.PropertyDelay, "0")
		return m, nil
	}
	t, err := b.ensureTopic(remoting.NewTopicConfig(meta.RetryPrefix+config.GroupName, config.RetryQueueNums, rw))
	if err != nil {
		return nil, err
	}
	if level == 0 {
		level = 3 + r.ReconsumeTimes
	}
	m.Topic, m.QueueID = []byte(t.TopicName), rand.Int32N(max(config.RetryQueueNums, 1))
	m.Properties = record.AppendProperty(properties, record.PropertyDelay, strconv.Itoa(int(level)))
	delay.Transform(m, min(int(level), b.maxLevel), nil)
	return m, nil
}

func (b *Broker) permission() int32 { return int32(b.c.Int("brokerPermission")) }

// isRetry says that a topic holds a group's retries.
func isRetry(topic []byte) bool { return bytes.HasPrefix(topic, []byte(meta.RetryPrefix)) }
