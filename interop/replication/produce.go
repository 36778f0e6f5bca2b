package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ringmq/interop/rig"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// sendTimeout is when a producer gives up on an answer.
const sendTimeout = 4 * time.Second

// produce sends from every lane to addr until the context ends, at about rate messages a second in all.
func (h *history) produce(ctx context.Context, addr string, rate int) {
	var all sync.WaitGroup
	workers := 0
	for _, l := range h.lanes {
		workers += l.window
	}
	every := time.Duration(workers) * time.Second / time.Duration(rate)
	for _, l := range h.lanes {
		s := &sender{history: h, lane: l, addr: addr}
		for range l.window {
			all.Go(func() { s.run(ctx, every) })
		}
	}
	all.Wait()
}

// sender is the one connection of a lane, shared by its producers.
type sender struct {
	history *history
	lane    *lane
	addr    string

	mu   sync.Mutex
	conn *netpoll.Client
}

func (s *sender) run(ctx context.Context, every time.Duration) {
	for ctx.Err() == nil {
		s.history.gate.RLock()
		err := s.one(ctx)
		s.history.gate.RUnlock()
		pause := every
		if err != nil {
			pause = max(pause, 20*time.Millisecond)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// one sends one message; that it failed is in the history.
func (s *sender) one(ctx context.Context) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	h, l := s.history, s.lane
	seq := l.take()
	// Answers are waited for beyond the end: what is under way then has a fate too.
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	offset, log, err := rig.Send(wait, c, "PairProducer", topic, l.queue, h.body(l.queue, seq))
	if err == nil {
		l.promise(ack{seq, offset, log})
		h.promised.Add(1)
		h.lastTime.Store(time.Now().UnixNano())
		return nil
	}
	code, answered := rig.Refused(err)
	switch {
	case !answered && errors.Is(err, context.DeadlineExceeded):
		h.count("no answer")
		s.hangUp(c)
	case !answered:
		h.count("connection lost")
		s.hangUp(c)
	default:
		h.count(fmt.Sprintf("code %d", code))
		l.settle(seq, fateOf(code))
	}
	return err
}

// fateOf an answer that is no promise. Code 1 is what waiters get whose sync failed, so it excludes nothing.
func fateOf(code int32) fate {
	switch code {
	case remoting.RespFlushDiskTimeout, remoting.RespSlaveNotAvailable, remoting.RespFlushSlaveTimeout:
		return kept
	case remoting.RespSystemBusy, remoting.RespServiceNotAvailable, remoting.RespNoPermission, remoting.RespTopicNotExist:
		return refused
	}
	return unknown
}

func (s *sender) connect(ctx context.Context) (*netpoll.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		select {
		case <-s.conn.Done():
		default:
			return s.conn, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := rig.Dial(ctx, s.addr)
	if err == nil {
		s.conn = c
	}
	return c, err
}

func (s *sender) hangUp(c *netpoll.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Close()
	if s.conn == c {
		s.conn = nil
	}
}
