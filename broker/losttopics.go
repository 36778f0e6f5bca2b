package broker

import (
	"slices"
	"strings"

	"ringmq/broker/meta"
	"ringmq/store"
)

// namedLostTopics is how many of the topics that are lost the log names.
const namedLostTopics = 10

// warnOfLostTopics says so when the topics were not read from their file although there are messages: which topics have queues and are
// in no table, or that the table is gone. A topic comes back with its messages when somebody sends to it, or by updateTopic.
func (b *Broker) warnOfLostTopics(from store.DocFrom) {
	if from == store.FromItsFile {
		return
	}
	lost := b.lostTopics()
	text := "topics.json is not there or cannot be read, though the store holds messages"
	switch {
	case from == store.FromTheOneBefore && len(lost) == 0, b.store.LogMin() == b.store.LogMax() && len(lost) == 0:
		return
	case from == store.FromTheOneBefore:
		text = "topics were read from topics.json.bak, which lacks some that have messages"
	}
	b.logger.Warn(text+": a topic comes back when somebody sends to it, or by updateTopic",
		"lostTopics", len(lost), "named", strings.Join(lost[:min(len(lost), namedLostTopics)], " "))
}

// lostTopics are those that have queues and are in no table: ordinary ones first. A retry topic comes with its group.
func (b *Broker) lostTopics() []string {
	ofGroup := func(name string) bool {
		return strings.HasPrefix(name, meta.RetryPrefix) || strings.HasPrefix(name, meta.DLQPrefix)
	}
	var ordinary, ofGroups []string
	for _, name := range b.store.QueueTopics() {
		if _, known := b.topics.Lookup(name); known {
			continue
		}
		if group, retry := strings.CutPrefix(name, meta.RetryPrefix); retry {
			if _, known := b.groups.Lookup(group); known {
				continue
			}
		}
		if ofGroup(name) {
			ofGroups = append(ofGroups, name)
		} else {
			ordinary = append(ordinary, name)
		}
	}
	return slices.Concat(ordinary, ofGroups)
}
