package stats

import (
	"bytes"

	"ringmq/broker/meta"
)

// Puts counts what is stored in one topic, for one goroutine that stores: what it adds is gathered and counted with everybody
// else's by Flush, so that the figures that all share are touched once for many messages.
type Puts struct {
	s      *Stats
	name   []byte
	topic  *entry // nil until something was counted: a topic has figures from then on
	system bool

	messages, bytes, times int64 // not counted yet
}

// Puts makes a counter for a topic, good until Edition changes. Any goroutine.
func (s *Stats) Puts(topic []byte) *Puts {
	return &Puts{s: s, name: bytes.Clone(topic), system: meta.IsSystemTopicName(topic)}
}

// Edition changes when figures are forgotten. Any goroutine.
func (s *Stats) Edition() uint64 { return s.edition.Load() }

// Add counts messages that were stored together, of so many bytes together. It reports whether they are the first since Flush.
func (p *Puts) Add(messages, bytes int64) (first bool) {
	first = p.times == 0
	p.messages += messages
	p.bytes += bytes
	p.times++
	return first
}

// Flush adds to the figures what was gathered.
func (p *Puts) Flush() {
	if p.topic == nil {
		p.topic = p.s.topicPut.get(p.name)
	}
	p.topic.nums.add(p.messages, p.times)
	p.topic.size.add(p.bytes, p.times)
	p.s.brokerPut.value.Add(p.messages)
	if !p.system {
		p.s.userPut.Add(p.messages)
	}
	p.messages, p.bytes, p.times = 0, 0, 0
}
