package store

import (
	"errors"
	"fmt"
)

// QueueID names one queue of the store.
type QueueID struct {
	Topic   string
	QueueID int32
}

// DeleteTopic deletes the queues of a topic; its messages stay in the log until their segment goes. Refuse messages of
// the topic before. May do I/O.
func (s *Store) DeleteTopic(topic string) error {
	// Who reserved before the counters died lies before Max; who comes later takes new counters. That needs a Max that waits
	// for whoever has the append lock.
	s.counters.kill(topic)
	if err := s.graves.bury(topic, s.log.Max(), s.log.Min()); err != nil {
		return err
	}
	// The dispatcher only forgets the queues. Their files go here; a queue that gets the same name meanwhile writes none
	// before they are gone.
	var eraseQueues, eraseBatches func() error
	if !s.dispatch.do(func() { eraseQueues, eraseBatches = s.queues.Forget(topic), s.batches.forget(topic) }) {
		return fmt.Errorf("delete topic %s: %w", topic, ErrClosed)
	}
	if err := errors.Join(eraseQueues(), eraseBatches()); err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}
