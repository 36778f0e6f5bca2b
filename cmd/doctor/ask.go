package doctor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ringmq/bench"
	"ringmq/netpoll"
	"ringmq/netpoll/remoting"
)

// asker keeps one connection to every address that was asked. Any goroutine. An address that could not be dialled is not dialled again:
// waiting for it once is enough.
type asker struct {
	timeout time.Duration
	mu      sync.Mutex
	lines   map[string]*line
}

type line struct {
	once sync.Once
	c    *netpoll.Client
	err  error
}

func newAsker(timeout time.Duration) *asker {
	return &asker{timeout: timeout, lines: map[string]*line{}}
}

func (a *asker) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.lines {
		if l.c != nil {
			l.c.Close()
		}
	}
}

// dial connects to an address, as a client would.
func (a *asker) dial(ctx context.Context, addr string) (*netpoll.Client, error) {
	a.mu.Lock()
	l := a.lines[addr]
	if l == nil {
		l = &line{}
		a.lines[addr] = l
	}
	a.mu.Unlock()
	l.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		l.c, l.err = netpoll.Dial(ctx, addr, netpoll.DialOptions{})
	})
	if l.err != nil {
		return nil, &unreachableError{addr, l.err}
	}
	return l.c, nil
}

// unreachableError says that no connection could be made.
type unreachableError struct {
	addr string
	err  error
}

func (e *unreachableError) Unwrap() error { return e.err }

// Error is short: the address stands beside it.
func (e *unreachableError) Error() string {
	return bench.Unreachable(e.err)
}

// codeError is an answer with another code than success.
type codeError struct {
	code   int32
	remark string
}

func (e *codeError) Error() string {
	return fmt.Sprintf("code %d %s: %s", e.code, remoting.RespName(e.code), brief(e.remark))
}

// codeOf is the code that err stands for: success for nil, -1 for what is no answer.
func codeOf(err error) int32 {
	var c *codeError
	switch {
	case err == nil:
		return remoting.RespSuccess
	case errors.As(err, &c):
		return c.code
	}
	return -1
}

// call asks and returns an answer of success.
func (a *asker) call(ctx context.Context, addr string, req *remoting.Command) (*remoting.Command, error) {
	c, err := a.dial(ctx, addr)
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
		return resp, &codeError{resp.Code, string(resp.Remark)}
	}
	return resp, nil
}

// body asks and reads the answer's body into v, in either dialect of JSON.
func (a *asker) body(ctx context.Context, addr string, req *remoting.Command, v any) (*remoting.Command, error) {
	resp, err := a.call(ctx, addr, req)
	if err != nil {
		return resp, err
	}
	if err := remoting.Unmarshal(resp.Body, v); err != nil {
		return resp, fmt.Errorf("the answer to %s cannot be read: %w", remoting.CodeName(req.Code), err)
	}
	return resp, nil
}

// request makes a request of a code with fields given as key, value, key, value ...
func request(code int32, fields ...string) *remoting.Command {
	req := remoting.NewRequest(code)
	for i := 0; i < len(fields); i += 2 {
		req.Set(fields[i], fields[i+1])
	}
	return req
}
