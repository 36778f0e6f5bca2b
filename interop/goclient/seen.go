package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// seen collects the bodies a consumer was given, and the offsets in order per queue.
type seen struct {
	mu     sync.Mutex
	bodies map[string]int
	queues map[int][]int64
}

// keep is a listener that is content with everything.
func (s *seen) keep(_ context.Context, m *primitive.MessageExt) consumer.ConsumeResult {
	s.add(m)
	return consumer.ConsumeSuccess
}

func (s *seen) add(m *primitive.MessageExt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies == nil {
		s.bodies, s.queues = map[string]int{}, map[int][]int64{}
	}
	s.bodies[string(m.Body)]++
	s.queues[m.Queue.QueueId] = append(s.queues[m.Queue.QueueId], m.QueueOffset)
}

func (s *seen) distinct() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bodies)
}

func (s *seen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies[text] > 0
}

// holds reports whether all bodies from one number to before another have come.
func (s *seen) holds(from, to int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := from; i < to; i++ {
		if s.bodies[string(body(i))] == 0 {
			return false
		}
	}
	return true
}

// others is a body that does not begin as told, "" if there is none.
func (s *seen) others(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := range s.bodies {
		if !strings.HasPrefix(b, prefix) {
			return b
		}
	}
	return ""
}

// inOrder reports a queue whose messages did not come in its order.
func (s *seen) inOrder() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q, offsets := range s.queues {
		if !sort.SliceIsSorted(offsets, func(i, j int) bool { return offsets[i] < offsets[j] }) {
			return fmt.Errorf("queue %d came out of order: %v", q, offsets)
		}
	}
	return nil
}
