package netpoll

import (
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"ringmq/netpoll/remoting"
)

// Verdict is what a handler says of a frame.
type Verdict uint8

const (
	// Done: the frame was dealt with; an answer was given or will be.
	Done Verdict = iota
	// Hold: the frame was not taken. The connection is not read from until Resume, then the same frame is offered again.
	Hold
)

// Handler is the product behind the sockets. All methods run on the connection's loop and must not block, but for what Opened may wait for.
type Handler interface {
	// Opened is called first of all for a connection. Connections come before Serve returns: until whoever called it has noted what it returned,
	// Opened may wait, and keeps its loop from serving anybody.
	Opened(c *Conn)
	// Closed is called exactly once for every connection that was opened. err may be nil.
	Closed(c *Conn, err error)
	// Serve takes one request. req and all it points to are valid until Serve returns; Clone it for later.
	Serve(c *Conn, req *remoting.Command) Verdict
	// Woken is called on a loop after Server.Wake(loop), once for any number of calls.
	Woken(loop int)
}

// Options of a server.
type Options struct {
	Addrs                []string                     // host:port each; a connection knows the index it came in by
	Loops                int                          // 0: GOMAXPROCS
	IdleTimeout          time.Duration                // a connection that nothing was read from for so long is closed; 0: 120 s
	OutboundBytesPerConn int                          // a peer that leaves so much unread is not read from; at four times that it is closed; 0: 16 MiB
	TotalBytes           int64                        // what all connections together may hold in buffers; above it those that hold more than one read are not read from, and from half of it on answers are to be short (Conn.Spent); 0: 256 MiB
	ShortTimeout         time.Duration                // while memory is short: how long a peer may read almost nothing, and a frame take to arrive; 0: 10 s
	MaxFrameBytes        int                          // a longer frame closes its connection; 0: 16 MiB, which is also the most
	MaxConns             int64                        // connections beyond it are closed at once; 0, or more than that: what is left of half the descriptors the process may have
	MaxConnsPerHost      int64                        // and those of one host, unless that is this machine; 0: no cap
	Servers              int                          // that share the process's descriptors; 0: 1
	Prefers              func(remote netip.Addr) bool // whose connections may take places that are kept for them beyond MaxConns, as others are for this machine; called on a loop when a cap is reached; nil: nobody's
	Logger               *slog.Logger
	Clock                func() time.Time // nil: time.Now; for tests
	// TurnEnded is called on a loop after each of its turns, whatever was done in it, before what it put out is sent; nil: not.
	TurnEnded func(loop int)
	// Rung is called on a loop when its bell has rung (Server.Bell), once for any number of times; then Woken; nil: there are no bells.
	Rung func(loop int)

	// Linger is how long a loop waits for its next event without telling Go's scheduler, with Rung set and as long as enough
	// processors (GOMAXPROCS, as of Serve) are left to others; 0: not at all. A connection that is being accepted may wait as long.
	Linger time.Duration

	sweepInterval time.Duration                       // 0: one second; for tests
	isLocal       func(remote, local netip.Addr) bool // whose connections come from this machine; nil: as IsWithin; for tests
}

func (o Options) withDefaults() Options {
	if o.Loops == 0 {
		o.Loops = runtime.GOMAXPROCS(0)
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = 120 * time.Second
	}
	if o.OutboundBytesPerConn == 0 {
		o.OutboundBytesPerConn = 16 << 20
	}
	if o.TotalBytes == 0 {
		o.TotalBytes = 256 << 20
	}
	if o.ShortTimeout == 0 {
		o.ShortTimeout = shortTimeout
	}
	if o.MaxFrameBytes == 0 || o.MaxFrameBytes > remoting.MaxFrameBytes {
		o.MaxFrameBytes = remoting.MaxFrameBytes
	}
	if o.isLocal == nil {
		o.isLocal = func(remote, local netip.Addr) bool { return IsWithin(remote, local, nil) }
	}
	if o.sweepInterval == 0 {
		o.sweepInterval = sweepInterval
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// Errors of sending.
var (
	ErrClosed     = errors.New("netpoll: connection closed")
	ErrSlowReader = errors.New("netpoll: the peer does not read")
	ErrTimeout    = errors.New("netpoll: no answer in time")
)

// Stats are counted over a server's connections.
type Stats struct {
	Connections   int64
	Paused        int64 // connections that are not read from at the moment
	InboundBytes  int64 // read and not served
	OutboundBytes int64 // answered and not taken by the peer's socket
	HeldBytes     int64 // both

	TurnedAway       int64 // connections closed as they came, because there were too many
	TurnedAwayOfHost int64 // because there were too many of their host
}
