package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// made is how stock answers a request that made something: the handler forgets to set a code.
var made = answer{Remark: "not set any response code"}

// settledTable lists the requests that are answered when the topics are on disk and in the route.
func (b *Broker) settledTable() map[int32]onWorker {
	return map[int32]onWorker{
		remoting.CodeUpdateAndCreateTopic:     b.updateTopic,
		remoting.CodeUpdateAndCreateTopicList: b.updateTopics,
		remoting.CodeDeleteTopicInBroker:      b.deleteTopic,
	}
}

// settledLater runs fn on a worker, and answers what it returned once the topics are settled: at once what was refused. Disks and name
// servers may take long; nobody waits for them on a worker.
func (b *Broker) settledLater(fn onWorker) onLoop {
	return func(c *netpoll.Conn, req *remoting.Command) netpoll.Verdict {
		bytes := netpoll.CloneBytes(req)
		if !b.pending.Take(bytes) {
			b.reply(c, req, busy)
			return netpoll.Done
		}
		own, came := req.Clone(), b.loop(c.Loop()).now()
		respond := func(a answer) {
			b.pending.Give(bytes)
			b.answeredElsewhere(own, a.Code, came)
			if !own.IsOneway() {
				_ = c.Give(encode(nil, c, own, a))
			}
		}
		started := b.workers.Try(0, func() {
			a := fn(c, own)
			if a.Code != remoting.RespSuccess {
				respond(a)
				return
			}
			b.afterSettled(func(err error) {
				if err != nil {
					a = fail(remoting.RespSystemError, err.Error())
				}
				respond(a)
			})
		})
		if !started {
			respond(busy)
		}
		return netpoll.Done
	}
}

// updateTopic serves 17: a topic is created or changed.
func (b *Broker) updateTopic(_ *netpoll.Conn, req *remoting.Command) answer {
	name := req.Text("topic")
	t := remoting.NewTopicConfig(name, 0, 0)
	for _, f := range []struct {
		key      string
		to       *int32
		optional bool
	}{
		{"readQueueNums", &t.ReadQueueNums, false}, {"writeQueueNums", &t.WriteQueueNums, false}, {"perm", &t.Perm, false},
		{"topicSysFlag", &t.TopicSysFlag, true},
	} {
		n, there, err := req.Int32(f.key)
		if err == nil && !there && !f.optional {
			err = &remoting.MissingError{Key: f.key}
		}
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		*f.to = n
	}
	if kind := req.Text("topicFilterType"); kind != "" {
		t.TopicFilterType = kind
	}
	t.Order = req.Bool("order")
	return b.putTopics([]remoting.TopicConfig{t}, []string{req.Text("attributes")})
}

// updateTopics serves 18.
func (b *Broker) updateTopics(_ *netpoll.Conn, req *remoting.Command) answer {
	var list remoting.TopicConfigList
	if err := remoting.Unmarshal(req.Body, &list); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	attributes := make([]string, len(list.TopicConfigList))
	for i := range list.TopicConfigList {
		t := &list.TopicConfigList[i]
		if t.TopicFilterType == "" {
			t.TopicFilterType = "SINGLE_TAG"
		}
		words := make([]string, 0, len(t.Attributes))
		for _, k := range slices.Sorted(maps.Keys(t.Attributes)) {
			if v := t.Attributes[k]; strings.HasPrefix(k, "-") && v == "" {
				words = append(words, k)
			} else {
				words = append(words, k+"="+v)
			}
		}
		attributes[i] = strings.Join(words, ",")
	}
	return b.putTopics(list.TopicConfigList, attributes)
}

// putTopics looks at all topics before it changes one.
func (b *Broker) putTopics(all []remoting.TopicConfig, attributes []string) answer {
	for i := range all {
		if a := b.checkTopic(&all[i], attributes[i]); a.Code != remoting.RespSuccess {
			return a
		}
	}
	if _, err := b.topics.Alter(all, attributes); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return made
}

// maxQueueNums bounds a topic's queues: answers list them all. Stock has no bound.
const maxQueueNums = 1<<16 - 1

// checkTopic says what is wrong with a topic as an operator wants it.
func (b *Broker) checkTopic(t *remoting.TopicConfig, attributes string) answer {
	if remark := meta.CheckTopicName([]byte(t.TopicName)); remark != "" {
		return fail(remoting.RespInvalidParameter, remark)
	}
	if b.system.Has(t.TopicName) {
		return fail(remoting.RespInvalidParameter, systemTopicRemark(t.TopicName))
	}
	if t.TopicFilterType != "SINGLE_TAG" && t.TopicFilterType != "MULTI_TAG" {
		// A stock broker could not read a topics.json with any other.
		return fail(remoting.RespSystemError, fmt.Sprintf("topicFilterType = [%s] value invalid", t.TopicFilterType))
	}
	if t.ReadQueueNums < 0 || t.WriteQueueNums < 0 {
		return fail(remoting.RespInvalidParameter, fmt.Sprintf("The topic[%s] has a negative number of queues.", t.TopicName))
	}
	if t.ReadQueueNums > maxQueueNums || t.WriteQueueNums > maxQueueNums {
		return fail(remoting.RespInvalidParameter, fmt.Sprintf("The topic[%s] has more than %d queues.", t.TopicName, maxQueueNums))
	}
	var current map[string]string
	old, exists := b.topics.Lookup(t.TopicName)
	if exists {
		current = old.Attributes
	}
	next, err := meta.AlterAttributes(current, attributes, !exists)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if next[meta.AttributeMessageType] == "MIXED" && !b.c.Bool("enableMixedMessageType") {
		return fail(remoting.RespSystemError, "MIXED message type is not supported.")
	}
	return answer{}
}

func systemTopicRemark(name string) string {
	return "The topic[" + name + "] is conflict with system topic."
}

// deleteTopic serves 215. The topic's messages can no longer be read, and the progress of all groups in it is gone. A topic that
// is not there but has queues is cleared all the same: an earlier deletion was cut short.
func (b *Broker) deleteTopic(_ *netpoll.Conn, req *remoting.Command) answer {
	name := req.Text("topic")
	if remark := meta.CheckStoredTopicName(name); remark != "" {
		return fail(remoting.RespInvalidParameter, remark)
	}
	if b.system.Has(name) {
		return fail(remoting.RespInvalidParameter, systemTopicRemark(name))
	}
	if _, exists := b.topics.Lookup(name); !exists && !b.hasQueues(name) {
		return answer{}
	}
	err := b.store.DeleteTopicWith(name, func() {
		b.topics.Delete(name)
		b.offsets.DeleteTopic(name)
		b.persister.Mark(b.documents.offsets, nil)
		b.stats.DeleteTopic(name)
		b.holds.wakeTopic(name)
	})
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return answer{}
}

// hasQueues says that the store has queues of a topic, whatever the table says.
func (b *Broker) hasQueues(topic string) bool {
	return slices.ContainsFunc(b.store.Queues(), func(q store.QueueID) bool { return q.Topic == topic })
}

// allTopics serves 21.
func (b *Broker) allTopics(_ *netpoll.Conn, _ *remoting.Command) answer {
	return jsonBody(b.topicTable())
}

func (b *Broker) topicTable() remoting.TopicConfigTable {
	all, version := b.topics.Snapshot()
	return remoting.TopicConfigTable{
		DataVersion: version, TopicConfigTable: all,
		TopicQueueMappingDetailMap: map[string]any{}, TopicQueueMappingInfoMap: map[string]any{},
	}
}

// oneTopic serves 351.
func (b *Broker) oneTopic(_ *netpoll.Conn, req *remoting.Command) answer {
	t, ok := b.topics.Lookup(req.Text("topic"))
	if !ok {
		return fail(remoting.RespTopicNotExist, "No topic in this broker. topic: "+req.Text("topic"))
	}
	return jsonBody(t)
}

// systemTopics serves 305: those that exist and those whose names are taken.
func (b *Broker) systemTopics(_ *netpoll.Conn, _ *remoting.Command) answer {
	return jsonBody(remoting.TopicList{TopicList: b.system.Names()})
}

// topicStats serves 202: an entry for every queue, empty ones too.
func (b *Broker) topicStats(_ *netpoll.Conn, req *remoting.Command) answer {
	name := req.Text("topic")
	t, ok := b.topics.Lookup(name)
	if !ok {
		return fail(remoting.RespTopicNotExist, "topic["+name+"] not exist")
	}
	if max(t.ReadQueueNums, t.WriteQueueNums) > maxAnswerQueues {
		return tooMany
	}
	s := remoting.TopicStats{TopicPutTps: b.stats.TopicPutTps(name)}
	for id := range max(t.ReadQueueNums, t.WriteQueueNums) {
		o := remoting.TopicOffset{MinOffset: max(b.store.MinOffset([]byte(name), id), 0), MaxOffset: b.store.MaxOffset([]byte(name), id)}
		if o.MaxOffset > 0 {
			o.LastUpdateTimestamp = max(b.store.StoreTimeAt([]byte(name), id, o.MaxOffset-1), 0)
		}
		s.OffsetTable = append(s.OffsetTable, remoting.QueueEntry[remoting.TopicOffset]{Queue: remoting.MessageQueue{BrokerName: b.name, QueueID: id, Topic: name}, Value: o})
	}
	return withBody(s.AppendJSON(nil))
}

// allConsumerOffsets serves 43, allDelayOffsets 45: the documents as slaves copy them.
func (b *Broker) allConsumerOffsets(_ *netpoll.Conn, req *remoting.Command) answer {
	_, ours := req.Get(remoting.PeerKey)
	doc, err := b.offsets.Answer(ours)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return withBody(doc)
}

func (b *Broker) allDelayOffsets(_ *netpoll.Conn, req *remoting.Command) answer {
	a := withBody(b.delay.Document())
	if _, ours := req.Get(remoting.PeerKey); ours { // the end of the log comes after the document: see delayDoc
		a.Fields = append(a.Fields, withInt(peerEndKey, b.store.LogMax()).Fields...)
	}
	return a
}
