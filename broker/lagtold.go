package broker

import (
	"encoding/json"

	"ringmq/broker/lag"
)

// lagTold is what 208 says beside a group's progress in topics, for those who ask for lag.Field.
func (b *Broker) lagTold(topics []string) answerField {
	var told lag.Told
	for _, name := range topics {
		t, ok := b.topics.Lookup(name)
		if !ok {
			continue
		}
		topic := []byte(name)
		for id := range t.ReadQueueNums {
			next := b.store.NextOffset(topic, id) // first: what comes into sight meanwhile is not hidden
			told.Hidden += max(next-max(b.store.MaxOffset(topic, id), 0), 0)
		}
	}
	text, err := json.Marshal(told)
	if err != nil {
		panic(err) // numbers
	}
	return answerField{lag.Field, string(text)}
}
