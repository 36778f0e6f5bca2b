package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ringmq/netpoll"
)

// Unreachable says in few words why no connection could be made. The address is not in it.
func Unreachable(err error) string {
	var name *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there (connection refused)"
	case errors.As(err, &name):
		return fmt.Sprintf("the name %s is not known", name.Name)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that host from here"
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "no answer to the connection in time (a firewall, or no such host)"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// Strange is what something said that does not speak the protocol. The first bytes of HTTP, read as the length of a frame, are no
// error that tells anybody anything.
func Strange(err error) string {
	const http = 'H'<<24 | 'T'<<16 | 'T'<<8 | 'P'
	if strings.Contains(err.Error(), strconv.Itoa(http)) {
		return "what answers there speaks HTTP"
	}
	return err.Error()
}

// HostAddrs are the addresses of this host.
func HostAddrs() (out []netip.Addr) {
	all, _ := net.InterfaceAddrs()
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

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
	return nil, &unreachedError{what, addr, Unreachable(err), err}
}
