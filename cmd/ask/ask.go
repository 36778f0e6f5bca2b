package ask

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// Asker keeps one connection to every address that was asked. Any goroutine. An address that could not be dialled is not dialled again:
// waiting for it once is enough. A connection that has ended is replaced when the address is asked next: servers close what is idle.
type Asker struct {
	timeout time.Duration
	mu      sync.Mutex
	lines   map[string]*line
}

type line struct {
	once sync.Once
	c    atomic.Pointer[netpoll.Client]
	err  error
}

// ended says that there was a connection.
func (l *line) ended() bool {
	c := l.c.Load()
	if c == nil {
		return false
	}
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// New makes one that waits so long for every connection and every answer. Close it.
func New(timeout time.Duration) *Asker {
	return &Asker{timeout: timeout, lines: map[string]*line{}}
}

// Close ends all connections.
func (a *Asker) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lines {
		if c := l.c.Load(); c != nil {
			c.Close()
		}
	}
}

// Dial connects to an address, as a client would.
func (a *Asker) Dial(ctx context.Context, addr string) (*netpoll.Client, error) {
	a.mu.Lock()
	l := a.lines[addr]
	if l == nil || l.ended() {
		l = &line{}
		a.lines[addr] = l
	}
	a.mu.Unlock()
	l.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		c, err := netpoll.Dial(ctx, addr, netpoll.DialOptions{})
		if l.err = err; err == nil {
			l.c.Store(c)
		}
	})
	if l.err != nil {
		return nil, &UnreachableError{Addr: addr, Err: l.err}
	}
	return l.c.Load(), nil
}

// UnreachableError says that no connection could be made.
type UnreachableError struct {
	Addr string
	Err  error
}

// Unwrap is the dialler's own error.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Error is short: the address stands beside it.
func (e *UnreachableError) Error() string {
	return netpoll.Unreachable(e.Err)
}

// CodeError is an answer with another code than success.
type CodeError struct {
	Code   int32
	Remark string
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("code %d %s: %s", e.Code, remoting.RespName(e.Code), Brief(e.Remark))
}

// CodeOf is the code that err stands for: success for nil, -1 for what is no answer.
func CodeOf(err error) int32 {
	var c *CodeError
	switch {
	case err == nil:
		return remoting.RespSuccess
	case errors.As(err, &c):
		return c.Code
	}
	return -1
}

// Call asks and returns an answer of success.
func (a *Asker) Call(ctx context.Context, addr string, req *remoting.Command) (*remoting.Command, error) {
	c, err := a.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	resp, err := c.Call(ctx, req)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("no answer to %s within %s", remoting.CodeName(req.Code), a.timeout)
	case err != nil:
		return nil, err
	case resp.Code != remoting.RespSuccess:
		return resp, &CodeError{Code: resp.Code, Remark: string(resp.Remark)}
	}
	return resp, nil
}

// Body asks and reads the answer's body into v, in either dialect of JSON.
func (a *Asker) Body(ctx context.Context, addr string, req *remoting.Command, v any) (*remoting.Command, error) {
	resp, err := a.Call(ctx, addr, req)
	if err != nil {
		return resp, err
	}
	if err := remoting.Unmarshal(resp.Body, v); err != nil {
		return resp, fmt.Errorf("the answer to %s cannot be read: %w", remoting.CodeName(req.Code), err)
	}
	return resp, nil
}

// Request makes a request of a code with fields given as key, value, key, value ...
func Request(code int32, fields ...string) *remoting.Command {
	req := remoting.NewRequest(code)
	for i := 0; i < len(fields); i += 2 {
		req.Set(fields[i], fields[i+1])
	}
	return req
}

// Brief is a remark for a line: its first line without the link that stock adds.
func Brief(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	s, _, _ = strings.Cut(s, "See https://")
	if s = strings.TrimSpace(s); len(s) > 200 {
		s = s[:200] + "..."
	}
	if s == "" {
		return "no remark"
	}
	return s
}
