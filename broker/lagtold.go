package broker

import (
	"encoding/json"
	"slices"

	"ringmq/broker/lag"
)

// lagTold is what 208 says beside a group's progress in topics, for those who ask for lag.Field.
func (b *Broker) lagTold(group string, topics []string) answerField {
	var told lag.Told
	looked := b.Lags()
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
		i, ok := slices.BinarySearchFunc(looked, lag.State{Group: group, Topic: name}, lag.ByName)
		if !ok {
			continue
		}
		if since := looked[i].SlowerSince; !since.IsZero() && (told.SlowerSince.IsZero() || since.Before(told.SlowerSince)) {
			told.SlowerSince = since
		}
	}
	text, err := json.Marshal(told)
	if err != nil {
		panic(err) // numbers, and a time of this age
	}
	return answerField{lag.Field, string(text)}
}
