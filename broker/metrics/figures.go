package metrics

import (
	"ringmq/broker/quota"
	"ringmq/broker/stats"
	"ringmq/netpoll"
	"ringmq/store"
	"ringmq/store/tally"
)

// Source is a broker that is asked.
type Source interface {
	// Figures are those of the moment. Any goroutine; it may do a little I/O.
	Figures() Figures
	// Stats are the counters by topic, group and request. Any goroutine, which may ask them anything at any time; no I/O.
	Stats() *stats.Stats
	// Lags are how far behind groups are: at most so many that have the most messages waiting, and the sum of the others. One goroutine at a time;
	// it may wait for the disk, for a fraction of a second whatever the disk does.
	Lags(most int) (top []Lag, others Lag)
	// Unattended is what waits for groups that have no member: at most so many groups and topics that most waits for, and the messages of the
	// others. Any goroutine.
	Unattended(most int) (top []Unattended, others int64)
}

// Figures of a broker that are no counters by topic, group or request.
type Figures struct {
	Permission     int32
	Topics, Groups int
	Waiting        map[string]int // requests that wait, by what stock calls the processor
	Producers      []Clients
	Consumers      []Clients

	Store                     store.Stats
	Written, Durable          int64 // offsets of the log
	CommitBytes, CommitMicros tally.Counts

	Net       netpoll.Stats
	Loops     []Loop
	Reads     map[string]int64 // pulls that found messages, by where they came from
	HeldPulls int64
	HeldBytes int64 // of pulls that wait
	Pending   int64 // bytes of requests that wait for workers and others
	SlowSends int64
	SlowPulls int64
	Copying   Copying
	Active    bool
	Pushes    Pushes

	// EachClient calls fn with every client: its name, the bytes it moves a second, what it has used. nil: there are none. Any goroutine.
	EachClient func(fn func(name string, bytesPerSecond int64, used *quota.Counts))
	OverQuota  map[string]int64 // clients above a limit, by its kind
	QuotaWaits map[string]int64 // requests of them that had to wait

	NameServers map[string]bool // those that are configured, by address; true: it has the broker in its tables

	LagAlarms                      []LagAlarm // that stand
	LagAlarmsBegun, LagAlarmsEnded int64
}

// Pushes are the times that the broker handed its metrics on by itself.
type Pushes struct {
	On           bool // it does
	Done, Failed int64
}

// Clients are connections that have all of this in common.
type Clients struct {
	Group       string // of consumers
	Language    string
	Version     int32
	ConsumeType string // of consumers
	Count       int
}

// Loop is an event loop.
type Loop struct {
	Turns  tally.Counts // how long turns took that answered anything, in microseconds
	Parked int64        // answers that wait for the log
}

// Copying is replication as this broker sees it.
type Copying struct {
	Slave bool

	// of a master
	Slaves    []SlaveCopy
	InStep    int // copies in step, the master's own included
	Wanted    int // copies an acknowledged message has
	Enough    bool
	Confirmed int64 // enough copies have everything before it; -1: the master's own suffices

	TurnedAway int64 // connections that were not taken

	// of a slave
	Connected    bool
	Refused      bool
	Offset       int64
	MasterOffset int64
	SinceReadMs  int64 // since something was read from the master; -1: nothing was
	BytesPerSec  int64
}

// SlaveCopy is a slave that is connected.
type SlaveCopy struct {
	Addr           string
	InStep         bool
	Ours           bool
	AckOffset      int64
	SentOffset     int64
	BytesPerSecond int64
	LagBytes       int64
}

// LagAlarm is an alarm of lag: a group is too far behind in a topic. There is one for a group and a topic at most.
type LagAlarm struct {
	Group, Topic string
	Cause        string
	Messages     int64 // that it is behind
}

// Lag is how far a group is behind in a topic.
type Lag struct {
	Group, Topic string
	Retry        bool
	Messages     int64 // not acknowledged
	Inflight     int64 // handed out and not acknowledged
	Ready        int64 // not handed out
	Timed        bool  // the times are known
	LagMs        int64 // age of the oldest that is not acknowledged
	QueueingMs   int64 // age of the oldest that was not handed out
}

// Unattended is a group without members in a topic that it has consumed from.
type Unattended struct {
	Group, Topic string
	Messages     int64 // that wait
}
