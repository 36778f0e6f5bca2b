// Package replica copies the commit log from a master to its slaves, byte for byte, over RocketMQ's HA protocol (fact sheet,
// formats 5.1), which stock brokers speak too, and says how far enough copies have it.
//
//	sent <= Sendable        confirmed <= Sendable, and <= the offset that enough copies acknowledged unless there are too few copies
//
// Reading order: options.go (the contract), frame.go (bytes on the wire), progress.go and quorum.go (when enough have it, without network or
// clock), leader.go, places.go, slave.go, sender.go, pace.go, sparing.go, known.go and said.go (the master's side), follower.go, session.go, newest.go, report.go,
// cutter.go and growing.go (the slave's), healing.go and examine.go (damage on one side), tail.go and part.go (logs that have parted), backup.go and
// asideheal.go (copies that are no slaves).
package replica
