package netpoll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
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
