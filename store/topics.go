package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// QueueID names one queue of the store.
type QueueID struct {
	Topic   string
	QueueID int32
}

// QueueTopics lists the topics that have queues, by name. Any goroutine.
func (s *Store) QueueTopics() []string {
	all := append(s.queues.Topics(), s.batches.names()...)
	slices.Sort(all)
	return slices.Compact(all)
}

// DeleteTopic deletes the queues of a topic; its messages stay in the log until their segment goes. Messages of the topic are refused
// meanwhile, ErrNotWritable. After an error the queues may be there, and go on where they were. May do I/O. ErrMalformed for a topic that
// cannot name a folder; ErrClosed.
func (s *Store) DeleteTopic(topic string) error { return s.DeleteTopicWith(topic, func() {}) }

// DeleteTopicWith is DeleteTopic for a caller with tables of its own: buried is called once it is durable that the topic is deleted, and
// before its queues go, and not at all where that fails. So a crash never leaves queues of a topic that no table has: they would be
// there when a topic of that name is made again, perhaps of another kind.
func (s *Store) DeleteTopicWith(topic string, buried func()) error {
	if !validTopic(topic) {
		return fmt.Errorf("delete topic %q: %w", topic, ErrMalformed)
	}
	// Who reserved before the counters died lies before Max; who comes later finds none until they are released. That needs a Max that
	// waits for whoever has the append lock.
	back := s.counters.kill(topic)
	end := s.log.Max()
	release := sync.OnceFunc(func() { s.counters.release(topic, back) })
	defer release()
	// A grave behind the end that the log will have after a power cut would swallow what comes later. A log that failed takes
	// nothing more, and the next start cuts the grave to what is left of it.
	if err := s.log.Durable().Wait(s.stop, end); s.stop.Err() != nil {
		return fmt.Errorf("delete topic %s: %w", topic, ErrClosed)
	} else if err != nil && s.log.Err() == nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	if err := s.graves.bury(topic, end, s.log.Min()); err != nil {
		return err
	}
	buried()
	// The dispatcher only forgets the queues. Their files go here; a queue that gets the same name meanwhile writes none
	// before they are gone.
	var eraseQueues, eraseBatches func() error
	if !s.dispatch.do(func() { eraseQueues, eraseBatches = s.queues.Forget(topic), s.batches.forget(topic) }) {
		return fmt.Errorf("delete topic %s: %w", topic, ErrClosed)
	}
	back = nil // the queues are gone: their offsets begin at 0
	release()
	if err := errors.Join(eraseQueues(), eraseBatches()); err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}
