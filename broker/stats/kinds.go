package stats

import (
	"bytes"
	"sync/atomic"

	"ringmq/netpoll/remoting"
	"ringmq/store/record"
	"ringmq/store/tally"
)

// Kind is what a send says of its message, as stock's metrics tell them apart.
type Kind uint8

// The kinds, named by Kind.String as the label message_type.
const (
	Normal Kind = iota
	Fifo
	Delay
	Transaction
	kinds
)

func (k Kind) String() string { return [kinds]string{"normal", "fifo", "delay", "transaction"}[k] }

// KindOf tells the kind by the properties that the producer gave.
func KindOf(k *record.Known) Kind {
	switch {
	case bytes.EqualFold(k.Transaction, []byte("true")):
		return Transaction
	case k.Sharding != nil:
		return Fifo
	case k.Delay != nil || k.TimerWhen != nil || k.StartDeliver != nil:
		return Delay
	}
	return Normal
}

// messageBytes are the bounds of stock's histogram of sizes.
var messageBytes = []int64{1 << 10, 4 << 10, 512 << 10, 1 << 20, 2 << 20, 4 << 20}

// intake is what came in to a topic of one kind.
type intake struct {
	messages, bytes atomic.Int64
	sizes           *tally.Histogram // of a send, the average of its messages
}

// byKind are a topic's intakes, each made with the first message.
type byKind [kinds]atomic.Pointer[intake]

func (b *byKind) get(k Kind) *intake {
	if in := b[k].Load(); in != nil {
		return in
	}
	in := &intake{sizes: tally.New(messageBytes...)}
	if !b[k].CompareAndSwap(nil, in) {
		in = b[k].Load()
	}
	return in
}

func (b *byKind) add(k Kind, messages, bytes int64) {
	in := b.get(k)
	in.messages.Add(messages)
	in.bytes.Add(bytes)
	in.sizes.Add(bytes / messages)
}

// Intake is what came in to a topic of one kind since the start.
type Intake struct {
	Topic string
	Kind  Kind
	in    *intake
}

// Append appends the figures of the moment: messages, bytes, the sum of the sizes, and how many sizes fell within each of MessageBytes.
func (i Intake) Append(dst []int64) []int64 {
	return i.in.sizes.AppendCounts(append(dst, i.in.messages.Load(), i.in.bytes.Load(), i.in.sizes.Sum()))
}

// MessageBytes are the bounds of the sizes of an Intake; one more bucket takes what lies beyond.
func MessageBytes() []int64 { return messageBytes }

// Intakes calls fn for every topic and kind that anything came in of. fn must be short.
func (s *Stats) Intakes(fn func(Intake)) {
	s.topicPut.each(func(topic string, e *entry) {
		for k := range kinds {
			if in := e.kinds[k].Load(); in != nil {
				fn(Intake{Topic: topic, Kind: k, in: in})
			}
		}
	})
}

// Outlet is what went out of a topic to a group since the start. Key is topic@group.
type Outlet struct {
	Key             string
	Messages, Bytes int64
}

// Outlets calls fn for every topic and group that anything went to. fn must be short.
func (s *Stats) Outlets(fn func(Outlet)) { s.groupGet.pairs(fn) }

// GivenBack calls fn for every group that gave messages back, with how many since the start. That goes on when their topics are deleted. fn
// must be short.
func (s *Stats) GivenBack(fn func(group string, messages int64)) {
	s.givenBack.each(func(group string, e *entry) { fn(group, e.nums.value.Load()) })
}

// DeadLetters calls fn for every topic and group whose messages became dead letters. fn must be short.
func (s *Stats) DeadLetters(fn func(Outlet)) { s.dead.pairs(fn) }

// DeadLetter counts a message of a topic that a group gave up. Any goroutine.
func (s *Stats) DeadLetter(group, topic string) { s.dead.get([]byte(topic+"@"+group)).nums.add(1, 1) }

// Creation tells attempts to make or change topics and groups apart.
type Creation struct {
	Topic  bool // not a group
	Failed bool
	System bool // a topic of the system's
}

// createdMicros are the bounds of stock's histograms, which are milliseconds there.
var createdMicros = []int64{10_000, 100_000, 1_000_000, 3_000_000, 5_000_000}

func creations() map[Creation]*tally.Histogram {
	m := map[Creation]*tally.Histogram{}
	for _, failed := range []bool{false, true} {
		m[Creation{Failed: failed}] = tally.New(createdMicros...)
		for _, system := range []bool{false, true} {
			m[Creation{Topic: true, Failed: failed, System: system}] = tally.New(createdMicros...)
		}
	}
	return m
}

// Created counts how long an attempt took, in microseconds. Any goroutine.
func (s *Stats) Created(c Creation, micros int64) { s.created[c].Add(micros) }

// Creations calls fn for every kind of attempt.
func (s *Stats) Creations(fn func(Creation, tally.Counts)) {
	for c, h := range s.created {
		fn(c, h.Counts())
	}
}

// RpcKey tells answers apart: those that waited for messages to come, and requests that want none.
type RpcKey struct {
	Request, Response int32
	LongPolling       bool
	Oneway            bool
}

// maxRpcKeys bounds them. There are about a hundred.
const maxRpcKeys = 1000

// rpcMicros are the bounds of stock's histogram, which are milliseconds there.
var rpcMicros = []int64{1_000, 3_000, 5_000, 7_000, 10_000, 100_000, 1_000_000, 2_000_000, 3_000_000}

// Rpc is the histogram of how long requests took, in microseconds. For a request that is not served take UnknownRequest. Any goroutine;
// no allocation for one that there was before.
func (s *Stats) Rpc(k RpcKey) *tally.Histogram {
	r := &s.rpcs
	r.mu.RLock()
	h := r.m[k]
	r.mu.RUnlock()
	if h != nil {
		return h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if h = r.m[k]; h != nil {
		return h
	}
	if len(r.m) >= maxRpcKeys {
		k = RpcKey{Request: UnknownRequest, Response: remoting.RespSystemError}
		if h = r.m[k]; h != nil {
			return h
		}
	}
	h = tally.New(rpcMicros...)
	r.m[k] = h
	return h
}

// UnknownRequest stands for the codes of all requests that are not served.
const UnknownRequest = -1

// Rpcs calls fn for every kind of answer there was.
func (s *Stats) Rpcs(fn func(RpcKey, tally.Counts)) {
	s.rpcs.mu.RLock()
	defer s.rpcs.mu.RUnlock()
	for k, h := range s.rpcs.m {
		fn(k, h.Counts())
	}
}
