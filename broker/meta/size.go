package meta

import (
	"encoding/json"
	"errors"
	"fmt"

	"ringmq/netpoll/remoting"
)

// maxTableBytes bounds the text of the topics, of the groups and of the progress, each: compressed it fits into a frame, whatever the
// names are, so that a slave can copy it. Administrators and commits are refused beyond it.
const maxTableBytes = 48 << 20

var errTableFull = errors.New("the table is full")

func fullError(of string) error {
	return fmt.Errorf("%w: with this the %s would take more than %d bytes, which no slave could copy", errTableFull, of, maxTableBytes)
}

// topicBytes is the length of a topic in the answer to 21, or little more.
func topicBytes(t *remoting.TopicConfig) int64 {
	if t == nil {
		return 0
	}
	return 160 + int64(2*len(t.TopicName)+len(t.TopicFilterType)) + attributeBytes(t.Attributes)
}

// groupBytes is the length of a group in the answer to 201, or little more.
func groupBytes(g *remoting.SubscriptionGroupConfig) int64 {
	if g == nil {
		return 0
	}
	n := 420 + int64(2*len(g.GroupName)) + attributeBytes(g.Attributes)
	for _, s := range g.SubscriptionDataSet {
		n += int64(len(s.Expression)+len(s.ExpressionType)+len(s.Topic)) + 80
	}
	if len(g.GroupRetryPolicy) > 1 {
		b, err := json.Marshal(g.GroupRetryPolicy)
		if err != nil {
			panic(err) // it was read from JSON
		}
		n += int64(len(b))
	}
	return n
}

func attributeBytes(all map[string]string) (n int64) {
	for k, v := range all {
		n += int64(len(k)+len(v)) + 6
	}
	return n
}

// What a queue's progress takes in the document, about, and what that of a group in a topic does beside its queues.
const queueProgressBytes = 28

func progressBytes[T []byte | string](group, topic T) int64 {
	return int64(2*len(group)+2*len(topic)) + 32
}

// Bytes is how long the text of all topics is, about. Any goroutine, no lock.
func (t *Topics) Bytes() int64 { return t.table.bytes.Load() }

// BytesWith is Bytes with one more topic.
func (t *Topics) BytesWith(c *remoting.TopicConfig) int64 { return t.Bytes() + topicBytes(c) }

// Bytes is how long the text of all groups is, about. Any goroutine, no lock.
func (g *Groups) Bytes() int64 { return g.table.bytes.Load() }

// IsFull says that no progress in further queues is taken. Any goroutine, no lock.
func (o *Offsets) IsFull() bool { return o.bytes.Load() > maxTableBytes }
