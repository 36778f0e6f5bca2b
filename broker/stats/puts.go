package stats

import (
	"bytes"

	"ringmq/broker/meta"
	"ringmq/store/tally"
)

// Puts counts what is stored in one topic, for one goroutine that stores: what it adds is gathered and counted with everybody
// else's by Flush, so that the figures that all share are touched once for many messages.
type Puts struct {
	s      *Stats
	name   []byte
	topic  *entry // nil until something was counted: a topic has figures from then on
	system bool

	kept bool // stock's metrics leave out what is tried again, and dead letters

	messages, bytes, times int64          // not counted yet
	kinds                  [kinds]*gather // those that anything came in of
}

// gather is what came in of a kind and is not counted yet.
type gather struct {
	in              *intake
	messages, bytes int64
	sizes           *tally.Turn
}

// Puts makes a counter for a topic, good until Edition changes. Any goroutine.
func (s *Stats) Puts(topic []byte) *Puts {
	return &Puts{s: s, name: bytes.Clone(topic), system: meta.IsSystemTopicName(topic),
		kept: !bytes.HasPrefix(topic, []byte(meta.RetryPrefix)) && !bytes.HasPrefix(topic, []byte(meta.DLQPrefix))}
}

// Edition changes when figures are forgotten. Any goroutine.
func (s *Stats) Edition() uint64 { return s.edition.Load() }

// Add counts messages of a kind that were stored together, of so many bytes together. It reports whether they are the first since Flush.
func (p *Puts) Add(kind Kind, messages, bytes int64) (first bool) {
	first = p.times == 0
	if p.kept {
		g := p.kinds[kind]
		if g == nil {
			g = p.gather(kind)
		}
		g.messages += messages
		g.bytes += bytes
		g.sizes.Add(bytes / messages)
	}
	p.messages += messages
	p.bytes += bytes
	p.times++
	return first
}

// gather begins to count a kind.
func (p *Puts) gather(kind Kind) *gather {
	in := p.entry().kinds.get(kind)
	p.kinds[kind] = &gather{in: in, sizes: tally.NewTurn(in.sizes)}
	return p.kinds[kind]
}

func (p *Puts) entry() *entry {
	if p.topic == nil {
		p.topic = p.s.topicPut.get(p.name)
	}
	return p.topic
}

// Flush adds to the figures what was gathered.
func (p *Puts) Flush() {
	e := p.entry()
	e.nums.add(p.messages, p.times)
	e.size.add(p.bytes, p.times)
	for _, g := range p.kinds {
		if g == nil || g.messages == 0 {
			continue
		}
		g.in.messages.Add(g.messages)
		g.in.bytes.Add(g.bytes)
		g.sizes.Flush()
		g.messages, g.bytes = 0, 0
	}
	p.s.brokerPut.value.Add(p.messages)
	if !p.system {
		p.s.userPut.value.Add(p.messages)
	}
	p.messages, p.bytes, p.times = 0, 0, 0
}
