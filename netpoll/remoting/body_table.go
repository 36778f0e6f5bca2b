package remoting

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// QueueEntry is one pair of a table whose keys are queues.
type QueueEntry[V any] struct {
	Queue MessageQueue
	Value V
}

// QueueTable is a table whose keys are queues. The reference broker's JSON writes such a key as an object
// ({{"brokerName":"b","queueId":0,"topic":"T"}:9}), which encoding/json cannot, so the table is a slice here: read by
// Unmarshal in the order of the text and written by AppendQueueTable.
type QueueTable[V any] []QueueEntry[V]

// AppendQueueTable appends {{queue}:value,...}.
func AppendQueueTable[V any](dst []byte, table QueueTable[V]) []byte {
	dst = append(dst, '{')
	for i, e := range table {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSON(dst, e.Queue), ':')
		dst = appendJSON(dst, e.Value)
	}
	return append(dst, '}')
}

// UnmarshalJSON reads the table in the form that StandardJSON gives it: every key is the text of a queue.
func (t *QueueTable[V]) UnmarshalJSON(b []byte) error {
	*t = nil
	d := json.NewDecoder(bytes.NewReader(b))
	open, err := d.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("a table of queues begins with %v", open)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var e QueueEntry[V]
		if err := json.Unmarshal([]byte(key.(string)), &e.Queue); err != nil {
			return fmt.Errorf("key of a table of queues: %w", err)
		}
		if err := d.Decode(&e.Value); err != nil {
			return err
		}
		*t = append(*t, e)
	}
	_, err = d.Token()
	return err
}

// appendJSON appends v as JSON. The types of this package cannot fail to encode.
func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(dst, b...)
}
