package broker

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// made is how stock answers a request that made something: the handler forgets to set a code.
var made = answer{Remark: "not set any response code"}

// updateTopic serves 17: a topic is created or changed, and is in the route when this answers.
func (b *Broker) updateTopic(_ *netpoll.Conn, req *remoting.Command) answer {
	name := req.Text("topic")
	t := remoting.NewTopicConfig(name, 0, 0)
	var err error
	for _, f := range []struct {
		key string
		to  *int32
	}{{"readQueueNums", &t.ReadQueueNums}, {"writeQueueNums", &t.WriteQueueNums}, {"perm", &t.Perm}, {"topicSysFlag", &t.TopicSysFlag}} {
		if *f.to, _, err = req.Int32(f.key); err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
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
		var words []string
		for k, v := range t.Attributes {
			words = append(words, k+"="+v)
		}
		attributes[i] = strings.Join(words, ",")
	}
	return b.putTopics(list.TopicConfigList, attributes)
}

// putTopics checks all topics before it changes one.
func (b *Broker) putTopics(all []remoting.TopicConfig, attributes []string) answer {
	for i := range all {
		t := &all[i]
		if remark := meta.CheckTopicName([]byte(t.TopicName)); remark != "" {
			return fail(remoting.RespInvalidParameter, remark)
		}
		if b.system.Has(t.TopicName) {
			return fail(remoting.RespInvalidParameter, "The topic["+t.TopicName+"] is conflict with system topic.")
		}
		if t.ReadQueueNums < 0 || t.WriteQueueNums < 0 {
			return fail(remoting.RespInvalidParameter, fmt.Sprintf("The topic[%s] has a negative number of queues.", t.TopicName))
		}
		old, exists := b.topics.Lookup(t.TopicName)
		current := map[string]string{}
		if exists {
			current = old.Attributes
		}
		changed, err := meta.AlterAttributes(current, attributes[i], !exists)
		if err != nil {
			return fail(remoting.RespSystemError, err.Error())
		}
		t.Attributes = changed
	}
	b.topics.Put(all...)
	if err := b.settled(); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return made
}

// deleteTopic serves 215. The topic's progress goes with it.
func (b *Broker) deleteTopic(_ *netpoll.Conn, req *remoting.Command) answer {
	name := req.Text("topic")
	if strings.TrimSpace(name) == "" {
		return fail(remoting.RespInvalidParameter, "The specified topic is blank.")
	}
	if b.system.Has(name) {
		return fail(remoting.RespInvalidParameter, "The topic["+name+"] is conflict with system topic.")
	}
	if !b.topics.Delete(name) {
		return answer{}
	}
	b.offsets.DeleteTopic(name)
	if err := b.store.DeleteTopic(name); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if err := b.settled(); err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return answer{}
}

// allTopics serves 21.
func (b *Broker) allTopics(_ *netpoll.Conn, _ *remoting.Command) answer {
	return jsonBody(remoting.TopicConfigTable{
		DataVersion: b.topics.Version(), TopicConfigTable: b.topics.All(),
		TopicQueueMappingDetailMap: map[string]any{}, TopicQueueMappingInfoMap: map[string]any{},
	})
}

// oneTopic serves 351.
func (b *Broker) oneTopic(_ *netpoll.Conn, req *remoting.Command) answer {
	t, ok := b.topics.Lookup(req.Text("topic"))
	if !ok {
		return fail(remoting.RespTopicNotExist, "No topic in this broker. topic: "+req.Text("topic"))
	}
	return jsonBody(t)
}

// systemTopics serves 305.
func (b *Broker) systemTopics(_ *netpoll.Conn, _ *remoting.Command) answer {
	list := remoting.TopicList{TopicList: []string{}}
	for name := range b.topics.All() {
		if meta.IsSystemTopic(name) || name == b.cluster || name == b.name || name == b.cluster+"_REPLY_TOPIC" {
			list.TopicList = append(list.TopicList, name)
		}
	}
	sort.Strings(list.TopicList)
	return jsonBody(list)
}

// topicStats serves 202: an entry for every queue, empty ones too.
func (b *Broker) topicStats(_ *netpoll.Conn, req *remoting.Command) answer {
	name := req.Text("topic")
	t, ok := b.topics.Lookup(name)
	if !ok {
		return fail(remoting.RespTopicNotExist, "topic["+name+"] not exist")
	}
	s := remoting.TopicStats{}
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
func (b *Broker) allConsumerOffsets(_ *netpoll.Conn, _ *remoting.Command) answer {
	doc, err := b.offsets.Document()
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	return withBody(doc)
}

func (b *Broker) allDelayOffsets(_ *netpoll.Conn, _ *remoting.Command) answer {
	doc, err := b.store.LoadDoc(store.DocDelayOffsets)
	if err != nil {
		return fail(remoting.RespSystemError, err.Error())
	}
	if !json.Valid(doc) {
		doc = b.delay.Document()
	}
	return withBody(doc)
}
