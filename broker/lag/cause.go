package lag

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
	CatchingUp      = "catching-up"          // more is consumed than comes in
)

// surgeFactor is how much more than in the last hour has to come in to be the cause.
const surgeFactor = 1.5

// Rates are messages a second: now, and over the last hour; 0 where that is not known.
type Rates struct{ In, Out, UsualIn, UsualOut float64 }

// Cause judges a group that is behind by its rates alone.
func (r Rates) Cause() string {
	switch {
	case r.Out > r.In:
		return CatchingUp
	case r.UsualIn > 0 && r.In > surgeFactor*r.UsualIn && r.Out >= r.UsualOut/surgeFactor:
		return Surge
	}
	return Slow
}
