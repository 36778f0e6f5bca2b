// Package replica copies the commit log from a master to its slaves, byte for byte, over RocketMQ's HA protocol (fact sheet,
// formats 5.1), which stock brokers speak too, and says how far enough copies have it.
//
//	sent <= Sendable        confirmed <= Sendable, and <= the offset that enough copies acknowledged unless there are too few copies
package replica
