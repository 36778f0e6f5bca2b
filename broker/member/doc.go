// Package member knows who is connected: producers and consumers by group and connection, what each group subscribes to, and
// which client holds which queue of an ordered consumer. It is pure: a connection is a number, time comes from a clock, and who
// has to be told of a change is returned, not sent.
//
// Reading order: consumers.go, group.go, producers.go, manager.go, locks.go.
package member
