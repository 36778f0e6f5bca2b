package namesrv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Turns asks every event loop for a sign of life, which it waits for until ctx ends. After Start; any goroutine.
func (s *Server) Turns(ctx context.Context) (string, error) {
	began := time.Now()
	if silent := s.net.Silent(ctx); len(silent) > 0 {
		return "", fmt.Errorf("%d of %d do not answer within %s: number %s", len(silent), s.net.Loops(), time.Since(began).Round(time.Millisecond),
			strings.Trim(strings.ReplaceAll(fmt.Sprint(silent), " ", ", "), "[]"))
	}
	return fmt.Sprintf("%d answered within %s", s.net.Loops(), time.Since(began).Round(time.Microsecond)), nil
}

// Serves looks whether routes are answered. After Start; any goroutine.
func (s *Server) Serves(context.Context) (string, error) {
	select {
	case <-s.stop:
		return "", errors.New("the name server is stopping")
	default:
	}
	if wait := s.waits(); wait > 0 {
		return "", fmt.Errorf("routes are not answered for another %s (needWaitForService)", wait.Round(time.Second))
	}
	_, brokers, live, topics, _ := s.routes.sizes()
	return fmt.Sprintf("%d broker names, %d brokers, %d topics", brokers, live, topics), nil
}

// waits is how long no route is answered yet: after a start brokers need time to register.
func (s *Server) waits() time.Duration {
	if !s.v.Bool("needWaitForService") {
		return 0
	}
	return max(0, time.Duration(s.v.Int("waitSecondsForService"))*time.Second-s.o.Clock().Sub(s.started))
}
