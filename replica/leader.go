package replica

import (
	"log/slog"
	"net/netip"
	"time"

	"ringmq/store"
)

// LeaderOptions of a master's side.
type LeaderOptions struct {
	Addr  string // host:port that slaves connect to
	Store *store.Store

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

	// Changed is called on any goroutine when Agreed has changed in another way than by growing: it must be short. nil: nobody asks.
	Changed func()
	Logger  *slog.Logger
}

// Leader serves a master's log to its slaves, and keeps Store.Confirm at what enough copies have.
type Leader struct{}

// Lead listens. Close ends it.
func Lead(o LeaderOptions) (*Leader, error) { panic("not built") }

// Addr is the address listened on.
func (l *Leader) Addr() netip.AddrPort { panic("not built") }

// Close disconnects every slave. Records that waited for copies are confirmed no more.
func (l *Leader) Close() { panic("not built") }

// Agreement says how far enough copies have the log, and whether there are enough of them at all.
type Agreement struct {
	Offset  int64         // enough copies have everything before it
	InStep  int           // copies in step, the master's own included
	Enough  bool          // InStep suffices: records wait for their copies. Otherwise records are confirmed once the master has them
	Since   time.Duration // of Uptime: when Enough became false last; answers that waited then are told FLUSH_SLAVE_TIMEOUT, later ones SLAVE_NOT_AVAILABLE
	Refuses bool          // fewer than MinCopies are in step: sends are to be refused
}

// Agreed returns the agreement of the moment. Any goroutine; it takes no lock and allocates nothing.
func (l *Leader) Agreed() Agreement { panic("not built") }

// Uptime is the clock of Agreement.Since: monotonic, since Lead.
func (l *Leader) Uptime() time.Duration { panic("not built") }

// SlaveState is what a master knows of one connected slave.
type SlaveState struct {
	Addr           string // host:port of its connection
	Ours           bool   // it speaks the extension
	AckOffset      int64  // it has everything before this
	SentOffset     int64  // it was sent everything before this
	InStep         bool
	BytesPerSecond int64
}

// Slaves lists the connected slaves. Any goroutine.
func (l *Leader) Slaves() []SlaveState { panic("not built") }
