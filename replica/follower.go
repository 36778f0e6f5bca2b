package replica

import (
	"log/slog"
	"time"

	"ringmq/store"
)

// FollowerOptions of a slave's side.
type FollowerOptions struct {
	Store  *store.Store
	Master func() string // host:port of the master's HA service as known at the moment; "": it is not known. Asked before each attempt to connect

	HeartbeatTime    time.Duration // 0: 5 s
	HousekeepingTime time.Duration // a master that says nothing for so long is left; 0: 20 s
	RetryTime        time.Duration // between attempts to connect; 0: 5 s with a stock master's manners, 1 s between ours
	Logger           *slog.Logger
}

// Follower copies a master's log into a slave's store.
type Follower struct{}

// Follow starts. Close ends it.
func Follow(o FollowerOptions) *Follower { panic("not built") }

// Close disconnects. What was received is in the store.
func (f *Follower) Close() { panic("not built") }

// FollowerState is what a slave knows of its master.
type FollowerState struct {
	Master       string // address last tried
	Connected    bool
	Ours         bool      // the master speaks the extension
	Offset       int64     // this slave has everything before it
	MasterOffset int64     // as far as the master was heard of
	LastRead     time.Time // something was read from the master last
	Refused      string    // why nothing is copied until an operator decides: "": it is
}

// State returns the state of the moment. Any goroutine.
func (f *Follower) State() FollowerState { panic("not built") }
