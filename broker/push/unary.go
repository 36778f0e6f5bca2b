package push

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// caller makes unary calls of gRPC: a POST over HTTP/2 whose body is one message behind five bytes, and whose answer has the like and, in its
// trailers, how it went. One call at a time.
type caller struct {
	base      string
	header    http.Header
	timeout   time.Duration
	transport *http.Transport

	mu     sync.Mutex
	conns  map[*conn]struct{} // that are open
	closed bool
}

const (
	frameHead = 5        // compressed or not, and the message's length
	maxAnswer = 64 << 10 // bytes
	maxHeader = 64 << 10 // bytes of an answer's header
	maxText   = 300      // characters of a collector's in the log
	maxMillis = 1e8 - 1  // of a time-out: gRPC has eight digits
)

func newCaller(o OTLPOptions) *caller {
	c := &caller{base: strings.TrimSuffix(o.Target, "/"), header: http.Header{}, timeout: o.Timeout, conns: map[*conn]struct{}{}}
	for name, value := range o.Header {
		c.header.Set(name, value)
	}
	within := strconv.FormatInt(o.Timeout.Milliseconds(), 10) + "m"
	if o.Timeout.Milliseconds() > maxMillis {
		within = strconv.FormatInt(int64(o.Timeout/time.Second), 10) + "S"
	}
	for name, value := range map[string]string{"Content-Type": "application/grpc", "Te": "trailers", "Grpc-Timeout": within, "User-Agent": o.Agent} {
		c.header.Set(name, value)
	}
	speaks := &http.Protocols{}
	speaks.SetHTTP2(true)
	speaks.SetUnencryptedHTTP2(true)
	// A connection that a call gave up on is still being opened: that ends too.
	dialer := &net.Dialer{Timeout: o.Timeout + time.Second}
	c.transport = &http.Transport{
		Protocols: speaks, TLSClientConfig: o.TLS.Clone(), TLSHandshakeTimeout: dialer.Timeout, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			opened, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return c.keep(opened)
		},
	}
	return c
}

// call sends a message, which begins behind the first frameHead bytes of frame, and returns the answer's.
func (c *caller) call(ctx context.Context, method string, frame []byte) ([]byte, error) {
	frame[0] = 0
	binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-frameHead))
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := c.post(limited, method, frame)
	if err == nil {
		return answer, nil
	}
	if status := (*statusError)(nil); !errors.As(err, &status) {
		// Nobody knows what the connection is still good for.
		c.hangUp()
	}
	if ctx.Err() == nil && limited.Err() != nil {
		return nil, fmt.Errorf("no answer within %v", c.timeout)
	}
	return nil, err
}

func (c *caller) post(ctx context.Context, method string, frame []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+method, bytes.NewReader(frame))
	if err != nil {
		return nil, err
	}
	req.Header = c.header
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "application/grpc") {
		return nil, fmt.Errorf("answered %.*s with %.*q: this is no gRPC", maxText, resp.Status, maxText, kind)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	// An answer without a message has its status among the headers.
	if resp.Header.Get("Grpc-Status") != "" {
		return nil, statusOf(resp.Header)
	}
	if err := statusOf(resp.Trailer); err != nil {
		return nil, err
	}
	return messageOf(body)
}

// messageOf is the message of an answer that has one.
func messageOf(body []byte) ([]byte, error) {
	if len(body) < frameHead || int64(binary.BigEndian.Uint32(body[1:])) != int64(len(body)-frameHead) {
		return nil, errors.New("the answer is not one message")
	}
	if body[0] != 0 {
		return nil, errors.New("the answer is compressed, and nobody asked for it")
	}
	return body[frameHead:], nil
}

// statusError is a call's end that is not success.
type statusError struct {
	code int
	text string
}

// codes of gRPC by number.
var codes = [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}

// Error implements error.
func (e *statusError) Error() string {
	name := strconv.Itoa(e.code)
	if e.code >= 0 && e.code < len(codes) {
		name = codes[e.code]
	}
	return fmt.Sprintf("the collector answers %s: %.*s", name, maxText, e.text)
}

// statusOf is how a call went, by the headers that say it.
func statusOf(h http.Header) error {
	code, err := strconv.Atoi(h.Get("Grpc-Status"))
	if err != nil {
		return errors.New("the answer has no status: this is no gRPC")
	}
	if code == 0 {
		return nil
	}
	text := h.Get("Grpc-Message")
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	return &statusError{code, text}
}

// conn is a connection that is remembered until it is closed.
type conn struct {
	net.Conn
	of *caller
}

// Close implements net.Conn.
func (n *conn) Close() error {
	n.of.mu.Lock()
	delete(n.of.conns, n)
	n.of.mu.Unlock()
	return n.Conn.Close()
}

// keep remembers a connection that was opened; after close it closes it.
func (c *caller) keep(opened net.Conn) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = opened.Close()
		return nil, net.ErrClosed
	}
	n := &conn{opened, c}
	c.conns[n] = struct{}{}
	return n, nil
}

// hangUp closes all connections: one that a call was given up on may never answer again.
func (c *caller) hangUp() {
	c.mu.Lock()
	open := slices.Collect(maps.Keys(c.conns))
	c.mu.Unlock()
	for _, n := range open {
		_ = n.Close()
	}
	c.transport.CloseIdleConnections()
}

func (c *caller) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.hangUp()
}
