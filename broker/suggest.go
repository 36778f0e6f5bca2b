package broker

import "ringmq/store"

// residencyMode is suggestByResidency: by what a broker tells which of a group's brokers to pull from next.
type residencyMode uint8

const (
	residencyAuto residencyMode = iota // by what is in memory where master and slaves are ours, by the estimate otherwise
	residencyOn
	residencyOff
)

// residencyModeOf reads a value that the table of keys allows.
func residencyModeOf(text string) residencyMode {
	switch text {
	case "on":
		return residencyOn
	case "off":
		return residencyOff
	}
	return residencyAuto
}

// slaveNext says whether a slave had better serve what follows the outcome of a pull. By stock's estimate master and slave say so while
// the group is further behind than 40 % of memory. By residency the master says so when a part of what was asked for was not in memory,
// and all slaves are past that. The slave cannot know what is in the master's memory, but for the newest records, which both keep: there
// it sends the group back, and not before, or each pull of a long backlog would be read from both disks in turns. On the loop.
func (b *Broker) slaveNext(f *store.Found) bool {
	if !b.slave && !f.NotResident && !f.SuggestSlave {
		return false // by either
	}
	r := &b.replication
	switch mode := b.inForce.get().residency; {
	case mode == residencyOff:
		return f.SuggestSlave
	case b.slave && (mode == residencyOn || r.follower.FollowsOurs()):
		return f.Looked && !f.Newest
	case !b.slave && (mode == residencyOn || r.leader.AllOurs()):
		return f.NotResident && r.leader.AllHave(f.LastPhysical+1)
	}
	return f.SuggestSlave
}
