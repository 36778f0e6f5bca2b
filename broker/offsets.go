package broker

import (
	"strings"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// queueOf reads the fields that name a queue. The texts alias the request.
func queueOf(req *remoting.Command) (topic []byte, queue int32, err error) {
	topic, _ = req.Get("topic")
	queue, there, err := req.Int32("queueId")
	if err == nil && !there {
		err = &remoting.MissingError{Key: "queueId"}
	}
	return topic, queue, err
}

// queryConsumerOffset serves 14. A group without progress in a queue that is short and young begins at 0: what is in it would
// otherwise never be seen by a group that starts now.
func (b *Broker) queryConsumerOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, queue, err := queueOf(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	group, _ := req.Get("consumerGroup")
	if offset, ok := b.offsets.Query(group, topic, queue); ok {
		return withInt("offset", offset)
	}
	if v, ok := req.Get("setZeroIfNotFound"); ok && !isTrue(v) {
		return fail(remoting.RespQueryNotFound, "Not found, do not set to zero, maybe this group boot first")
	}
	if _, known := b.topics.Get(topic); known && b.store.MinOffset(topic, queue) <= 0 && (b.store.MaxOffset(topic, queue) == 0 || b.store.FirstInMemory(topic, queue)) {
		return withInt("offset", 0)
	}
	return fail(remoting.RespQueryNotFound, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first")
}

// updateConsumerOffset serves 15. A request that says no offset must not set the progress to 0.
func (b *Broker) updateConsumerOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	queue, hasQueue, err := req.Int32("queueId")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	offset, hasOffset, err := req.Int64("commitOffset")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	topic, _ := req.Get("topic")
	group, _ := req.Get("consumerGroup")
	if _, ok := b.groups.Lookup(string(group)); !ok {
		return fail(remoting.RespSubscriptionGroupNotExist, "Group "+string(group)+" not exist!")
	}
	t, ok := b.topics.Get(topic)
	if !ok {
		return fail(remoting.RespTopicNotExist, "Topic "+string(topic)+" not exist!")
	}
	if !hasQueue {
		return fail(remoting.RespInvalidParameter, "QueueId is null, topic is "+string(topic))
	}
	if !hasOffset {
		return fail(remoting.RespInvalidParameter, "Offset is null, topic is "+string(topic))
	}
	if queue < 0 || queue >= max(t.ReadQueueNums, t.WriteQueueNums) {
		return answer{} // as stock answers; progress in a queue that is not there is not kept
	}
	if known, offered, err := req.Int64(peerKnownKey); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	} else if offered {
		b.offsets.Raise(meta.Offer{Group: string(group), Topic: string(topic), Queue: queue, Offset: offset, Known: known}, b.store.MaxOffset)
		return answer{}
	}
	if !b.offsets.Commit(group, topic, queue, offset) {
		if b.offsets.IsFull() {
			return fail(remoting.RespSystemError, "the progress of groups takes too many bytes: none in further queues is kept")
		}
		return answer{Remark: "Offset has been previously reset"}
	}
	return answer{}
}

// maxOffset serves 30, minOffset 31: the maximum that clients may see.
func (b *Broker) maxOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, queue, err := queueOf(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return withInt("offset", b.store.MaxOffset(topic, queue))
}

func (b *Broker) minOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, queue, err := queueOf(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return withInt("offset", b.store.MinOffset(topic, queue))
}

// searchOffset serves 29.
func (b *Broker) searchOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, queue, err := queueOf(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	at, _, err := req.Int64("timestamp")
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	offset, err := b.store.OffsetByTime(topic, queue, at, strings.EqualFold(req.Text("boundaryType"), "UPPER"))
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return withInt("offset", offset)
}

// earliestTime serves 32.
func (b *Broker) earliestTime(_ *netpoll.Conn, req *remoting.Command) answer {
	topic, queue, err := queueOf(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return withInt("timestamp", b.store.EarliestTime(topic, queue))
}
