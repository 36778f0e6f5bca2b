package broker

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/broker/meta"
	"ringmq/netpoll/remoting"
)

// A send waits until its topic is settled: on disk and known to the name servers. Otherwise a crash could leave messages without
// their topic.

// settling are the topics that sends wait for and that are not settled yet. Any goroutine.
type settling struct {
	n      atomic.Int64 // topics; a send looks no further while it is 0
	mu     sync.Mutex
	topics map[string]*unsettled
}

// unsettled is a topic that is being written and registered, over and over until it is written.
type unsettled struct {
	waiting []func(error) // called at the end of the attempt at hand
	err     error         // of the last attempt: nobody waits, sends are refused
}

// topicState says whether a message may be acknowledged in a topic.
type topicState uint8

const (
	topicSettled topicState = iota
	topicWaits              // it is about to be written and registered
	topicFailed             // it could not be written: a crash would forget it
)

// settleRetry is how long a topic that could not be written waits for the next attempt.
const settleRetry = time.Second

// topicState is the state of a topic that is in the table. No allocation.
func (b *Broker) topicState(topic []byte) topicState {
	s := &b.settling
	if s.n.Load() != 0 {
		s.mu.Lock()
		u := s.topics[string(topic)]
		failed := u != nil && u.err != nil
		s.mu.Unlock()
		if failed {
			return topicFailed
		}
		if u != nil {
			return topicWaits
		}
	}
	if b.topics.Unsaved(topic) {
		return topicWaits
	}
	return topicSettled
}

// settle makes a topic unless it is there, and has fn called once it is settled, or could not be: at once, or on a goroutine that fn
// must not hold up. It does not block.
func (b *Broker) settle(t remoting.TopicConfig, fn func(error)) {
	s := &b.settling
	s.mu.Lock()
	if u := s.topics[t.TopicName]; u != nil {
		err := u.err
		if err == nil {
			u.waiting = append(u.waiting, fn)
		}
		s.mu.Unlock()
		if err != nil {
			fn(err)
		}
		return
	}
	if _, ok := b.topics.Lookup(t.TopicName); ok && !b.topics.Unsaved([]byte(t.TopicName)) {
		s.mu.Unlock()
		fn(nil)
		return
	}
	if s.topics == nil {
		s.topics = map[string]*unsettled{}
	}
	s.topics[t.TopicName] = &unsettled{waiting: []func(error){fn}}
	s.n.Add(1)
	s.mu.Unlock()
	b.topics.Ensure(t)
	b.trySettle(t.TopicName)
}

// trySettle makes an attempt, and the next one after a while if the topic could not be written.
func (b *Broker) trySettle(topic string) {
	s := &b.settling
	b.afterSettled(func(err error) {
		s.mu.Lock()
		u := s.topics[topic]
		waiting := u.waiting
		u.waiting, u.err = nil, err
		if err == nil {
			delete(s.topics, topic)
			s.n.Add(-1)
		}
		s.mu.Unlock()
		for _, fn := range waiting {
			fn(err)
		}
		if err != nil && !errors.Is(err, meta.ErrClosed) {
			time.AfterFunc(settleRetry, func() { b.trySettle(topic) })
		}
	})
}

// afterSettled has fn called when the topics as they are now are on disk, or could not be written, and registered.
func (b *Broker) afterSettled(fn func(error)) {
	var left atomic.Int32
	left.Store(2)
	var saved error
	b.registrar.after(func() {
		if left.Add(-1) == 0 {
			fn(saved)
		}
	})
	b.persister.Mark(b.documents.topics, func(err error) {
		saved = err
		if left.Add(-1) == 0 {
			fn(saved)
		}
	})
}

// template is the configuration that a send to an unknown topic makes, as stock does; false when it may not be made.
func (b *Broker) template(h *remoting.SendHeader) (t remoting.TopicConfig, ok bool) {
	topic, from := string(h.Topic), string(h.DefaultTopic)
	d, ok := b.topics.Lookup(from)
	if !ok || from == meta.AutoCreateTopic && !b.c.Bool("autoCreateTopicEnable") || d.Perm&remoting.PermInherit == 0 {
		t = remoting.NewTopicConfig(topic, 1, remoting.PermRead|remoting.PermWrite)
		return t, isRetry(h.Topic) && b.mayMakeTopic(&t)
	}
	t = remoting.NewTopicConfig(topic, max(min(h.DefaultTopicQueueNums, d.WriteQueueNums), 0), d.Perm&^remoting.PermInherit)
	t.TopicFilterType = d.TopicFilterType
	if h.UnitMode {
		t.TopicSysFlag |= 1
	}
	return t, b.mayMakeTopic(&t)
}
