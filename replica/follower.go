package replica

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"ringmq/store"
)

// FollowerOptions of a slave's side.
type FollowerOptions struct {
	Store  *store.Store
	ID     uint64        // says which slave this is whenever it connects: an older connection counts no more; 0: unknown
	Master func() string // host:port of the master's HA service as known at the moment; "": it is not known. Asked before each attempt to connect and with each heartbeat; any goroutine
	// MasterHas asks the master, over another connection, for the record that begins at an offset of its log. found: it has something there, raw, be that
	// a record or not. An error: it does not say, and there is no connection to it until it does. Asked of a master that does not speak the extension before
	// anything is taken from it; by one goroutine at a time; ends with ctx, which has a deadline. nil: it is taken at its word.
	MasterHas func(ctx context.Context, at int64) (raw []byte, found bool, err error)

	HeartbeatTime    time.Duration // 0: 5 s
	HousekeepingTime time.Duration // a master that says nothing for so long is left; 0: 20 s
	RetryTime        time.Duration // between attempts to connect; 0: 5 s with a stock master's manners, 1 s between ours
	CatchUpBytes     int64         // a slave that is so far behind its master writes in the manner of Store.CatchUp; 0: 64 MiB
	Logger           *slog.Logger
}

func (o FollowerOptions) withDefaults() FollowerOptions {
	if o.HeartbeatTime <= 0 {
		o.HeartbeatTime = 5 * time.Second
	}
	if o.HousekeepingTime <= 0 {
		o.HousekeepingTime = 20 * time.Second
	}
	if o.CatchUpBytes <= 0 {
		o.CatchUpBytes = 64 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Follower copies a master's log into a slave's store.
type Follower struct {
	o      FollowerOptions
	store  *store.Store
	logger *slog.Logger
	stop   context.Context
	end    context.CancelFunc
	done   chan struct{}
	unheed func()        // of the subscription to Sendable
	grown  chan struct{} // one token: Sendable has grown

	cut    cutter // of the log as it was received, in whatever connection
	manner manner
	stuck  string // why this side's store took nothing last, as it was logged; "": it takes what comes. run's own

	mu      sync.Mutex
	state   FollowerState
	failing string // what was last logged
	stock   bool   // the master spoken with last does not know the extension

	followsOurs atomic.Bool // state.Connected and state.Ours
	accepted    atomic.Bool // some master has accepted this side once
}

// manner is how a Follower differs from that of a slave.
type manner struct {
	keeps bool  // the log is never given up for a later beginning
	aside bool  // what it acknowledges counts as no copy; it keeps its log too, unless that is empty; what goes wrong here ends it
	until int64 // nothing from there on is taken, and a record ends there; 0: there is no such place
	// opaque is told of a range that is damaged on the master before it is appended; nil: nobody is
	opaque func(from, to int64) error
}

// Follow starts. Close ends it.
func Follow(o FollowerOptions) *Follower { return newFollower(o, manner{}) }

func newFollower(o FollowerOptions, how manner) *Follower {
	o = o.withDefaults()
	f := &Follower{o: o, store: o.Store, logger: o.Logger, done: make(chan struct{}), grown: make(chan struct{}, 1), manner: how}
	n := f.store.CopyBytes()
	f.cut = cutter{segmentBytes: f.store.SegmentBytes(), maxRecord: min(n, f.store.MaxRecordBytes()), maxRun: min(n, readBytes)}
	f.stop, f.end = context.WithCancel(context.Background())
	f.store.Confirm(math.MaxInt64) // a master that this store was may have left a bound
	f.unheed = f.store.Sendable().Subscribe(func(int64, error) { poke(f.grown) })
	go f.run()
	return f
}

// Close disconnects. What was received whole is in the store.
func (f *Follower) Close() {
	f.end()
	<-f.done
	f.unheed()
}

// FollowerState is what a slave knows of its master.
type FollowerState struct {
	Master       string // address last tried
	Connected    bool
	Ours         bool      // the master speaks the extension
	Offset       int64     // this slave has everything before it
	MasterOffset int64     // as far as the master was heard of
	LastRead     time.Time // something was read from the master last
	Refused      string    // why nothing is copied until an operator decides: "": it is
	DamagedBytes int64     // of the master's log were copied as they are since they are no whole records
}

// State returns the state of the moment. Any goroutine.
func (f *Follower) State() FollowerState {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	s.Offset = f.store.Sendable().Load()
	s.MasterOffset = max(s.MasterOffset, s.Offset)
	return s
}

// FollowsOurs says whether there is a connection to a master that speaks the extension. Any goroutine; no lock, no allocation.
func (f *Follower) FollowsOurs() bool { return f.followsOurs.Load() }

// began notes that a master has accepted this slave.
func (f *Follower) began(ours bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stock, f.failing = !ours, ""
	f.state.Connected, f.state.Ours, f.state.Refused = true, ours, ""
	f.followsOurs.Store(ours)
	f.accepted.Store(true)
}

func (f *Follower) change(fn func(s *FollowerState)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn(&f.state)
}

const (
	dialTimeout = 5 * time.Second
	// oursRetry and stockRetry are between attempts to connect; unknownRetry while no master is known.
	oursRetry    = time.Second
	stockRetry   = 5 * time.Second
	unknownRetry = 200 * time.Millisecond
	// refusedRetries is how many times longer a slave waits that was refused: only an operator changes that.
	refusedRetries = 6
)

// run connects again and again.
func (f *Follower) run() {
	defer close(f.done)
	for f.stop.Err() == nil {
		wait := f.attempt()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-f.stop.Done():
			timer.Stop()
		}
	}
}

// attempt follows the master for as long as one connection lasts, and says how long to wait before the next.
func (f *Follower) attempt() time.Duration {
	addr := f.o.Master()
	f.change(func(s *FollowerState) {
		if s.Master != addr {
			*s = FollowerState{Master: addr, DamagedBytes: s.DamagedBytes}
		}
	})
	if addr == "" {
		return unknownRetry
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(f.stop, "tcp", addr)
	if err == nil {
		err = f.newSession(conn.(*net.TCPConn), addr).run()
	}
	retry := oursRetry
	f.change(func(s *FollowerState) {
		if f.stock {
			retry = stockRetry
		}
		s.Connected = false
		f.followsOurs.Store(false)
		var no refusedError
		if errors.As(err, &no) {
			s.Refused = string(no)
		}
	})
	if f.o.RetryTime > 0 {
		retry = f.o.RetryTime
	}
	f.report(addr, err)
	if f.State().Refused != "" {
		retry *= refusedRetries
	}
	return retry
}

// report logs why there is no connection, once as long as it is the same.
func (f *Follower) report(addr string, err error) {
	if err == nil || f.stop.Err() != nil || errors.Is(err, errArrived) {
		return
	}
	var no refusedError
	text := err.Error()
	f.mu.Lock()
	same := f.failing == text
	f.failing = text
	f.mu.Unlock()
	var own ownLogError
	switch {
	case errors.As(err, &own):
		f.refused(addr, own.err)
	case same:
	case errors.As(err, &no):
		f.logger.Error("nothing is copied from the master until somebody decides", "master", addr, "why", text, "slaveEnd", f.store.LogMax())
	default:
		f.logger.Warn("no connection to the master", "master", addr, "error", err)
	}
}

// refused logs that this side's store takes nothing, once as long as the reason is the same, however many connections end over it. The master is no
// part of that. On run's goroutine, as takes.
func (f *Follower) refused(addr string, err error) {
	text := err.Error()
	if f.stuck != text {
		f.logger.Error("this slave's log takes nothing that the master sends", "master", addr, "error", err, "slaveEnd", f.store.LogMax())
	}
	f.stuck = text
}

// takes logs that it goes on, if it did not.
func (f *Follower) takes(addr string) {
	if f.stuck == "" {
		return
	}
	f.stuck = ""
	f.logger.Info("this slave's log takes what the master sends again", "master", addr, "slaveEnd", f.store.LogMax())
}

// ownLogError is what is wrong with this side's log: no connection to a master mends it.
type ownLogError struct{ err error }

func (e ownLogError) Error() string { return "replica: the slave's log: " + e.err.Error() }
func (e ownLogError) Unwrap() error { return e.err }

// refusedError is why master and slave do not go together.
type refusedError string

func (e refusedError) Error() string { return string(e) }
