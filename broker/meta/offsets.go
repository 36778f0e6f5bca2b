package meta

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"ringmq/netpoll/remoting"
)

// Offsets is the progress of consumer groups, consumerOffset.json on disk: per topic and group, the next queue offset of each
// queue. Committing to a known queue allocates nothing.
type Offsets struct {
	mu      sync.RWMutex
	table   map[string]map[string]map[int32]int64 // group -> topic -> queue -> offset
	pending map[string]map[string]map[int32]int64 // resets that the next pull of the queue is told
	commits int64
	version remoting.DataVersion
	clock   func() time.Time
}

type offsetsFile struct {
	DataVersion   remoting.DataVersion       `json:"dataVersion"`
	GroupTopicMap map[string][]string        `json:"groupTopicMap"`
	OffsetTable   map[string]map[int32]int64 `json:"offsetTable"`
}

// commitsPerVersion is how many commits raise the table's version by one.
const commitsPerVersion = 500

// NewOffsets reads the document (nil: none yet).
func NewOffsets(doc []byte, clock func() time.Time) (*Offsets, error) {
	o := &Offsets{table: map[string]map[string]map[int32]int64{}, pending: map[string]map[string]map[int32]int64{}, clock: clock}
	o.version.Timestamp = clock().UnixMilli()
	if len(doc) == 0 {
		return o, nil
	}
	var f offsetsFile
	if err := remoting.Unmarshal(doc, &f); err != nil {
		return nil, fmt.Errorf("consumerOffset.json: %w", err)
	}
	o.version = f.DataVersion
	for key, queues := range f.OffsetTable {
		// A broadcast consumer's key has a third part, which stays with the group.
		topic, group, ok := strings.Cut(key, "@")
		if ok {
			o.queues(o.table, []byte(group), []byte(topic), true)
			for id, offset := range queues {
				o.table[group][topic][id] = offset
			}
		}
	}
	return o, nil
}

// queues finds the queues of a group and topic, making them if asked.
func (o *Offsets) queues(in map[string]map[string]map[int32]int64, group, topic []byte, create bool) map[int32]int64 {
	topics := in[string(group)]
	if topics == nil {
		if !create {
			return nil
		}
		topics = map[string]map[int32]int64{}
		in[string(group)] = topics
	}
	queues := topics[string(topic)]
	if queues == nil && create {
		queues = map[int32]int64{}
		topics[string(topic)] = queues
	}
	return queues
}

// Commit stores progress, even backwards. It is refused while a reset of the queue waits to be told.
func (o *Offsets) Commit(group, topic []byte, queue int32, offset int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, reset := o.queues(o.pending, group, topic, false)[queue]; reset {
		return false
	}
	o.queues(o.table, group, topic, true)[queue] = offset
	o.commits++
	if o.commits%commitsPerVersion == 0 {
		o.bump()
	}
	return true
}

func (o *Offsets) bump() {
	o.version.Counter++
	o.version.Timestamp = o.clock().UnixMilli()
}

// Query returns progress, or a reset that waits to be told; ok is false when the group has none in the queue.
func (o *Offsets) Query(group, topic []byte, queue int32) (offset int64, ok bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if offset, ok = o.queues(o.pending, group, topic, false)[queue]; ok {
		return offset, true
	}
	offset, ok = o.queues(o.table, group, topic, false)[queue]
	return offset, ok
}

// Reset sets progress and has the next pull of the queue told of it.
func (o *Offsets) Reset(group, topic []byte, queue int32, offset int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queues(o.pending, group, topic, true)[queue] = offset
	o.queues(o.table, group, topic, true)[queue] = offset
	o.bump()
}

// TakeReset returns a waiting reset, once. No allocation, and next to nothing while there is none.
func (o *Offsets) TakeReset(group, topic []byte, queue int32) (offset int64, ok bool) {
	o.mu.RLock()
	offset, ok = o.queues(o.pending, group, topic, false)[queue]
	o.mu.RUnlock()
	if !ok {
		return 0, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	queues := o.queues(o.pending, group, topic, false)
	offset, ok = queues[queue]
	delete(queues, queue)
	return offset, ok
}

// TopicsOf lists the topics a group has progress in; GroupsOf the groups of a topic.
func (o *Offsets) TopicsOf(group string) []string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	names := make([]string, 0, len(o.table[group]))
	for topic := range o.table[group] {
		names = append(names, topic)
	}
	sort.Strings(names)
	return names
}

// GroupsOf lists the groups that have progress in a topic.
func (o *Offsets) GroupsOf(topic string) []string {
	o.mu.RLock()
	defer o.mu.RUnlock()
	var names []string
	for group, topics := range o.table {
		if _, ok := topics[topic]; ok {
			names = append(names, group)
		}
	}
	sort.Strings(names)
	return names
}

// DeleteTopic forgets a topic's progress in all groups.
func (o *Offsets) DeleteTopic(topic string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for group, topics := range o.table {
		delete(topics, topic)
		delete(o.pending[group], topic)
	}
	o.bump()
}

// DeleteGroup forgets a group's progress.
func (o *Offsets) DeleteGroup(group string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.table, group)
	delete(o.pending, group)
	o.bump()
}

// Document is the content of consumerOffset.json, and the answer to 43.
func (o *Offsets) Document() ([]byte, error) {
	o.mu.RLock()
	f := offsetsFile{DataVersion: o.version, GroupTopicMap: map[string][]string{}, OffsetTable: map[string]map[int32]int64{}}
	for group, topics := range o.table {
		for topic, queues := range topics {
			copied := make(map[int32]int64, len(queues))
			for id, offset := range queues {
				copied[id] = offset
			}
			f.OffsetTable[topic+"@"+group] = copied
			f.GroupTopicMap[group] = append(f.GroupTopicMap[group], topic)
		}
	}
	o.mu.RUnlock()
	for _, topics := range f.GroupTopicMap {
		sort.Strings(topics)
	}
	return json.MarshalIndent(f, "", "\t")
}
