package broker

import (
	"fmt"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// reset is what 222 asks for.
type reset struct {
	group, topic string
	queue        int32 // below 0: all
	at           int64 // ms; below 0: the end
	offset       int64 // where exact
	exact        bool
	force        bool // forward too, where clients are asked
}

func readReset(req *remoting.Command) (r reset, err error) {
	r = reset{group: req.Text("group"), topic: req.Text("topic"), queue: -1, force: req.Bool("isForce")}
	queue, given, err := req.Int32("queueId")
	if err != nil {
		return r, err
	}
	if given {
		r.queue = queue
	}
	if r.at, _, err = req.Int64("timestamp"); err != nil {
		return r, err
	}
	r.offset, r.exact, err = req.Int64("offset")
	r.exact = r.exact && r.offset != -1 && r.queue >= 0
	return r, err
}

// resetOffset serves 222: a group's progress is set, and its next pull told to begin there. With useServerSideResetOffset
// switched off its clients are asked to do it, as all did before.
func (b *Broker) resetOffset(_ *netpoll.Conn, req *remoting.Command) answer {
	r, err := readReset(req)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if !b.c.Bool("useServerSideResetOffset") {
		return b.resetAtClients(r, req.Language == remoting.Cpp)
	}
	t, ok := b.topics.Lookup(r.topic)
	if !ok {
		return fail(remoting.RespTopicNotExist, "Topic "+r.topic+" does not exist")
	}
	if _, ok := b.groups.Lookup(r.group); !ok {
		return fail(remoting.RespSubscriptionGroupNotExist, "Group "+r.group+" does not exist")
	}
	if max(t.ReadQueueNums, t.WriteQueueNums) > maxAnswerQueues {
		return tooMany
	}
	var table []remoting.QueueEntry[int64]
	for id := range max(t.ReadQueueNums, t.WriteQueueNums) {
		if r.queue >= 0 && id != r.queue || r.queue < 0 && id >= t.ReadQueueNums {
			continue
		}
		to, err := b.resetTarget(r, id)
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		table = append(table, remoting.QueueEntry[int64]{Queue: b.queueNamed(r.topic, id), Value: to})
	}
	if len(table) == 0 {
		return fail(remoting.RespSystemError, "No queues to reset.")
	}
	for _, e := range table {
		b.offsets.Reset([]byte(r.group), []byte(r.topic), e.Queue.QueueID, e.Value)
		// Whoever holds the queue of an ordered group has messages that no longer count.
		if holder := b.locks.Holder(r.group, e.Queue); holder != "" {
			b.locks.Unlock(r.group, holder, []remoting.MessageQueue{e.Queue})
		}
	}
	b.holds.wakeGroup(r.group, r.topic)
	b.persister.Mark(b.documents.offsets, nil)
	body := remoting.ResetOffsets{OffsetTable: table}
	return withBody(body.AppendJSON(nil))
}

func (b *Broker) queueNamed(topic string, id int32) remoting.MessageQueue {
	return remoting.MessageQueue{BrokerName: b.name, QueueID: id, Topic: topic}
}

// resetTarget is where a queue is reset to: the offset given, the end for a time below 0, otherwise the first message not
// stored before the time.
func (b *Broker) resetTarget(r reset, id int32) (int64, error) {
	topic := []byte(r.topic)
	low, high := b.store.MinOffset(topic, id), b.store.MaxOffset(topic, id)
	switch {
	case r.exact && (r.offset < low || r.offset > high+1):
		//lint:ignore ST1005 the remark is stock's, to the letter
		return 0, fmt.Errorf("Target offset %d not in consume queue range [%d-%d]", r.offset, low, high)
	case r.exact:
		return r.offset, nil
	case r.at < 0:
		return max(high, 0), nil
	}
	to, err := b.store.OffsetByTime(topic, id, r.at, false)
	return max(to, 0), err
}

// resetAtClients asks every client of the group to set its own progress. Clients written in C++ read another form.
func (b *Broker) resetAtClients(r reset, forCpp bool) answer {
	t, ok := b.topics.Lookup(r.topic)
	if !ok {
		return fail(remoting.RespSystemError, "[reset-offset] reset offset failed, no topic in this broker. topic="+r.topic)
	}
	if t.WriteQueueNums > maxAnswerQueues {
		return tooMany
	}
	body := remoting.ResetOffsets{}
	r.exact = false
	for id := range t.WriteQueueNums {
		committed, ok := b.offsets.Query([]byte(r.group), []byte(r.topic), id)
		if !ok {
			return fail(remoting.RespSystemError, "THe consumer group <"+r.group+"> not exist")
		}
		to, err := b.resetTarget(r, id)
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		if !r.force {
			to = min(to, committed)
		}
		body.OffsetTable = append(body.OffsetTable, remoting.QueueEntry[int64]{Queue: b.queueNamed(r.topic, id), Value: to})
	}
	clients := b.members.Consumers(r.group)
	if len(clients) == 0 {
		return fail(remoting.RespConsumerNotOnline, fmt.Sprintf("Consumer not online, so can not reset offset, Group: %s Topic: %s Timestamp: %d", r.group, r.topic, r.at))
	}
	cmd := remoting.NewRequest(remoting.CodeResetConsumerClientOffset)
	cmd.Flag = remoting.FlagOneway
	cmd.Set("topic", r.topic)
	cmd.Set("group", r.group)
	cmd.SetInt("queueId", -1)
	cmd.SetInt("timestamp", r.at)
	cmd.Set("isForce", "false")
	if cmd.Body = body.AppendJSON(nil); forCpp {
		cmd.Body = resetForCpp(body.OffsetTable)
	}
	for _, client := range clients {
		if c := b.conn(client.Conn); c != nil {
			_ = c.Give(remoting.AppendCommand(nil, cmd))
		}
	}
	return answer{Remark: made.Remark, Body: body.AppendJSON(nil)}
}

// resetForCpp is the table as a list.
func resetForCpp(table []remoting.QueueEntry[int64]) []byte {
	type entry struct {
		BrokerName string `json:"brokerName"`
		Offset     int64  `json:"offset"`
		QueueID    int32  `json:"queueId"`
		Topic      string `json:"topic"`
	}
	list := make([]entry, len(table))
	for i, e := range table {
		list[i] = entry{e.Queue.BrokerName, e.Value, e.Queue.QueueID, e.Queue.Topic}
	}
	return jsonBody(map[string]any{"offsetTable": list}).Body
}
