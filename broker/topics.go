package broker

import (
	"sync"
	"sync/atomic"

	"ringmq/broker/meta"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// awaitTopic says, beside netpoll's verdicts, that a send has to wait until its topic is settled: on disk and known to the name
// servers. Otherwise a crash could leave messages without their topic.
const awaitTopic netpoll.Verdict = 0xff

// settling are the topics that were made and are not settled yet. Any goroutine.
type settling struct {
	n    atomic.Int64 // topics; a send looks no further while it is 0
	mu   sync.Mutex
	then map[string][]func() // called when the topic is settled
}

// has says whether a topic is not settled yet. No allocation.
func (s *settling) has(topic []byte) bool {
	if s.n.Load() == 0 {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.then[string(topic)]
	return ok
}

// settle makes a topic unless it is there, and has fn called once it is settled: at once, or on a goroutine that fn must not
// hold up. It does not block.
func (b *Broker) settle(t remoting.TopicConfig, fn func()) {
	s := &b.settling
	s.mu.Lock()
	if waiting, ok := s.then[t.TopicName]; ok {
		s.then[t.TopicName] = append(waiting, fn)
		s.mu.Unlock()
		return
	}
	if _, ok := b.topics.Lookup(t.TopicName); ok {
		s.mu.Unlock()
		fn()
		return
	}
	if s.then == nil {
		s.then = map[string][]func(){}
	}
	s.then[t.TopicName] = []func(){fn}
	s.n.Add(1)
	s.mu.Unlock()
	b.topics.Ensure(t)
	b.afterSettled(func(error) {
		s.mu.Lock()
		waiting := s.then[t.TopicName]
		delete(s.then, t.TopicName)
		s.n.Add(-1)
		s.mu.Unlock()
		for _, fn := range waiting {
			fn()
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

// settled waits for afterSettled. It blocks: never on a loop.
func (b *Broker) settled() error {
	done := make(chan error, 1)
	b.afterSettled(func(err error) { done <- err })
	return <-done
}

// ensureTopic makes a topic unless it is there, and returns when it is settled. It blocks: never on a loop.
func (b *Broker) ensureTopic(t remoting.TopicConfig) *remoting.TopicConfig {
	if got, ok := b.topics.Lookup(t.TopicName); !ok || b.settling.has([]byte(t.TopicName)) {
		done := make(chan struct{})
		b.settle(t, func() { close(done) })
		<-done
	} else {
		return got
	}
	got, _ := b.topics.Ensure(t)
	return got
}

// template is the configuration that a send to an unknown topic makes, as stock does; false when it may not be made.
func (b *Broker) template(h *remoting.SendHeader) (t remoting.TopicConfig, ok bool) {
	topic, from := string(h.Topic), string(h.DefaultTopic)
	d, ok := b.topics.Lookup(from)
	if !ok || from == meta.AutoCreateTopic && !b.c.Bool("autoCreateTopicEnable") || d.Perm&remoting.PermInherit == 0 {
		return remoting.NewTopicConfig(topic, 1, remoting.PermRead|remoting.PermWrite), isRetry(h.Topic)
	}
	t = remoting.NewTopicConfig(topic, max(min(h.DefaultTopicQueueNums, d.WriteQueueNums), 0), d.Perm&^remoting.PermInherit)
	t.TopicFilterType = d.TopicFilterType
	if h.UnitMode {
		t.TopicSysFlag |= 1
	}
	return t, true
}
