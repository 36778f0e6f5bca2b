// Package quota counts what each client of a broker uses, says who uses more than one may, and how long such a client has to wait. It
// knows no clock and no connection: time is given, and whoever asks does the waiting.
//
// A client is a name, shared by all connections that say it. Its counters are atomics that event loops add to once a second; only while
// limits are enforced is anything of it touched for each message, and then without a lock.
//
// Reading order: kinds.go (what is counted, and its limits), client.go (one client and its buckets), table.go (all of them, by the second),
// news.go (what is said of them).
package quota
