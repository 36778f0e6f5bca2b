package namesrv

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Turns asks every event loop for a sign of life, which it waits for until ctx ends. After Start; any goroutine.
func (s *Server) Turns(ctx context.Context) (string, error) {
	return s.net.Turns(ctx)
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
