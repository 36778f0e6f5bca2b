package bench

import (
	"context"
	"fmt"
	"time"

	"ringmq/netpoll"
)

// reachTimeout is how long a first connection and a first answer may take.
const reachTimeout = 10 * time.Second

// unreachedError says which server could not be reached, or is none, in words for a terminal.
type unreachedError struct {
	what, addr, why string // what: "broker" or "name server"
	err             error
}

func (e *unreachedError) Unwrap() error { return e.err }

func (e *unreachedError) Error() string {
	flag := map[string]string{"broker": "-b", "name server": "-n"}[e.what]
	return fmt.Sprintf("%s %s: %s; ringmq doctor %s %s looks closer", e.what, e.addr, e.why, flag, e.addr)
}

// reach connects to a server for the first time.
func reach(ctx context.Context, what, addr string) (*netpoll.Client, error) {
	limited, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	c, err := netpoll.Dial(limited, addr, netpoll.DialOptions{})
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, &unreachedError{what, addr, netpoll.Unreachable(err), err}
}
