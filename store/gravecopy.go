package store

import (
	"errors"
	"fmt"
	"strconv"

	"ringmq/store/queue"
)

// Graves lists deleted topics, each with the offset of the log before which its records count no more. The edition is another one once
// something may have changed. The map is not to be changed. Any goroutine; no I/O.
func (s *Store) Graves() (edition string, ends map[string]int64) {
	g := &s.graves
	edition = strconv.FormatUint(g.run, 36) + "-" + strconv.FormatUint(g.edition.Load(), 10)
	if m := g.m.Load(); m != nil {
		ends = *m
	}
	return edition, ends
}

// BuryCopies takes over the graves of the master whose log this store copies, with the master's offsets: what the queues have of records before
// them goes. Those that lie beyond what this store has on disk and in its queues are left for later, and returned. May do I/O. It is for a store
// that takes no messages itself; ErrClosed.
func (s *Store) BuryCopies(ends map[string]int64) (later map[string]int64, err error) {
	low, have := s.log.Min(), min(s.dispatch.at.Load(), s.log.Durable().Load())
	later, fresh := map[string]int64{}, map[string]int64{}
	for topic, end := range ends {
		switch {
		case !validTopic([]byte(topic)) || end <= s.graves.behind(topic, low):
		case end > have:
			later[topic] = end
		default:
			fresh[topic] = end
		}
	}
	if len(fresh) == 0 {
		return later, nil
	}
	if err := s.graves.buryAll(fresh, low); err != nil {
		return ends, err
	}
	var erase []func() error
	if !s.dispatch.do(func() { erase, err = s.clearGraves(fresh) }) {
		return ends, fmt.Errorf("bury topics: %w", ErrClosed)
	}
	for _, fn := range erase {
		err = errors.Join(err, fn())
	}
	if err != nil {
		return later, fmt.Errorf("bury topics: %w", err)
	}
	return later, nil
}

// clearGraves forgets the queues of topics that have nothing behind their graves; the functions returned remove their files. On the dispatcher's
// goroutine.
func (s *Store) clearGraves(ends map[string]int64) (erase []func() error, err error) {
	for topic, end := range ends {
		s.logger.Info("a topic was deleted on the master", "topic", topic, "physical", end)
		if s.passedAway(s.queues.Topic(topic), end) {
			erase = append(erase, s.queues.Forget(topic))
		}
		if s.passedAway(s.batches.units.Topic(topic), end) {
			erase = append(erase, s.batches.forget(topic))
		}
		for _, q := range s.queues.Topic(topic) {
			if q.MaxPhysical() > end {
				err = errors.Join(err, q.CorrectMin(end))
				continue
			}
			s.counters.restart(topic, q.ID())
			err = errors.Join(err, q.Renew())
		}
		for _, u := range s.batches.units.Topic(topic) {
			b := s.batches.make(topic, u.ID())
			if u.MaxPhysical() > end {
				err = errors.Join(err, b.follow(end))
				continue
			}
			s.counters.restart(topic, u.ID())
			err = errors.Join(err, b.renew())
		}
	}
	return erase, err
}

// passedAway says whether all queues of a topic, of which there are some, end before an offset of the log. Their offsets begin at 0 then.
func (s *Store) passedAway(list []*queue.Queue, end int64) bool {
	for _, q := range list {
		if q.MaxPhysical() > end {
			return false
		}
	}
	for _, q := range list {
		s.counters.restart(q.Topic(), q.ID())
	}
	return len(list) > 0
}
