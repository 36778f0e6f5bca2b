package bench

import (
	"errors"
	"io"
	"strings"
	"syscall"

	"ringmq/netpoll"
)

// lossError is why a connection ended, in words for whoever runs the broker.
type lossError struct{ err error }

func (e *lossError) Unwrap() error { return e.err }

func (e *lossError) Error() string {
	// What was said in front of it, of which connection, stays.
	of, _, _ := strings.Cut(e.err.Error(), netpoll.ErrClosed.Error())
	switch {
	case errors.Is(e.err, io.EOF):
		return of + "the broker ended the connection: it was stopped or killed, or it closed the connection itself (its log says so)"
	case errors.Is(e.err, syscall.ECONNRESET), errors.Is(e.err, syscall.EPIPE):
		return of + "the connection was cut: the broker was killed, or something on the way ended it"
	}
	return strings.Replace(e.err.Error(), "netpoll: ", "", 1)
}

// endedBy is an error that ended a run after there was something to report, in such words.
func endedBy(err error) string {
	var known *lossError
	if errors.As(err, &known) {
		return err.Error()
	}
	return (&lossError{err}).Error()
}
