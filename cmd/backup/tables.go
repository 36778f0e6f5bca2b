package backup

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringmq/broker"
	"ringmq/broker/meta"
	"ringmq/netpoll/remoting"
	"ringmq/store"
)

// delayDocument is delayOffset.json: the next queue offset of every delay level.
type delayDocument struct {
	DataVersion remoting.DataVersion `json:"dataVersion"`
	OffsetTable map[int32]int64      `json:"offsetTable"`
}

// ends says where a queue ends, 0 for one that is not there.
type ends func(topic string, queue int32) int64

// document is one of config/ in the making.
type document struct {
	doc  store.Doc
	text []byte
}

// tablesOf makes the documents of what a master said. Progress beyond the end of its queue is lowered to it: of a topic that was deleted
// and made again meanwhile, and of a queue whose messages the master's log no longer had, which begins at 0 again. Progress comes last:
// with older progress than topics a consumer gets something twice, with newer it would miss something.
func tablesOf(p *broker.BackupProgress, t *broker.BackupTables, end ends) (all []document, lowered int, err error) {
	topics, err := meta.NewTopics(nil, time.Now, func() {})
	if err != nil {
		return nil, 0, err
	}
	topics.Replace(t.Topics.TopicConfigTable, t.Topics.DataVersion)
	topicsText, err := topics.Document()
	if err != nil {
		return nil, 0, err
	}
	groups, err := meta.NewGroups(nil, time.Now, func() bool { return false }, func(int64) bool { return true }, func() {})
	if err != nil {
		return nil, 0, err
	}
	groups.Replace(t.Groups)
	groupsText, err := groups.Document()
	if err != nil {
		return nil, 0, err
	}
	delaysText, lowered, err := delaysOf(p.Delays, end)
	if err != nil {
		return nil, 0, err
	}
	offsetsText, n, err := offsetsOf(p.Offsets, end)
	return []document{{store.DocTopics, topicsText}, {store.DocGroups, groupsText}, {store.DocRequestMode, t.Modes}, {store.DocDelayOffsets, delaysText},
		{store.DocConsumerOffsets, offsetsText}}, lowered + n, err
}

func parseDelays(text []byte) (d delayDocument, err error) {
	if err = remoting.Unmarshal(text, &d); err != nil {
		err = fmt.Errorf("delayOffset.json: %w", err)
	}
	return d, err
}

func delaysOf(text []byte, end ends) (_ []byte, lowered int, err error) {
	d, err := parseDelays(text)
	if err != nil {
		return nil, 0, err
	}
	for level, at := range d.OffsetTable {
		if high := end(store.DelayTopic, level-1); at > high {
			d.OffsetTable[level] = high
			lowered++
		}
	}
	b, err := json.MarshalIndent(d, "", "\t")
	return b, lowered, err
}

// offsetsOf is progress without what brokers of this kind say each other of it: nobody else has this table.
func offsetsOf(t *meta.OffsetsDoc, end ends) (_ []byte, lowered int, err error) {
	t.Ours = nil
	beyond(t, end, func(queues map[int32]int64, _ string, queue int32, high int64) {
		queues[queue] = high
		lowered++
	})
	text, err := json.Marshal(t)
	if err != nil {
		return nil, 0, err
	}
	o, err := meta.NewOffsets(text, time.Now)
	if err != nil {
		return nil, 0, err
	}
	text, err = o.Document()
	return text, lowered, err
}

// beyond calls fn for all progress that lies behind the end of its queue.
func beyond(t *meta.OffsetsDoc, end ends, fn func(queues map[int32]int64, key string, queue int32, high int64)) {
	for key, queues := range t.OffsetTable {
		topic, _, _ := strings.Cut(key, "@")
		for queue, at := range queues {
			if high := end(topic, queue); at > high {
				fn(queues, key, queue, high)
			}
		}
	}
}
