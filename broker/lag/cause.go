package lag

import "time"

// Causes of lag. They are names that do not change between releases; programs may go by them.
const (
	None            = "none"
	NoConsumer      = "no-consumer"          // no member is connected
	Stuck           = "consumer-stuck"       // a member has messages and does not finish them
	NotPulling      = "consumer-not-pulling" // a member has a queue and does not ask for its messages
	NoOwner         = "queue-without-member" // no member has a queue
	Slow            = "consumers-slow"       // they consume less than comes in
	Surge           = "producers-surged"     // more comes in than usual
	ReplicationSlow = "replication-slow"     // slaves are far behind, or slow
	BrokerSlow      = "broker-slow"          // pulls or the disk take long
	ColdLimit       = "cold-read-limit"      // the broker holds the group's old reads back
	Failing         = "consumers-failing"    // they give back what they get
	CatchingUp      = "catching-up"          // more is consumed than comes in
)

// surgeFactor is how much more than in the last hour has to come in to be the cause.
const surgeFactor = 1.5

// UsualOver is over how long what is usual is counted. Brokers count in memory: who has not run for so long may not know of what he did
// not count.
const UsualOver = time.Hour

// Rates are messages a second: now, and over UsualOver.
type Rates struct {
	In, Out, UsualIn, UsualOut float64
	Whole                      bool // who counted ran for as long, so that a usual rate of 0 is one
}

// Known says that what usually comes in is known.
func (r Rates) Known() bool { return r.Whole || r.UsualIn > 0 }

// Cause judges a group that is behind by its rates alone. Where nothing came in usually, whatever does is a surge.
func (r Rates) Cause() string {
	switch {
	case r.Out > r.In:
		return CatchingUp
	case r.Known() && r.In > surgeFactor*r.UsualIn && r.Out >= r.UsualOut/surgeFactor:
		return Surge
	}
	return Slow
}
