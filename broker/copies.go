package broker

import (
	"time"

	"ringmq/netpoll/remoting"
	"ringmq/replica"
)

// copies says what becomes of sends whose messages must be copied. Any goroutine; no lock, no allocation.
type copies struct {
	leader  leader
	began   time.Duration // Broker.uptime when the leader began
	timeout time.Duration // slaveTimeout
	durable func() int64
}

// refuses says whether a send that would wait for its copies is refused, because fewer slaves are in step than there must be.
func (b *Broker) refuses(wait []byte) bool {
	c := b.copies.Load()
	return c != nil && string(wait) != "false" && c.leader.Agreed().Refuses
}

// notEnough is stock's remark on a send that is refused so.
const notEnough = "in-sync replicas not enough"

// short returns the code of an answer whose message is safe here and has too few copies: FLUSH_SLAVE_TIMEOUT if it waited for a slave
// that was lost meanwhile, SLAVE_NOT_AVAILABLE if there was none. 0: it has its copies.
func (c *copies) short(agreed *replica.Agreement, a *parkedAnswer) int32 {
	switch {
	case a.end <= agreed.Offset:
		return 0
	case !agreed.Enough && a.at > c.began+agreed.Since:
		return remoting.RespSlaveNotAvailable
	}
	return remoting.RespFlushSlaveTimeout
}

// slow says that an answer has waited for slaveTimeout, by now for nothing but slaves that are in step and yet too slow.
func (c *copies) slow(a *parkedAnswer, now time.Duration) bool {
	return c != nil && a.at < now-c.timeout && a.end <= c.durable()
}
