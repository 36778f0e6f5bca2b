package netpoll

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// tick is a question to a loop whether it goes round: at most one at a time, however many ask.
type tick struct {
	mu    sync.Mutex
	waits chan struct{}  // closed when the loop came to it; nil: nobody asks
	of    gnet.EventLoop // that was asked; an engine that ended by itself takes the question along
}

// tick asks. It returns nil where there is nothing to wait for: the loop never had a connection, or it is at its end.
func (l *loop) tick() <-chan struct{} {
	l.asked.mu.Lock()
	defer l.asked.mu.Unlock()
	l.s.gate.RLock()
	el := l.el
	l.s.gate.RUnlock()
	if l.asked.waits != nil && l.asked.of == el {
		return l.asked.waits
	}
	l.asked.waits = nil
	of := l.runOn(l.tock) // not always el: the loop's first connection may come in between
	if of == nil {
		return nil
	}
	l.asked.waits, l.asked.of = make(chan struct{}), of // tock waits for asked.mu
	return l.asked.waits
}

// tock answers, on the loop.
func (l *loop) tock() {
	l.asked.mu.Lock()
	defer l.asked.mu.Unlock()
	if l.asked.waits != nil {
		close(l.asked.waits)
		l.asked.waits = nil
	}
}

// Silent asks every loop for a sign of life and returns those, by number, that gave none before ctx ended. A loop that never had a
// connection has nobody to keep waiting, and is none of them. Any goroutine but a loop's; several may ask at a time.
func (s *Server) Silent(ctx context.Context) []int {
	all := make([]<-chan struct{}, len(s.loops))
	for i, l := range s.loops {
		all[i] = l.tick()
	}
	var silent []int
	for i, answered := range all {
		if answered == nil {
			continue
		}
		select {
		case <-answered:
			continue
		default:
		}
		select {
		case <-answered:
		case <-ctx.Done():
			silent = append(silent, i)
		}
	}
	return silent
}

// Turns is Silent for people: how many loops there are, and how long their answers took, or as an error which of them gave none.
func (s *Server) Turns(ctx context.Context) (string, error) {
	began := time.Now()
	silent := s.Silent(ctx)
	took := time.Since(began)
	if len(silent) > 0 {
		numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(silent), " ", ", "), "[]")
		return "", fmt.Errorf("%d of %d do not answer within %s: number %s", len(silent), len(s.loops), took.Round(time.Millisecond), numbers)
	}
	return fmt.Sprintf("%d answered within %s", len(s.loops), took.Round(time.Microsecond)), nil
}
