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
	// Who reserved before the counters died lies before Max; who comes later takes new counters.
	s.counters.kill(topic)
	if err := s.graves.bury(topic, s.log.Max(), s.log.Min()); err != nil {
		return err
	}
	err := ErrClosed
	s.dispatch.do(func() { err = errors.Join(s.queues.Delete(topic), s.batches.delete(topic)) })
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return nil
}
