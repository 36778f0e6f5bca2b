package broker

import (
	"ringmq/broker/meta"
)

// leftover is what a stock broker had under way in this store when it ended, and nobody goes on with here.
type leftover struct {
	what  string
	count int64 // of messages or notes, at most: some of them may have been done with
}

// Groups under which a stock broker notes how far it is with its own queues.
const (
	halfGroup   = "CID_RMQ_SYS_TRANS"
	reviveGroup = "CID_RMQ_SYS_REVIVE_GROUP"
)

// leftovers looks for what only a stock broker finishes. They stay in the store, as long as other messages of their age do.
func (b *Broker) leftovers() (all []leftover) {
	after := func(group, topic string, queues int32) (n int64) {
		for q := range queues {
			from := b.store.MinOffset([]byte(topic), q)
			if group != "" {
				if offset, ok := b.offsets.Query([]byte(group), []byte(topic), q); ok {
					from = max(from, offset)
				}
			}
			n += max(b.store.MaxOffset([]byte(topic), q)-from, 0)
		}
		return n
	}
	revive := "rmq_sys_REVIVE_LOG_" + b.cluster
	queues := int32(0)
	if t, ok := b.topics.Lookup(revive); ok {
		queues = t.ReadQueueNums
	}
	for _, one := range []leftover{
		{"half messages of transactions: they are neither committed nor rolled back here", after(halfGroup, meta.HalfTopic, 1)},
		// How far the timer is stands in files of its own, which are not read here.
		{"messages for a moment of their own (TIMER_...): those that were not due yet are not delivered here", after("", meta.WheelTimerTopic, 1)},
		{"notes of pop consumers: what they had in hand and did not acknowledge is not given to them again here", after(reviveGroup, revive, queues)},
	} {
		if one.count > 0 {
			all = append(all, one)
		}
	}
	return all
}

// sayLeftovers names them at the start of a master.
func (b *Broker) sayLeftovers() {
	for _, one := range b.leftovers() {
		b.logger.Warn("a stock broker left in this store what only a stock broker finishes: "+one.what, "atMost", one.count)
	}
}
