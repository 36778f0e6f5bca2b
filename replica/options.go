package replica

import (
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"ringmq/store"
)

// LeaderOptions of a master's side.
type LeaderOptions struct {
	Addr  string // host:port that slaves connect to
	Store *store.Store

	// Lets says whether a connection comes from where slaves are; it must be short. nil: slaves are everywhere.
	Lets func(remote, local netip.Addr) bool

	// Copies an acknowledged record must have, the master's own included; 1: no slave is waited for. With Auto it is as many as are
	// in step, but MinCopies at least.
	Copies    int
	MinCopies int
	Auto      bool

	SlaveTimeout     time.Duration // a slave that acknowledged nothing for so long while something waited for it is out of step; 0: 3 s
	MaxGapBytes      int64         // and one that is so far behind; 0: 256 MiB
	HeartbeatTime    time.Duration // 0: 5 s
	HousekeepingTime time.Duration // a slave that says nothing for so long is disconnected; 0: 20 s
	MaxBytesPerSec   int64         // to one slave; 0: no bound
	PieceBytes       int           // of the log are sent at once, at most; 0: 32 KiB to a stock slave, 1 MiB between ours

	// Changed is called on any goroutine when Agreed has changed in another way than by growing: it must be short, and call no Slaves and
	// no Close. nil: nobody asks.
	Changed func()
	Logger  *slog.Logger

	sendfile func(out, in int, at *int64, n int) (int, error) // the kernel's, but for a test
}

func (o LeaderOptions) withDefaults() LeaderOptions {
	if o.sendfile == nil {
		o.sendfile = unix.Sendfile
	}
	if o.SlaveTimeout <= 0 {
		o.SlaveTimeout = 3 * time.Second
	}
	if o.MaxGapBytes <= 0 {
		o.MaxGapBytes = 256 << 20
	}
	if o.HeartbeatTime <= 0 {
		o.HeartbeatTime = 5 * time.Second
	}
	if o.HousekeepingTime <= 0 {
		o.HousekeepingTime = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// piece is how much of the log a slave is sent at once.
func (o *LeaderOptions) piece(ours bool) int {
	switch {
	case ours && o.PieceBytes > 0:
		return min(o.PieceBytes, maxPieceBytes)
	case ours:
		return pieceBytes
	case o.PieceBytes > 0:
		return min(o.PieceBytes, maxStockPieceBytes)
	}
	return stockPieceBytes
}
